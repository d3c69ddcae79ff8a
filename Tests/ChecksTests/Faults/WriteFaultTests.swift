import Checks
import RootfsModel
import Testing

@Suite struct WriteFaultTests {
    static let unit = "/etc/systemd/system/app-web.service"
    static let script = "/opt/app/start.sh"

    static func starts(_ command: String, _ more: String = "") -> [String: HandmadeTree.Entry?] {
        [unit: .text("[Service]\nUser=agent\nExecStart=\(command)\n\(more)")]
    }

    static let programs: [String: HandmadeTree.Entry?] = [
        "/usr/bin/Xvfb": .bytes(elfBytes(), mode: 0o755), "/usr/bin/chromium": .bytes(elfBytes(), mode: 0o755),
    ]

    static let faults = [
        PlantedFault(
            name: "a sandbox of a path that is missing", changes: starts("/usr/bin/node", "ReadWritePaths=/srv/data\n"),
            id: "write/namespace", says: "226/NAMESPACE"),
        PlantedFault(
            name: "an output file in no directory",
            changes: starts("/usr/bin/node", "StandardOutput=append:/var/log/web/web.log\n"), id: "write/output",
            says: "/var/log/web does not exist"),
        PlantedFault(
            name: "a log file that the user may not make",
            changes: [script: .script("#!/bin/sh\n/usr/bin/node >>/var/log/web.log\n")], id: "write/redirection",
            says: "/var/log has mode 0755 and belongs to 0:0, and agent is 1000"),
        PlantedFault(
            name: "a log file in no directory",
            changes: [script: .script("#!/bin/sh\nexec /usr/bin/node 2>/home/agent/log/err\n")],
            id: "write/redirection", says: "/home/agent/log does not exist"),
        PlantedFault(
            name: "an X server without /tmp",
            changes: starts("/usr/bin/Xvfb :99").merging(["/tmp": .directory(mode: 0o755)]) { $1 }, id: "write/x-lock",
            says: "/tmp has mode 0755"),
        PlantedFault(
            name: "an X server whose sockets' directory is not for it",
            changes: starts("/usr/bin/Xvfb :99").merging(["/tmp/.X11-unix": .directory(mode: 0o755)]) { $1 },
            id: "write/x-socket", says: "/tmp/.X11-unix has mode 0755"),
        PlantedFault(
            name: "an X server under strict protection", changes: starts("/usr/bin/Xvfb :99", "ProtectSystem=strict\n"),
            id: "write/x-lock", says: "may write to nothing only"),
        PlantedFault(
            name: "an X server on a temporary /tmp that is root's",
            changes: starts("/usr/bin/Xvfb :99").merging(["/etc/fstab": .text("none /tmp tmpfs mode=0755 0 0\n")]) {
                $1
            }, id: "write/x-lock", says: "/tmp has mode 0755"),
        PlantedFault(
            name: "Chromium's profile in another's home",
            changes: starts("/usr/bin/chromium --user-data-dir=/root/profile"), id: "write/profile",
            says: "/root has mode 0700"),
        PlantedFault(
            name: "an X server whose sockets' directory is made for root",
            changes: starts("/usr/bin/Xvfb :99").merging([
                "/usr/lib/tmpfiles.d/x11.conf": .text("D! /tmp/.X11-unix 0755 root root 10d\n")
            ]) { $1 }, id: "write/x-socket", says: "/tmp/.X11-unix has mode 0755"),
        PlantedFault(
            name: "a home behind an empty mount",
            changes: starts("/usr/bin/node").merging(["/etc/fstab": .text("none /home tmpfs mode=0755 0 0\n")]) { $1 },
            id: "write/home", severity: .warning, says: "mounts an empty tmpfs over /home"),
        PlantedFault(
            name: "Chromium's home behind an empty mount",
            changes: starts("/usr/bin/chromium").merging(["/etc/fstab": .text("none /home tmpfs mode=0755 0 0\n")]) {
                $1
            }, id: "write/profile", says: "/home has mode 0755"),
        PlantedFault(
            name: "a home that is not there", changes: starts("/usr/bin/node", "Environment=HOME=/srv/home\n"),
            id: "write/home",
            severity: .warning, says: "/srv/home does not exist"),
        PlantedFault(
            name: "a runtime directory that nobody makes",
            changes: starts("/usr/bin/node", "Environment=XDG_RUNTIME_DIR=/run/user/1000\n"),
            id: "write/runtime-directory",
            severity: .warning, says: "nothing makes it"),
        PlantedFault(
            name: "a log file in /run", changes: [script: .script("#!/bin/sh\nexec /usr/bin/node >/run/web.log\n")],
            id: "write/redirection", says: "/run belongs to root"),
        PlantedFault(
            name: "Chromium's profile by a script that starts it",
            changes: starts("/usr/bin/chromium --user-data-dir=/var/log/profile").merging([
                "/usr/bin/chromium": .script("#!/bin/sh\nexec /usr/lib/chromium/chromium $FLAGS \"$@\"\n"),
                "/usr/lib/chromium/chromium": .bytes(elfBytes(), mode: 0o755),
            ]) { $1 }, id: "write/profile", says: "/var/log has mode 0755"),
        PlantedFault(
            name: "Chromium without a home", changes: starts("/usr/bin/chromium").merging(["/home/agent": nil]) { $1 },
            id: "write/profile", says: "agent is 1000"),
    ]

