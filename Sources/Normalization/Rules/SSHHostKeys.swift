internal import RootfsModel

/// What the scripts of openssh-server generate; `ssh-keygen -A` makes them anew.
struct SSHHostKeys: NormalizationRule {
    let id = "ssh-host-keys"
    let reason = "a secret that images must not share"

    func change(of tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]) -> TreeChange {
        let keys = tree.children(of: "etc/ssh").filter { !$0.isDirectory && $0.nameHasPrefix("ssh_host_") }
        return TreeChange(removals: keys.map(\.path))
    }
}
