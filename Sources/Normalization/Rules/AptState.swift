internal import RootfsModel

/// The directories stay: apt does not make them all.
struct AptState: NormalizationRule {
    let id = "apt-state"
    let reason = "an index of the moment or a download, which apt fetches anew"

    func change(of tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]) -> TreeChange {
        let lists: [TreePath] = ["var/lib/apt/lists", "var/lib/apt/lists/auxfiles", "var/lib/apt/lists/partial"]
        let caches = tree.children(of: "var/cache/apt").filter { $0.nameHasSuffix(".bin") }
        let packages = tree.children(of: "var/cache/apt/archives").filter { $0.nameHasSuffix(".deb") }
        let gone = lists.flatMap { tree.children(of: $0) } + caches + packages
        return TreeChange(removals: gone.filter { !$0.isDirectory }.map(\.path))
    }
}
