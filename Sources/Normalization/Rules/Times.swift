internal import RootfsModel

/// Those that scripts leave are set when a layer is made, so that layers are the same too, and what a recipe brings gets the
/// moment: what is left is packages that were made under a wrong clock.
struct Times: NormalizationRule {
    let id = "times"
    let reason = "a time later than the lock's moment is a wrong clock's, or tells when a build ran"

    func change(of tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]) -> TreeChange {
        let late = tree.nodes.filter { $0.metadata.mtime > moment }
        return TreeChange(
            puts: late.map { node in
                var node = node
                node.metadata.mtime = moment
                return node
            })
    }
}
