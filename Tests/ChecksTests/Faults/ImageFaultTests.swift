import Checks
import RootfsModel
import Testing

/// A good system's files, and what one small change to them makes of it.
@Suite struct ImageFaultTests {
    static let good = HandmadeTree([
        "etc/passwd": .text("root:x:0:0:root:/root:/bin/sh\ndaemon:*:1:1::/:/usr/sbin/nologin\n"),
        "etc/shadow": .text("root:*:20000:0:99999:7:::\nagent:!:20000:0:99999:7:::\n"),
        "etc/machine-id": .text(""),
        "etc/locale.conf": .text("LANG=C.UTF-8\n"),
        "etc/localtime": .link("/usr/share/zoneinfo/UTC"),
        "etc/alternatives/editor": .link("/usr/bin/nano"),
        "etc/alternatives/editor.1.gz": .link("/usr/share/man/man1/nano.1.gz"),
        "etc/ssl/certs/ca-certificates.crt": .text("-----BEGIN CERTIFICATE-----\nMIIF\n-----END CERTIFICATE-----\n"),
        "etc/ssl/private": .directory(mode: 0o700),
        "etc/ssh/ssh_host_rsa_key.pub": .text("ssh-rsa AAAA\n"),
        "etc/pkg/example.key": .text("-----BEGIN PRIVATE KEY-----\nan example of the manual\n"),
        "tmp": .directory(mode: 0o1777),
        "usr/bin/nano": .file("x", mode: 0o755),
        "usr/bin/su": .file("x", mode: 0o4755),
        "usr/bin/wall": .file("x", mode: 0o2755),
        "usr/bin/fc-cache": .file("x", mode: 0o755),
        "usr/sbin/update-ca-certificates": .file("x", mode: 0o755),
        "usr/share/fonts/truetype/a.ttf": .text("x"),
        "var/cache/fontconfig/0123-le64.cache-8": .text("x"),
        "var/lib/dpkg/info/good.list": .text("/.\n/bin/su\n/usr/bin/wall\n/etc/pkg/example.key\n"),
        "var/lib/dpkg/status": .text(
            "Package: good\nStatus: install ok installed\nVersion: 1\n\nPackage: gone\nStatus: deinstall ok config-files\n"
        ),
        "var/lib/dpkg/triggers/Unincorp": .text(""),
        "var/lib/dpkg/updates": .directory(mode: 0o755),
    ])

    static func findings(in tree: HandmadeTree, services: [Service] = [web]) throws -> [Finding] {
        let subject = try tree.subject(services: services)
        return try StateRule().findings(in: subject) + HygieneRule().findings(in: subject)
    }

    static let web = Service(name: "web", origin: .recipe, commands: [.init(role: "command", words: ["/usr/bin/nano"])])

    @Test func `a good system has none of these faults`() throws {
        #expect(try Self.findings(in: Self.good) == [])
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        var id: String
        var severity: Severity = .error
        var path: TreePath?
        /// Words of the message or the reasons.
        var says: String
        var changes: [String: HandmadeTree.Entry?]

        var testDescription: String { "\(id): \(says)" }
    }

    static let pem = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"

