internal import RootfsModel

/// The directories stay, and /run/lock, which base-files has.
struct RunAndTmp: NormalizationRule {
    let id = "run-and-tmp"
    let reason = "the state of a running system and temporary files"

    func change(of tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]) -> TreeChange {
        let directories: [TreePath] = ["run", "tmp", "var/tmp"]
        let content = directories.flatMap { tree.children(of: $0) }
        return TreeChange(removals: content.map(\.path).filter { $0 != "run/lock" })
    }
}
