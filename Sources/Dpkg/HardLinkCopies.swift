internal import CLinux
internal import Glibc
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// The files with several names, where overlayfs cannot keep the names together: in a user namespace a write to one of
/// them would leave the others with what was.
///
/// There each such file is copied under all its names into the upper directory before scripts see it, and taken out
/// again if they left it alone. So scripts, and the delta, see what root's would.
struct HardLinkCopies {
    /// Names and what they were, for each file.
    private var copies: [[FileNode]] = []

    /// Copies the files of the tree below that have several names. Names that scripts have put something at already
    /// keep that.
    mutating func add(from below: FileTree, to upper: FilePath) throws {
        var directory = try UpperDirectory.open(upper, below: below)
        var groups = [[FileNode]]()
        for names in below.hardLinks {
            let absent = names.filter { !directory.hasOwn($0) }
            if absent.count > 1 { groups.append(absent.compactMap { below[$0] }) }
        }
        try directory.keepingTimes(ofParents: groups.joined().map(\.path)) { directory throws in
            for nodes in groups {
                try directory.put(nodes[0])
                for node in nodes.dropFirst() { try directory.link(node.path, to: nodes[0].path) }
            }
        }
        copies += groups
    }

    /// Removes the copies that are still what they were.
    mutating func removeUntouched(from upper: FilePath) throws {
        if copies.isEmpty { return }
        let now = try FileTree(try scanOverlayUpper(upper).puts)
        let untouched = copies.filter { isUntouched($0, now) }.joined().map(\.path)
        copies = []
        var directory = try UpperDirectory.open(upper, below: FileTree())
        try directory.keepingTimes(ofParents: untouched) { directory throws in
            for path in untouched { try directory.remove(path) }
        }
    }

    /// Metadata, content and names are the same: no name more, none less.
    private func isUntouched(_ nodes: [FileNode], _ now: FileTree) -> Bool {
        let found = nodes.map { now[$0.path] }
        guard let group = found[0]?.linkGroup, group != 0,
            now.nodes.count(where: { $0.linkGroup == group }) == nodes.count
        else { return false }
        return zip(nodes, found).allSatisfy { node, found in
            guard let found, found.linkGroup == group, let blob = node.blob else { return false }
            return found.metadata == node.metadata && found.blob?.size == blob.size && found.blob?.digest == blob.digest
        }
    }
}
