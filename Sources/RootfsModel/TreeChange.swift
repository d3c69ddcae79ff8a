/// What turns one tree into another: nodes to put, and paths to take away first. A layer's delta, an overlay
/// and the users' files are all changes.
public struct TreeChange: Sendable, Equatable {
    /// Nodes to put, sorted by path. A directory over a directory replaces its metadata and keeps what is in
    /// it; anything else replaces what was there with all below it. Link groups are this change's own.
    public var puts: [FileNode]
    /// Paths that go, with all below them, before anything is put. A path that is not there is no mistake.
    public var removals: [TreePath]
    /// Directories whose old content goes while they stay: overlayfs' opaque directories.
    public var opaques: [TreePath]

    public init(puts: consuming [FileNode] = [], removals: [TreePath] = [], opaques: [TreePath] = []) {
        puts.sort { $0.path < $1.path }
        self.puts = puts
        self.removals = removals.sorted()
        self.opaques = opaques.sorted()
    }

    /// The same change with every put moved to where the tree's symbolic links lead (`bin/x` to `usr/bin/x`); a
    /// directory put over a link to a directory is dropped, as dpkg and tar -k do.
    public func placed(in tree: FileTree) -> TreeChange {
        var places = Places(in: tree)
        return TreeChange(puts: puts.compactMap { places.place($0) }, removals: removals, opaques: opaques)
    }
}

/// Where nodes belong in a tree: the directories that were asked for are remembered.
public struct Places {
    private let tree: FileTree
    private var places = [TreePath: TreePath]()
    /// Neighbours are mostly in the same directory.
    private var last: (directory: TreePath, place: TreePath)?

    public init(in tree: FileTree) {
        self.tree = tree
    }

    /// The node where the tree's symbolic links lead it; nil for a directory that would stand over a link to one.
    public mutating func place(_ node: FileNode) -> FileNode? {
        var node = node
        if let last, node.path.isChild(of: last.directory) {
            if last.place != last.directory { node.path = last.place.appending(node.path.name) }
        } else if let parent = node.path.parent {
            let place = places[parent] ?? tree.resolve(parent) ?? tree.placement(of: parent)
            places[parent] = place
            last = (parent, place)
            if place != parent { node.path = place.appending(node.path.name) }
        }
        if node.isDirectory, tree[node.path]?.linkTarget != nil, tree.resolvedNode(node.path)?.isDirectory == true {
            return nil
        }
        return node
    }
}

extension FileTree {
    /// The tree after a change, in time linear in both. Parents that the change needs and nobody has are made
    /// with mode 0755 and owner 0:0.
    public func applying(_ change: TreeChange) throws(Failure) -> FileTree {
        var gone = change.removals
        let groupShift = highestLinkGroup
        var puts = change.puts
        for index in puts.indices {
            if case .file(let blob, let group) = puts[index].kind, group != 0 {
                puts[index].kind = .file(blob, linkGroup: group + groupShift)
            }
        }
        // Nothing that goes or is emptied can hide a put: puts come after.
        puts.sort { $0.path < $1.path }
        for put in puts where !put.isDirectory { gone.append(put.path) }
        gone.sort()
        var merged = [FileNode]()
        merged.reserveCapacity(nodes.count + puts.count)
        var fate = Fate(gone: gone, emptied: Set(change.opaques))
        var next = 0
        for node in nodes where !fate.takesAway(node) {
            while next < puts.count, puts[next].path < node.path {
                merged.append(puts[next])
                next += 1
            }
            // At equal paths the put wins.
            if next < puts.count, puts[next].path == node.path { continue }
            merged.append(node)
        }
        merged.append(contentsOf: puts[next...])
        return try FileTree(merged)
    }
}

/// Which nodes of a tree go, asked in path order.
private struct Fate {
    /// In path order, as what is asked: one walk through both, and no table of them.
    private let gone: [TreePath]
    private var next = 0
    private let emptied: Set<TreePath>
    /// Of the directories so far: whether what is in them goes.
    private var takes = [TreePath: Bool]()
    /// The one that was asked for last.
    private var last: (directory: TreePath, takes: Bool)?

    init(gone: [TreePath], emptied: Set<TreePath>) {
        self.gone = gone
        self.emptied = emptied
    }

    mutating func takesAway(_ node: FileNode) -> Bool {
        if gone.isEmpty && emptied.isEmpty { return false }
        while next < gone.count, gone[next] < node.path { next += 1 }
        let isGone = next < gone.count && gone[next] == node.path
        let goes: Bool
        if let last, node.path.isChild(of: last.directory) {
            goes = last.takes || isGone
        } else if let parent = node.path.parent {
            let takes = takes[parent] ?? false
            last = (parent, takes)
            goes = takes || isGone
        } else {
            goes = false
        }
        if node.isDirectory { takes[node.path] = goes || emptied.contains(node.path) }
        return goes
    }
}
