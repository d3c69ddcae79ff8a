import RootfsModel
import Testing

@testable import Dpkg

@Suite struct NormalizationTests {
    private func tree(_ paths: [(TreePath, NodeKind)]) throws -> FileTree {
        try FileTree(paths.map { FileNode(path: $0, kind: $1, metadata: Metadata(mode: 0o644)) })
    }

    private let file = NodeKind.file(Blob([1]), linkGroup: 0)

    @Test func `logs, secrets, histories and running state go, each with its reason`() throws {
        let tree = try tree([
            ("etc/machine-id", file), ("etc/passwd", file), ("etc/passwd-", file), ("etc/ssh/ssh_host_rsa_key", file),
            ("etc/ssh/sshd_config", file), ("etc/x.conf.dpkg-old", file), ("run/lock/inside", file), ("run/x/y", file),
            ("tmp/a", .symbolicLink([1])), ("var/cache/apt/pkgcache.bin", file), ("var/lib/apt/lists/a_InRelease", file),
            ("var/lib/apt/lists/partial", .directory), ("var/lib/dbus/machine-id", file), ("var/lib/dpkg/status", file),
            ("var/lib/dpkg/status-old", file), ("var/log/apt/term.log", file), ("var/log/dpkg.log", file),
        ])
        let steps = Normalization.steps(for: tree)
        #expect(
            steps.map { "\($0.action) \($0.path)" } == [
                "empty /etc/machine-id", "remove /etc/passwd-", "remove /etc/ssh/ssh_host_rsa_key",
                "remove /etc/x.conf.dpkg-old", "remove /run/x", "remove /tmp/a", "remove /var/cache/apt/pkgcache.bin",
                "remove /var/lib/apt/lists/a_InRelease", "remove /var/lib/dbus/machine-id",
                "remove /var/lib/dpkg/status-old", "remove /var/log/apt/term.log", "remove /var/log/dpkg.log",
            ])
        #expect(steps.allSatisfy { !$0.reason.isEmpty })
        let after = try tree.applying(Normalization.change(for: tree))
        #expect(after["etc/machine-id"]?.blob?.size == 0)
        #expect(after["run/lock/inside"] != nil)
        #expect(after["var/lib/apt/lists/partial"] != nil)
        #expect(after["run/x/y"] == nil)
        // A second time there is nothing to do.
        #expect(Normalization.steps(for: after) == [])
    }

    @Test func `dbus' link to the machine's id stays`() throws {
        let tree = try tree([("var/lib/dbus/machine-id", .symbolicLink(Array("/etc/machine-id".utf8)))])
        #expect(Normalization.steps(for: tree) == [])
    }

    @Test func `apt's memory names what was not asked for, sorted, with its own architecture`() {
        let bytes = ExtendedStates.bytes(
            autoInstalled: [("b", "all"), ("a", "i386")], nativeArchitecture: "amd64")
        #expect(
            String(decoding: bytes, as: UTF8.self) == """
                Package: a
                Architecture: i386
                Auto-Installed: 1

                Package: b
                Architecture: amd64
                Auto-Installed: 1


                """)
    }
}
