public import Debian
public import RootfsModel
public import SystemPackage

/// A package of a layer: its payload and its control stanza.
public struct LayerPackage: Sendable {
    public var payload: Payload
    public var stanza: PackageStanza

    /// The .deb itself, for what dpkg must unpack.
    public var deb: FilePath

    public init(payload: Payload, deb: FilePath) throws(Failure) {
        self.payload = payload
        self.deb = deb
        self.stanza = try payload.stanza()
    }

    /// The name of its files in dpkg's database, and what dpkg calls it: with the architecture for Multi-Arch: same.
    var databaseName: String {
        stanza.multiArch == .same ? "\(stanza.name):\(stanza.architecture)" : stanza.name
    }
}

/// Where the files of a layer's packages go on the tree below, as dpkg would put them: a function of both, so that
/// a layer taken from the store is placed as it was when it was made.
///
/// An existing directory, or link to one, stays as it is; its links are followed, so that on a merged /usr the
/// package's `bin/sh` becomes `usr/bin/sh`. What dpkg would do in a way of its own is left to dpkg: see `guarded`.
public struct Placement: Sendable {
    /// A file or symbolic link of a payload and where it goes.
    struct Link: Sendable {
        var package: Int
        var source: TreePath
        var node: FileNode
    }

    /// A package that dpkg itself unpacks, and why.
    public struct Guarded: Sendable, Hashable {
        /// Its index among the layer's packages.
        public var package: Int
        public var reason: String
    }

    /// What the layer's lower directory shows: files by the payloads' digests, and the directories they are in. A
    /// directory in which something was placed has the moment as its time, as if dpkg had worked at that moment.
    public let change: TreeChange
    public let guarded: [Guarded]
    /// Files and links of the lower directory, by package.
    let links: [Link]
    /// Directories of the lower directory, parents first.
    let directories: [FileNode]
    /// Files that go into the upper directory, conffiles under their `.dpkg-new` names, with the other names of a
    /// conffile's hard links.
    let conffiles: [Link]

    /// Places the packages in their order.
    public init(_ packages: [LayerPackage], on below: FileTree, moment: Timestamp) throws {
        let system = try SystemGuards(below)
        var placing = Placing(below: below)
        var guarded = [Guarded]()
        for (index, package) in packages.enumerated() {
            if Task.isCancelled { throw CancellationError() }
            let reason = try system.reason(for: package) ?? placing.place(package, index: index, system: system)
            if let reason { guarded.append(Guarded(package: index, reason: reason)) }
        }
        self.guarded = guarded
        links = placing.links
        conffiles = placing.conffiles
        directories = placing.directories(moment: moment)
        change = TreeChange(puts: directories + links.map(\.node))
    }
}

/// The work of placing: what is there by now.
private struct Placing {
    enum Kind {
        case directory, other
        case symbolicLink([UInt8])
    }

    let below: FileTree
    var links = [Placement.Link]()
    var conffiles = [Placement.Link]()
    /// What this layer puts, by final path.
    private var added = [TreePath: Kind]()
    /// The keys of `added` that the package at hand brought; none was there before.
    private var addedByPackage = [TreePath]()
    private var newDirectories = [FileNode]()
    private var groups: UInt32 = 0
    /// Of the package at hand: where its directories lead.
    private var resolved = [TreePath: TreePath]()

    init(below: FileTree) {
        self.below = below
    }

    /// Places one package whole, or nothing of it and gives the reason.
    mutating func place(_ package: LayerPackage, index: Int, system: SystemGuards) throws -> String? {
        let counts = (links.count, conffiles.count, newDirectories.count)
        addedByPackage = []
        guard let reason = try placeNodes(package, index, system) else { return nil }
        links.removeSubrange(counts.0...)
        conffiles.removeSubrange(counts.1...)
        newDirectories.removeSubrange(counts.2...)
        for path in addedByPackage { added[path] = nil }
        return reason
    }