    static let faults: [Fault] = [
        Fault(
            id: "state/package", path: "var/lib/dpkg/status", says: "good is half-configured",
            changes: ["var/lib/dpkg/status": .text("Package: good\nStatus: install ok half-configured\n")]),
        Fault(
            id: "state/package", path: "var/lib/dpkg/status", says: "good is triggers-pending",
            changes: ["var/lib/dpkg/status": .text("Package: good\nStatus: install ok triggers-pending\n")]),
        Fault(
            id: "state/package", path: "var/lib/dpkg/status", says: "good is reinstreq installed",
            changes: ["var/lib/dpkg/status": .text("Package: good\nStatus: install reinstreq installed\n")]),
        Fault(
            id: "state/package", path: "var/lib/dpkg/updates/0001", says: "interrupted",
            changes: ["var/lib/dpkg/updates/0001": .text("Package: good\n")]),
        Fault(
            id: "state/triggers", path: "var/lib/dpkg/triggers/Unincorp", says: "/usr/share/fonts fontconfig",
            changes: ["var/lib/dpkg/triggers/Unincorp": .text("/usr/share/fonts fontconfig\n")]),
        Fault(
            id: "state/alternative", severity: .warning, path: "etc/alternatives/editor", says: "/usr/bin/nano",
            changes: ["usr/bin/nano": nil]),
        Fault(
            id: "state/ca-bundle", path: "etc/ssl/certs/ca-certificates.crt", says: "not there",
            changes: ["etc/ssl/certs/ca-certificates.crt": nil]),
        Fault(
            id: "state/ca-bundle", path: "etc/ssl/certs/ca-certificates.crt", says: "holds no certificate",
            changes: ["etc/ssl/certs/ca-certificates.crt": .text("")]),
        Fault(
            id: "state/font-cache", severity: .warning, path: "var/cache/fontconfig", says: "no cache",
            changes: ["var/cache/fontconfig/0123-le64.cache-8": nil]),
        Fault(
            id: "state/locale", severity: .warning, path: "usr/lib/locale", says: "de_DE.UTF-8",
            changes: ["etc/locale.conf": .text("LANG=de_DE.UTF-8\n")]),
        Fault(
            id: "state/time-zone", severity: .warning, path: "etc/localtime", says: "Europe/Berlin",
            changes: ["etc/localtime": .link("/usr/share/zoneinfo/Europe/Berlin")]),
        Fault(
            id: "state/set-id", severity: .warning, path: "usr/bin/su", says: "0755",
            changes: ["usr/bin/su": .file("x", mode: 0o755)]),
        Fault(
            id: "state/set-id", severity: .warning, path: "usr/bin/su", says: "1000:1000",
            changes: ["usr/bin/su": .file("x", mode: 0o4755, uid: 1000)]),
        Fault(
            id: "state/accounts", path: "etc/passwd", says: "no line of root's",
            changes: ["etc/passwd": .text("daemon:*:1:1::/:/usr/sbin/nologin\n")]),
        Fault(
            id: "hygiene/machine-id", path: "etc/machine-id", says: "0123456789abcdef",
            changes: ["etc/machine-id": .text("0123456789abcdef0123456789abcdef\n")]),
        Fault(
            id: "hygiene/machine-id", path: "var/lib/dbus/machine-id", says: "0123456789abcdef",
            changes: ["var/lib/dbus/machine-id": .text("0123456789abcdef0123456789abcdef\n")]),
        Fault(
            id: "hygiene/random-seed", path: "var/lib/systemd/random-seed", says: "3 bytes",
            changes: ["var/lib/systemd/random-seed": .text("abc")]),
        Fault(
            id: "hygiene/ssh-host-key", path: "etc/ssh/ssh_host_ed25519_key", says: "pose",
            changes: ["etc/ssh/ssh_host_ed25519_key": .file(pem, mode: 0o600)]),
        Fault(
            id: "hygiene/private-key", path: "root/.ssh/id_ed25519", says: "line 1",
            changes: ["root/.ssh/id_ed25519": .file(pem, mode: 0o600)]),
        Fault(
            id: "hygiene/private-key", severity: .warning, path: "etc/tls/web.key", says: "encrypted",
            changes: ["etc/tls/web.key": .file("-----BEGIN ENCRYPTED PRIVATE KEY-----\n", mode: 0o600)]),
        Fault(
            id: "hygiene/token", path: "opt/app/.env", says: "GitHub",
            changes: ["opt/app/.env": .text("A=1\nTOKEN=ghp_0123456789abcdefghijABCDEFGHIJ0123456789\n")]),
        Fault(
            id: "hygiene/token", path: "root/.netrc", says: "line 1",
            changes: ["root/.netrc": .file("machine example.org login me password secret\n", mode: 0o600)]),
        Fault(
            id: "hygiene/password-hash", path: "etc/shadow", says: "root's password",
            changes: ["etc/shadow": .text("root:$y$j9T$abc$def:20000:0:99999:7:::\n")]),
        Fault(
            id: "hygiene/empty-password", path: "etc/shadow", says: "root needs no password",
            changes: ["etc/shadow": .text("root::20000:0:99999:7:::\n")]),
        Fault(
            id: "hygiene/world-writable", path: "usr/bin/nano", says: "0777",
            changes: ["usr/bin/nano": .file("x", mode: 0o777)]),
        Fault(
            id: "hygiene/world-writable", severity: .warning, path: "opt/app", says: "replace what is in",
            changes: ["opt/app": .directory(mode: 0o777)]),
        Fault(
            id: "hygiene/set-id", severity: .warning, path: "usr/local/bin/helper", says: "no package",
            changes: ["usr/local/bin/helper": .file("x", mode: 0o4755)]),
        Fault(
            id: "hygiene/leftover", severity: .warning, path: "usr/sbin/policy-rc.d", says: "ban",
            changes: ["usr/sbin/policy-rc.d": .file("exit 101\n", mode: 0o755)]),
        Fault(
            id: "hygiene/leftover", severity: .note, path: "var/cache/apt/archives/a.deb", says: "packages",
            changes: ["var/cache/apt/archives/a.deb": .text("x")]),
    ]

