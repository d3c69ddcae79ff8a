import RootfsModel
import Testing

@testable import Normalization

let moment = Timestamp(seconds: 1_700_000_000)

/// The day of the moment.
let day = 19_675

func file(_ path: TreePath, _ bytes: [UInt8] = [1], at seconds: Int64 = 7) -> FileNode {
    FileNode(
        path: path, kind: .file(Blob(bytes), linkGroup: 0),
        metadata: Metadata(mode: 0o640, mtime: Timestamp(seconds: seconds)))
}

func file(_ path: TreePath, _ text: String) -> FileNode { file(path, Array(text.utf8)) }

func directory(_ path: TreePath, at seconds: Int64 = 7) -> FileNode {
    FileNode(path: path, kind: .directory, metadata: Metadata(mode: 0o755, mtime: Timestamp(seconds: seconds)))
}

func link(_ path: TreePath, _ target: String) -> FileNode {
    FileNode(path: path, kind: .symbolicLink(Array(target.utf8)), metadata: Metadata(mode: 0o777))
}

/// The bytes of a blob that is held in memory.
func bytes(_ blob: Blob) throws -> [UInt8] {
    guard case .bytes(let bytes) = blob.source else { throw Failure("not in memory") }
    return bytes
}

func text(_ path: TreePath, in tree: FileTree) throws -> String {
    String(decoding: try bytes(try #require(tree[path]?.blob)), as: UTF8.self)
}

func normalised(_ tree: FileTree, by rule: any NormalizationRule) throws -> (FileTree, [RuleReport]) {
    try Normalization.normalise(tree, by: [rule], moment: moment, read: bytes)
}

@Suite struct RuleTests {
    /// What goes, which stands for all below it, and what is near and stays.
    struct Case: Sendable, CustomTestStringConvertible {
        var rule: any NormalizationRule
        var gone: [FileNode]
        var stays: [FileNode]
        var testDescription: String { rule.id }
    }

    static let removals: [Case] = [
        Case(
            rule: RandomSeeds(),
            gone: [file("var/lib/systemd/random-seed"), file("var/lib/systemd/credential.secret")],
            stays: [file("usr/lib/systemd/systemd-random-seed"), file("var/lib/systemd/random-seed.d")]),
        Case(
            rule: SSHHostKeys(), gone: [file("etc/ssh/ssh_host_rsa_key"), file("etc/ssh/ssh_host_rsa_key.pub")],
            stays: [file("etc/ssh/sshd_config"), file("etc/ssh/sub/ssh_host_rsa_key"), directory("etc/ssh/ssh_host_d")]),
        Case(
            rule: Snakeoil(),
            gone: [
                file("etc/ssl/certs/ssl-cert-snakeoil.pem"), file("etc/ssl/private/ssl-cert-snakeoil.key"),
                link("etc/ssl/certs/0a1b2c3d.0", "ssl-cert-snakeoil.pem"),
            ], stays: [link("etc/ssl/certs/4e5f6a7b.0", "ssl-cert-real.pem"), file("etc/ssl/private/real.key")]),
        Case(
            rule: AccountBackups(), gone: [file("etc/passwd-"), file("etc/gshadow-"), file("etc/subuid-")],
            stays: [file("etc/passwd"), file("etc/x/passwd-"), file("etc/other-")]),
        Case(
            rule: DpkgOld(),
            gone: [
                file("etc/a/x.conf.dpkg-old"), file("var/lib/dpkg/status-old"),
                file("var/cache/debconf/config.dat-old"),
            ],
            stays: [
                file("etc/a/x.conf"), file("etc/x.conf.dpkg-dist"), file("usr/share/x.dpkg-old"),
                file("var/lib/dpkg/info/very-old"), file("var/lib/dpkg/status"),
            ]),
        Case(
            rule: Logs(),
            gone: [file("var/log/apt/term.log"), file("var/log/dpkg.log"), file("var/log/fontconfig.log")],
            stays: [directory("var/log/apt"), file("var/log/wtmp"), file("var/log/x/dpkg.log")]),
        Case(
            rule: AptState(),
            gone: [
                file("var/cache/apt/archives/a_1_all.deb"), file("var/cache/apt/pkgcache.bin"),
                file("var/lib/apt/lists/a_InRelease"), file("var/lib/apt/lists/partial/b"),
            ],
            stays: [
                directory("var/lib/apt/lists/partial"), file("var/lib/apt/extended_states"),
                file("var/cache/apt/archives/lock"), file("var/cache/other.bin"),
            ]),
        Case(
            rule: LdconfigCache(), gone: [file("var/cache/ldconfig/aux-cache")],
            stays: [directory("var/cache/ldconfig"), file("etc/ld.so.cache")]),
        Case(
            rule: ManIndex(), gone: [directory("var/cache/man/de"), file("var/cache/man/index.db")],
            stays: [directory("var/cache/man"), file("usr/share/man/man1/a.1.gz")]),
        Case(
            rule: RunAndTmp(), gone: [directory("run/x"), link("tmp/a", "b"), file("var/tmp/c")],
            stays: [directory("run/lock"), file("run/lock/inside"), directory("tmp"), file("var/run-x/y")]),
    ]

    @Test(arguments: removals) func `what a rule is for goes, and what is like it stays`(_ example: Case) throws {
        let below = example.gone.filter(\.isDirectory).map { file($0.path.appending("below".utf8)) }
        let tree = try FileTree(example.gone + below + example.stays)
        let (after, reports) = try normalised(tree, by: example.rule)
        #expect(example.gone.allSatisfy { after[$0.path] == nil })
        #expect(below.allSatisfy { after[$0.path] == nil })
        #expect(example.stays.allSatisfy { after[$0.path] == $0 })
        let report = try #require(reports.first)
        #expect(report.rule == example.rule.id)
        #expect(report.count == example.gone.count + below.count)
        #expect(tree.nodes.count - after.nodes.count == report.count)
        // A second time there is nothing to do.
        #expect(try normalised(after, by: example.rule).1 == [])
    }

    @Test func `a machine's id is emptied, a copy of it goes, a link to it stays`() throws {
        let copies = try FileTree([file("etc/machine-id", "0123\n"), file("var/lib/dbus/machine-id", "0123\n")])
        let (after, reports) = try normalised(copies, by: MachineID())
        #expect(try text("etc/machine-id", in: after) == "")
        #expect(after["etc/machine-id"]?.metadata == copies["etc/machine-id"]?.metadata)
        #expect(after["var/lib/dbus/machine-id"] == nil)
        #expect(reports.map(\.paths) == [["/etc/machine-id", "/var/lib/dbus/machine-id"]])
        let linked = try FileTree([file("etc/machine-id", ""), link("var/lib/dbus/machine-id", "/etc/machine-id")])
        #expect(try normalised(linked, by: MachineID()).1 == [])
    }

    @Test func `an account's day is the moment's, unless it has none`() throws {
        let shadow = "root:*:20000:0:99999:7:::\nnew:!:0:::::\nlocked:!::::::\nbad\n"
        let tree = try FileTree([file("etc/shadow", shadow), file("etc/gshadow", "root:*:20000:0\n")])
        let (after, reports) = try normalised(tree, by: ShadowDates())
        #expect(
            try text("etc/shadow", in: after) == "root:*:\(day):0:99999:7:::\nnew:!:0:::::\nlocked:!::::::\nbad\n")
        #expect(after["etc/shadow"]?.metadata == tree["etc/shadow"]?.metadata)
        #expect(after["etc/gshadow"] == tree["etc/gshadow"])
        #expect(reports.map(\.paths) == [["/etc/shadow"]])
        #expect(try normalised(after, by: ShadowDates()).1 == [])
    }

    /// A compiled file as PEP 552 has it.
    private func compiled(flags: UInt8, time: Int64, size: UInt8) -> [UInt8] {
        let time = UInt32(time)
        return [0xa7, 0x0d, 0x0d, 0x0a, flags, 0, 0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: time >> ($0 * 8)) }
            + [size, 0, 0, 0, 0xe3]
    }

    @Test func `byte code of another time goes; of the source's time, by hash or without source it stays`() throws {
        let late = moment.seconds + 5
        let tree = try FileTree([
            file("usr/lib/p/a.py", [1, 2], at: 100), file("usr/lib/p/b.py", [1, 2], at: 100),
            file("usr/lib/p/c.py", [1, 2], at: late), file("usr/lib/p/d.py", [1, 2], at: 100),
            file("usr/lib/p/e.py", [1, 2], at: 100), link("usr/lib/p/f.py", "a.py"),
            file("usr/lib/p/__pycache__/a.cpython-311.pyc", compiled(flags: 0, time: 100, size: 2)),
            file("usr/lib/p/__pycache__/b.cpython-311.opt-1.pyc", compiled(flags: 0, time: 101, size: 2)),
            file("usr/lib/p/__pycache__/c.cpython-311.pyc", compiled(flags: 0, time: late, size: 2)),
            file("usr/lib/p/__pycache__/d.cpython-311.pyc", compiled(flags: 0, time: 100, size: 3)),
            file("usr/lib/p/__pycache__/e.cpython-311.pyc", compiled(flags: 3, time: 9, size: 9)),
            file("usr/lib/p/__pycache__/f.cpython-311.pyc", compiled(flags: 0, time: 100, size: 2)),
            file("usr/lib/p/__pycache__/gone.cpython-311.pyc", compiled(flags: 0, time: 1, size: 2)),
            file("usr/lib/p/__pycache__/short.pyc", [0xa7]),
            file("usr/lib/p/a.pyc", compiled(flags: 0, time: 1, size: 2)),
        ])
        let (_, reports) = try normalised(tree, by: StaleByteCode())
        #expect(
            reports.map(\.paths) == [
                [
                    "/usr/lib/p/__pycache__/b.cpython-311.opt-1.pyc", "/usr/lib/p/__pycache__/c.cpython-311.pyc",
                    "/usr/lib/p/__pycache__/d.cpython-311.pyc",
                ]
            ])
    }

    @Test func `byte code of a file that a script wrote goes when the file gets another time`() throws {
        let made = moment.seconds
        let tree = try FileTree([
            file("usr/lib/os-release", [1], at: 5), file("usr/lib/p/other.py", [1], at: 100),
            file("usr/lib/p/made.py", [1, 2], at: made),
            file("usr/lib/p/__pycache__/made.cpython-311.pyc", compiled(flags: 0, time: made, size: 2), at: made),
            file("usr/lib/p/__pycache__/other.cpython-311.pyc", compiled(flags: 0, time: 100, size: 1), at: made),
        ])
        let (after, _) = try Normalization.normalise(tree, moment: moment, read: bytes)
        #expect(after["usr/lib/p/made.py"]?.metadata.mtime == Timestamp(seconds: 100))
        #expect(after["usr/lib/p/__pycache__/made.cpython-311.pyc"] == nil)
        #expect(after["usr/lib/p/__pycache__/other.cpython-311.pyc"] != nil)
        // With the file's own time kept, it is as good as any.
        let rules = Normalization.packageRules().filter { $0.id != "build-times" }
        let (kept, _) = try Normalization.normalise(tree, by: rules, moment: moment, read: bytes)
        #expect(kept["usr/lib/p/__pycache__/made.cpython-311.pyc"] != nil)
    }

    @Test func `no time is later than the moment, by not so much as a nanosecond`() throws {
        var names = [file("a/one", [1], at: moment.seconds), file("a/two", [1], at: moment.seconds)]
        for index in names.indices {
            names[index].kind = .file(Blob([1]), linkGroup: 4)
            names[index].metadata.mtime.nanoseconds = 1
        }
        let tree = try FileTree(names + [directory("a", at: 9), file("b", [1], at: moment.seconds)])
        let (after, reports) = try normalised(tree, by: Times())
        #expect(after.nodes.allSatisfy { $0.metadata.mtime <= moment })
        #expect(after.hardLinks == tree.hardLinks)
        #expect(after["a"]?.metadata.mtime == Timestamp(seconds: 9))
        #expect(reports.map(\.paths) == [["/a/one", "/a/two"]])
    }
}
