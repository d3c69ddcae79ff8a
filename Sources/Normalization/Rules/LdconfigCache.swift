internal import RootfsModel

/// ldconfig(8) makes it anew; /etc/ld.so.cache, which programs are started with, is another file and stays.
struct LdconfigCache: NormalizationRule {
    let id = "ldconfig-cache"
    let reason = "holds inode numbers and change times of the build's file system"

    func change(of tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]) -> TreeChange {
        TreeChange(removals: tree.present(["var/cache/ldconfig/aux-cache"]))
    }
}
