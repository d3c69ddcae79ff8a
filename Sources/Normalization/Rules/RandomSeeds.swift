internal import RootfsModel

/// What systemd-random-seed(8) and systemd-creds(1) keep.
struct RandomSeeds: NormalizationRule {
    let id = "random-seeds"
    let reason = "a secret that images must not share"

    func change(of tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]) -> TreeChange {
        TreeChange(removals: tree.present(["var/lib/systemd/credential.secret", "var/lib/systemd/random-seed"]))
    }
}
