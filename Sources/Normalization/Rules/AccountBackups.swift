internal import RootfsModel

/// What passwd's programs leave at every change.
struct AccountBackups: NormalizationRule {
    let id = "account-backups"
    let reason = "a backup of how the file was one change before"

    func change(of tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]) -> TreeChange {
        TreeChange(
            removals: tree.present([
                "etc/group-", "etc/gshadow-", "etc/passwd-", "etc/shadow-", "etc/subgid-", "etc/subuid-",
            ]))
    }
}