    /// The good tree with an X server and a browser.
    func goodTree() -> HandmadeTree { ChecksTests.goodTree().with(Self.programs) }

    func findings(_ tree: HandmadeTree, hasReadOnlyRoot: Bool = false) throws -> [Finding] {
        try check(tree.subject(machine: .init(hasReadOnlyRoot: hasReadOnlyRoot)))
            .filter { $0.id.hasPrefix("write/") }
    }

    @Test func `nothing is said of the good tree`() throws {
        #expect(try findings(goodTree()) == [])
        for command in [
            "/usr/bin/Xvfb :99", "/usr/bin/chromium", "/usr/bin/chromium --user-data-dir=/home/agent/new/one",
        ] {
            #expect(try findings(goodTree().with(Self.starts(command))) == [])
        }
    }

    @Test(arguments: faults) func `a planted fault is found`(fault: PlantedFault) throws {
        try fault.expectFound(in: findings(goodTree().with(fault.changes)))
    }

    @Test func `a read-only root needs something mounted over what is written to`() throws {
        let server = goodTree().with(Self.starts("/usr/bin/Xvfb :99", "StateDirectory=web\n"))
        #expect(
            try findings(server, hasReadOnlyRoot: true).map(\.id) == [
                "write/read-only", "write/x-lock", "write/x-socket", "write/home",
            ])
        let mounted = server.with(["/etc/fstab": .text("none /tmp tmpfs rw 0 0\nnone /var/lib tmpfs rw 0 0\n")])
        #expect(try findings(mounted, hasReadOnlyRoot: true).map(\.id) == ["write/home"])
    }

    @Test func `what is made at boot can be written to`() throws {
        let tree = goodTree().with(Self.starts("/usr/bin/Xvfb :99")).with([
            "/tmp": .directory(mode: 0o755),
            "/usr/lib/tmpfiles.d/tmp.conf": .text("q /tmp 1777 root root 10d\nD! /tmp/.X11-unix 1777 root root 10d\n"),
        ])
        #expect(try findings(tree) == [])
        let own = Self.starts("/usr/bin/Xvfb :99", "PrivateTmp=yes\n").merging(["/tmp": .directory(mode: 0o755)]) { $1 }
        #expect(try findings(goodTree().with(own)) == [])
        let script = "#!/bin/sh\nmkdir -p /home/agent/log\n/usr/bin/node >>/home/agent/log/web.log\n"
        #expect(try findings(goodTree().with([Self.script: .script(script)])) == [])
    }
}
