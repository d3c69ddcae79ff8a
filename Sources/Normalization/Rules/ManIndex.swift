internal import RootfsModel

/// The directory stays.
struct ManIndex: NormalizationRule {
    let id = "man-index"
    let reason = "an index with times in it, which man-db makes anew"

    func change(of tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]) -> TreeChange {
        TreeChange(removals: tree.children(of: "var/cache/man").map(\.path))
    }
}