    private mutating func placeNodes(_ package: LayerPackage, _ index: Int, _ system: SystemGuards) throws -> String? {
        resolved = [.root: .root]
        let tree = try package.payload.tree()
        let conffilePaths = Set(
            try Conffile.parse(try package.payload.controlMember("conffiles") ?? [], label: package.payload.label)
                .map(\.path))
        // A name of a conffile's hard link is written where the conffile is: into the upper directory.
        let conffileGroups = Set(tree.nodes.lazy.filter { $0.linkGroup != 0 && conffilePaths.contains($0.path) }.map(\.linkGroup))
        let shift = groups
        for node in tree.nodes {
            guard let parentPath = node.path.parent else { continue }
            guard let parent = resolve(parentPath) else {
                return "\(parentPath) of it is no directory in the tree"
            }
            var placed = node
            placed.path = parent.appending(node.path.name)
            if let reason = system.reason(forPath: node.path, placedAt: placed.path) { return reason }
            let existing = kind(at: placed.path)
            if node.isDirectory {
                switch existing {
                case nil:
                    newDirectories.append(placed)
                    add(placed.path, .directory)
                case .directory: break
                case .symbolicLink:
                    guard resolve(node.path) != nil else { return "\(placed.path) is no directory in the tree" }
                case .other: return "\(placed.path) is no directory in the tree"
                }
                continue
            }
            if let existing {
                // A merged /usr has the links that base-files brings in later releases.
                if case .symbolicLink(let target) = existing, target == node.linkTarget, added[placed.path] == nil,
                    !system.hasPackages
                {
                    continue
                }
                return "\(placed.path) is in the tree already"
            }
            if case .file(let blob, let group) = node.kind, group != 0 {
                groups = max(groups, shift + group)
                placed.kind = .file(blob, linkGroup: shift + group)
            }
            let isConffile = conffilePaths.contains(node.path)
            if isConffile {
                guard node.blob != nil else { return "its conffile \(node.path) is no plain file" }
                add(placed.path, .other)
                placed.path = parent.appending(Array(node.path.name) + Array(".dpkg-new".utf8))
                guard kind(at: placed.path) == nil else { return "\(placed.path) is in the tree already" }
            }
            add(placed.path, node.linkTarget.map { .symbolicLink($0) } ?? .other)
            let link = Placement.Link(package: index, source: node.path, node: placed)
            if isConffile || conffileGroups.contains(node.linkGroup) {
                conffiles.append(link)
            } else {
                links.append(link)
            }
        }
        return nil
    }

    private mutating func add(_ path: TreePath, _ kind: Kind) {
        added[path] = kind
        addedByPackage.append(path)
    }

    private func kind(at path: TreePath) -> Kind? {
        if let kind = added[path] { return kind }
        guard let node = below[path] else { return nil }
        switch node.kind {
        case .directory: return .directory
        case .symbolicLink(let target): return .symbolicLink(target)
        default: return .other
        }
    }

    /// The directory that a path leads to; nil where it leads to none.
    private mutating func resolve(_ path: TreePath) -> TreePath? {
        if let known = resolved[path] { return known }
        var pending = Array(path.components.reversed())
        var current = TreePath.root
        var linksLeft = 40
        while let component = pending.popLast() {
            if component.elementsEqual(".".utf8) { continue }
            if component.elementsEqual("..".utf8) {
                current = current.parent ?? .root
                continue
            }
            let next = current.appending(component)
            switch kind(at: next) {
            case .directory: current = next
            case .symbolicLink(let target):
                linksLeft -= 1
                guard linksLeft > 0 else { return nil }
                if target.first == UInt8(ascii: "/") { current = .root }
                pending.append(contentsOf: target.split(separator: UInt8(ascii: "/")).reversed())
            case .other, nil: return nil
            }
        }
        resolved[path] = current
        return current
    }

    /// All directories that the lower directory needs, with the metadata they show.
    func directories(moment: Timestamp) -> [FileNode] {
        var filled = Set<TreePath>()
        var needed = [TreePath: FileNode]()
        for node in newDirectories {
            needed[node.path] = node
            filled.insert(node.path.parent ?? .root)
        }
        for link in links { filled.insert(link.node.path.parent ?? .root) }
        for link in conffiles { filled.insert(link.node.path.parent ?? .root) }
        for path in filled {
            var ancestor: TreePath? = path
            while let path = ancestor, needed[path] == nil, let node = below[path] {
                needed[path] = node
                ancestor = path.parent
            }
        }
        needed[.root] = nil
        return needed.values.map { node in
            var node = node
            if filled.contains(node.path) { node.metadata.mtime = moment }
            return node
        }.sorted { $0.path < $1.path }
    }
}
