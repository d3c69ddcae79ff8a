import RootfsModel

/// What one image is, as far as it is known. Its encoded form is what the page of `inspect --html` shows.
///
/// Paths are as in `Comparison`; sizes are bytes, hard links once.
public struct ImageSummary: Encodable, Sendable {
    public struct FileSystem: Encodable, Sendable, Hashable {
        public var label: String
        public var uuid: String
        public var blockSize: Int
        public var blocks: UInt64
        public var features: [String]

        public init(label: String, uuid: String, blockSize: Int, blocks: UInt64, features: [String]) {
            self.label = label
            self.uuid = uuid
            self.blockSize = blockSize
            self.blocks = blocks
            self.features = features
        }
    }

    public struct Kernel: Encodable, Sendable, Hashable {
        public var release: String?
        public var package: String?
        public var arguments: [String]
    }

    public struct Package: Encodable, Sendable, Hashable {
        public var name: String
        public var version: String
        public var architecture: String
        public var source: String
        public var purpose: String?
        /// Of the files that it has first; nil where nobody knows.
        public var size: UInt64?
    }

    /// A service that starts by itself, with all that it is known to need.
    public struct Service: Encodable, Sendable, Hashable {
        public var name: String
        public var command: [String]
        public var user: String
        public var files: Int
        public var size: UInt64
        public var packages: [String]
    }

    public struct Part: Encodable, Sendable, Hashable {
        /// Empty for what is in no package.
        public var name: String
        public var size: UInt64
    }

    public struct File: Encodable, Sendable, Hashable {
        public var path: String
        public var size: UInt64
        public var package: String?
    }

    public struct Privileged: Encodable, Sendable, Hashable {
        public var path: String
        /// `setuid root`, `capabilities (net_raw)`, `everybody may write it`.
        public var what: String
        public var mode: String
        /// `0:42`.
        public var owner: String
        public var package: String?
    }

    public struct OfType: Encodable, Sendable, Hashable {
        public var name: String
        public var count: Int
    }

    public var format = 1
    public var side: Comparison.Side
    public var fileSystem: FileSystem?
    public var kernel: Kernel?
    public var damaged: [Comparison.Damage]
    /// Regular files, by their paths.
    public var files: Int
    public var size: UInt64
    /// By name.
    public var types: [OfType]
    /// By name; nil where nobody knows.
    public var packages: [Package]?
    /// By name; nil where nobody knows.
    public var services: [Service]?
    /// By path.
    public var privileged: [Privileged]
    /// By name; the sum is `size`; nil where nobody knows what is whose.
    public var packageSizes: [Part]?
    /// By path, at most five deep: each with what is below it in no other folder of the list. The sum is `size`.
    public var folders: [Part]
    /// The largest first.
    public var largest: [File]

    /// - Parameter image: with its services, where they are known.
    public init(_ image: ComparedImage, fileSystem: FileSystem? = nil) {
        let tree = image.tree ?? FileTree()
        let owners = Ownership(image)
        func package(of path: TreePath) -> String? { owners.owners(of: path).first }
        side = image.side
        self.fileSystem = fileSystem
        kernel = image.kernel.map { Kernel(release: $0.release, package: $0.package, arguments: $0.arguments) }
        damaged = image.damaged.map { .init(side: "new", path: shownPath($0.path), problem: $0.problem) }

        var nothing = image
        nothing.tree = FileTree()
        let sizes = Sizes(from: nothing, to: image, owners: (Ownership(nothing), owners), depth: 5)
        size = sizes?.new ?? 0
        let parts = sizes?.packages?.map { Part(name: $0.name, size: $0.new) }
        packageSizes = parts
        folders = (sizes?.folders ?? []).map { Part(name: $0.name, size: $0.new) }
        let known = Dictionary(
            (parts ?? []).map { ($0.name, $0.size) }, uniquingKeysWith: { first, _ in first })
        packages = image.packages?.map { package in
            Package(
                name: package.name, version: package.version, architecture: package.architecture,
                source: package.source, purpose: package.purpose,
                size: parts == nil ? nil : known[package.name] ?? 0)
        }.sorted { $0.name < $1.name }

        var counts = [String: Int]()
        for node in tree.nodes { counts[node.typeText, default: 0] += 1 }
        types = counts.sorted { $0.key < $1.key }.map { OfType(name: $0.key, count: $0.value) }
        files = counts["file"] ?? 0
        largest = tree.distinctFiles.sorted { ($1.size, $0.path) < ($0.size, $1.path) }.prefix(100).map {
            File(path: shownPath($0.path), size: $0.size, package: package(of: $0.path))
        }
        privileged = tree.nodes.flatMap { node in
            node.rights.map {
                Privileged(
                    path: shownPath(node.path), what: $0, mode: octal(node.metadata.mode),
                    owner: "\(node.metadata.uid):\(node.metadata.gid)", package: package(of: node.path))
            }
        }
        services = image.services?.sorted { $0.name < $1.name }.map { service in
            Service(
                name: service.name, command: service.command, user: service.user, files: service.members.count,
                size: service.members.keys.reduce(0) { $0 + (tree[$1]?.blob?.size ?? 0) },
                packages: Set(service.members.keys.compactMap(package)).sorted())
        }
    }
}

extension FileTree {
    /// The regular files, one name of each.
    fileprivate var distinctFiles: [(path: TreePath, size: UInt64)] {
        var seen = Set<UInt32>()
        return nodes.compactMap { node in
            guard case .file(let blob, let group) = node.kind, group == 0 || seen.insert(group).inserted else {
                return nil
            }
            return (node.path, blob.size)
        }
    }
}

extension FileNode {
    /// What it lets people do that an ordinary file does not.
    fileprivate var rights: [String] {
        if linkTarget != nil { return [] }
        var found = [String]()
        let mode = metadata.mode
        if blob != nil {
            if mode & 0o4000 != 0 { found.append("setuid " + (metadata.uid == 0 ? "root" : "user \(metadata.uid)")) }
            if mode & 0o2010 == 0o2010 { found.append("setgid group \(metadata.gid)") }
            if let value = metadata.xattrs.first(where: { $0.name == "security.capability" })?.value {
                found.append("capabilities (\(capabilityNames(value)))")
            }
        }
        let isSticky = isDirectory && mode & 0o1000 != 0
        if mode & 0o002 != 0, blob != nil || isDirectory, !isSticky { found.append("everybody may write it") }
        return found
    }
}
