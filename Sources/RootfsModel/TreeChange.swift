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

    public init(puts: [FileNode] = [], removals: [TreePath] = [], opaques: [TreePath] = []) {
        self.puts = puts.sorted { $0.path < $1.path }
        self.removals = removals.sorted()
        self.opaques = opaques.sorted()
    }

    /// The same change with every put moved to where the tree's symbolic links lead (`bin/x` to `usr/bin/x`); a
    /// directory put over a link to a directory is dropped, as dpkg and tar -k do.
    public func placed(in tree: FileTree) -> TreeChange {
        var result = self
        var placements = [TreePath: TreePath]()
        result.puts = puts.compactMap { node in
            var node = node
            if let parent = node.path.parent {
                let place: TreePath
                if let known = placements[parent] {
                    place = known
                } else {
                    place = tree.resolve(parent) ?? tree.placement(of: parent)
                    placements[parent] = place
                }
                node.path = place.appending(node.path.name)
            }
            if node.isDirectory, tree[node.path]?.linkTarget != nil, tree.resolvedNode(node.path)?.isDirectory == true {
                return nil
            }
            return node
        }
        result.puts.sort { $0.path < $1.path }
        return result
    }
}

extension FileTree {
    /// The tree after a change, in time linear in both. Parents that the change needs and nobody has are made
    /// with mode 0755 and owner 0:0.
    public func applying(_ change: TreeChange) throws(Failure) -> FileTree {
        var gone = Set(change.removals)
        let emptied = Set(change.opaques)
        let groupShift = highestLinkGroup
        var puts = change.puts
        for index in puts.indices {
            if case .file(let blob, let group) = puts[index].kind, group != 0 {
                puts[index].kind = .file(blob, linkGroup: group + groupShift)
            }
        }
        for put in puts where !put.isDirectory { gone.insert(put.path) }

        // Nothing that goes or is emptied can hide a put: puts come after.
        var kept = [FileNode]()
        kept.reserveCapacity(nodes.count)
        if gone.isEmpty && emptied.isEmpty {
            kept = nodes
        } else {
            var verdicts: [TreePath: Bool] = [.root: emptied.contains(.root)]
            for node in nodes {
                guard let parent = node.path.parent else {
                    kept.append(node)
                    continue
                }
                let goes = (verdicts[parent] ?? false) || gone.contains(node.path)
                if node.isDirectory { verdicts[node.path] = goes || emptied.contains(node.path) }
                if !goes { kept.append(node) }
            }
        }
        return try FileTree(Self.merge(kept, with: puts.sorted { $0.path < $1.path }))
    }

    /// Both sorted lists as one; at equal paths the second wins.
    private static func merge(_ old: [FileNode], with new: [FileNode]) -> [FileNode] {
        var result = [FileNode]()
        result.reserveCapacity(old.count + new.count)
        var i = 0
        var j = 0
        while i < old.count && j < new.count {
            if old[i].path < new[j].path {
                result.append(old[i])
                i += 1
            } else {
                if old[i].path == new[j].path { i += 1 }
                result.append(new[j])
                j += 1
            }
        }
        result.append(contentsOf: old[i...])
        result.append(contentsOf: new[j...])
        return result
    }
}