    @Test(arguments: faults) func `one fault is one finding, and the right one`(fault: Fault) throws {
        let findings = try Self.findings(in: Self.good.with(fault.changes))
        #expect(findings.map(\.id) == [fault.id])
        let finding = try #require(findings.first)
        #expect(finding.severity == fault.severity)
        #expect(finding.path == fault.path)
        let text = ([finding.message] + finding.reasons).joined(separator: "\n")
        #expect(text.contains(fault.says), "\(text)")
        #expect(finding.remedy?.isEmpty == false)
    }

    @Test func `no secret is told`() throws {
        let secret = "ghp_0123456789abcdefghijABCDEFGHIJ0123456789"
        let hash = "$y$j9T$abc$def"
        let tree = Self.good.with([
            "opt/.env": .text(secret), "etc/shadow": .text("root:\(hash):20000:0:99999:7:::\n"),
        ])
        let findings = try Self.findings(in: tree)
        #expect(findings.count == 2)
        for finding in findings {
            #expect(!"\(finding)".contains(secret) && !"\(finding)".contains(hash))
        }
    }
}

@Suite struct SuppressionTests {
    private let findings = [
        Finding("exec/missing", .error, "a", path: "usr/bin/a"),
        Finding("exec/missing", .error, "b", path: "usr/bin/b"),
    ]

    @Test func `a suppression with a path covers the finding there alone`() {
        let suppression = Suppression(id: "exec/missing", path: "usr/bin/a", because: "made at boot")
        let (open, accepted) = suppress(findings, by: [suppression])
        #expect(open == [findings[1]])
        #expect(accepted.map(\.finding) == [findings[0]] && accepted.map(\.by) == [suppression])
    }

    @Test func `one without a path covers all of its id, and no part of an id`() {
        #expect(suppress(findings, by: [Suppression(id: "exec/missing", because: "x")]).open == [])
        let (open, _) = suppress(findings, by: [Suppression(id: "exec", because: "x")])
        #expect(open.map(\.id) == ["exec/missing", "exec/missing", "suppress/unused"])
    }

    @Test func `one that covers nothing is told with its reason`() throws {
        let place = SourceLocation(file: "a.manifest", line: 3, column: 5, text: "x")
        let (open, _) = suppress([], by: [Suppression(id: "a/b", path: "c", because: "of old", location: place)])
        let finding = try #require(open.first)
        #expect(finding.id == "suppress/unused" && finding.severity == .note && finding.location == place)
        #expect(finding.reasons == ["it was suppressed because: of old"])
    }
}
