internal import RootfsModel

/// What dpkg and debconf leave of their own files and of conffiles.
struct DpkgOld: NormalizationRule {
    let id = "dpkg-old"
    let reason = "a backup of how the file was one change before"

    func change(of tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]) -> TreeChange {
        let conffiles = tree.nodes[tree.indices(below: "etc")].filter { $0.nameHasSuffix(".dpkg-old") }
        let databases: [TreePath] = ["var/lib/dpkg", "var/cache/debconf"]
        let own = databases.flatMap { tree.children(of: $0) }.filter { $0.nameHasSuffix("-old") }
        return TreeChange(removals: (conffiles + own).filter { !$0.isDirectory }.map(\.path))
    }
}
