internal import RootfsModel

/// What installing writes; a running system writes its own.
struct Logs: NormalizationRule {
    let id = "logs"
    let reason = "a log of the build, with its times and the host's order of files"

    func change(of tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]) -> TreeChange {
        let logs = tree.present([
            "var/log/alternatives.log", "var/log/bootstrap.log", "var/log/dpkg.log", "var/log/fontconfig.log",
        ])
        return TreeChange(removals: logs + tree.children(of: "var/log/apt").map(\.path))
    }
}
