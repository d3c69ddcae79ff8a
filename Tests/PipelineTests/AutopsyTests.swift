import Booting
import Ext4
import Glibc
import RootfsModel
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Pipeline

@Suite struct AutopsyTests {
    /// A tree with a service whose program's library is gone, and what its supervisor kept.
    private func tree(_ more: [FileNode] = [], record: [UInt8]? = nil, without: Set<TreePath> = []) throws -> FileTree {
        func file(_ path: TreePath, _ text: String, _ mode: UInt16 = 0o644) -> FileNode {
            FileNode(path: path, kind: .file(Blob(Array(text.utf8)), linkGroup: 0), metadata: Metadata(mode: mode))
        }
        var nodes = [
            file("etc/inittab", "::respawn:/usr/bin/app --port 80\n"), file("etc/motd", "hello\n"),
            file("etc/machine-id", ""), file("usr/bin/app", "#!/usr/bin/interpreter\n", 0o755),
            file("usr/bin/interpreter", "not what it was\n", 0o755), file("sbin/init", "#!/usr/bin/app\n", 0o755),
            file("usr/lib/libx.so.1", "library\n"), file("var/log/app.log", "one\ntwo\u{1b}[0m\n"),
        ]
        if let record {
            nodes.append(
                FileNode(
                    path: "var/lib/microvm/flight-record", kind: .file(Blob(record), linkGroup: 0),
                    metadata: Metadata(mode: 0o600)))
        }
        let new = Set(more.map(\.path))
        nodes = nodes.filter { !without.contains($0.path) && !new.contains($0.path) } + more
        var paths = Set(nodes.map(\.path))
        for node in nodes {
            var parent = node.path.parent
            while let path = parent {
                if paths.insert(path).inserted {
                    nodes.append(FileNode(path: path, kind: .directory, metadata: Metadata(mode: 0o755)))
                }
                parent = path.parent
            }
        }
        return try FileTree(nodes.sorted { $0.path < $1.path })
    }

    private func write(_ tree: FileTree, to path: FilePath) throws {
        let options = Ext4Options(
            label: "test", identity: .derived(from: Digest(hashing: "a tree")), moment: 1_700_000_000,
            size: .free(bytes: 1 << 20))
        _ = try Ext4Writer.write(tree: tree, to: path, options: options, jobs: 1)
    }

    private func look(_ image: FilePath, golden: FilePath? = nil) async throws -> AutopsyReport {
        try await autopsy(of: image, golden: golden, CheckSettings(hostArchitecture: "amd64"), progress: { _ in })
    }

    @Test func `deaths stand beside the changes and findings that explain them`() async throws {
        let scratch = try TemporaryDirectory(beside: "/tmp/autopsy-tests")
        let (golden, disk) = (scratch.path.appending("golden.ext4"), scratch.path.appending("disk.ext4"))
        try write(try tree(record: FlightRecordFile.bytes([("service web\n", [])])), to: golden)
        let record = FlightRecordFile.bytes([
            FlightRecordFile.death(
                2, of: "app", "exited 127", "app: error while loading shared libraries: libx.so.1: cannot open\n",
                arguments: "/usr/bin/app --port 80"),
            FlightRecordFile.death(1, of: "app", "none", step: "EXEC 2"), ("service app\ndeath 3\n", []),
        ])
        let changed = FileNode(
            path: "usr/lib/libx.so.1", kind: .file(Blob(Array("another\n".utf8)), linkGroup: 0),
            metadata: Metadata(mode: 0o644))
        let id = FileNode(
            path: "etc/machine-id", kind: .file(Blob(Array("0123\n".utf8)), linkGroup: 0),
            metadata: Metadata(mode: 0o644))
        let new = FileNode(
            path: "etc/new.conf", kind: .file(Blob([]), linkGroup: 0), metadata: Metadata(mode: 0o644))
        try write(
            try tree([changed, id, new], record: record, without: ["usr/bin/interpreter", "etc/motd"]), to: disk)
        let before = try readFile(at: disk)
        let report = try await look(disk, golden: golden)
        #expect(try readFile(at: disk) == before)
        #expect(report.summary == "3 deaths of 1 service, 4 paths changed")
        #expect(report.leftMounted == nil && report.recordProblem == nil && report.checkProblem == nil)
        #expect(report.log == [] && report.damage == [])
        let service = try #require(report.services.first)
        #expect(service.name == "app" && service.damagedSlots == 1 && service.deaths.map(\.number) == [2, 1])
        let death = service.deaths[0]
        #expect(death.ending == "exit status 127" && death.command == ["/usr/bin/app", "--port", "80"])
        #expect(death.time == "Fri, 15 Jan 2027 08:00:00 UTC" && death.uptimeMilliseconds == 12_345)
        #expect(death.ranMilliseconds == 445)
        #expect(death.changes == ["/usr/lib/libx.so.1"])
        #expect(death.lines == ["app: error while loading shared libraries: libx.so.1: cannot open"])
        #expect(service.deaths[1].step == "EXEC" && service.deaths[1].error == "No such file or directory")
        #expect(
            report.changes.map(\.path) == ["/usr/bin/interpreter", "/usr/lib/libx.so.1", "/etc/motd", "/etc/new.conf"])
        #expect(report.changes.map(\.kind) == ["missing", "changed", "missing", "added"])
        #expect(report.changes.map(\.group) == [.programs, .libraries, .configuration, .configuration])
        #expect(report.churn == ["/etc/machine-id": 1, "/var/lib/microvm": 1])
        #expect(!report.findings.contains { $0.finding.id.hasPrefix("hygiene/") })
    }

    @Test func `an image of somebody else has changes and findings, and the end of its log`() async throws {
        let scratch = try TemporaryDirectory(beside: "/tmp/autopsy-tests")
        let disk = scratch.path.appending("disk.ext4")
        try write(try tree(), to: disk)
        var report = try await look(disk)
        #expect(report.recordProblem == "it has no /var/lib/microvm/flight-record: no supervisor kept deaths in it")
        #expect(report.golden == nil && report.changes.isEmpty && report.churn.isEmpty)
        #expect(report.log == ["one", "two"])
        #expect(report.deathCount == 0 && report.summary == "no death recorded")
        // The listing beside it is found by itself.
        let listing = scratch.path.appending("disk.listing")
        try writeFile(try Listing.bytes(of: digested(try tree(without: ["etc/motd"]))), to: listing)
        report = try await look(disk)
        #expect(report.golden == listing.string)
        #expect(report.changes.map(\.path) == ["/etc/motd"])
        // So is a file at its place that is none.
        try write(try tree(record: [1, 2, 3]), to: scratch.path.appending("other.ext4"))
        let other = try await look(scratch.path.appending("other.ext4"))
        #expect(other.recordProblem == "/var/lib/microvm/flight-record is no flight record: it does not begin as one")
        let failure = await #expect(throws: Failure.self) { _ = try await look(disk, golden: "/nonexistent/golden") }
        #expect(failure?.message == "there is no golden image /nonexistent/golden")
    }

    private func digested(_ tree: FileTree) throws -> FileTree {
        var tree = tree
        try tree.updateEach { node in
            guard case .file(var blob, let group) = node.kind else { return }
            blob.digest = try blob.takeDigest()
            node.kind = .file(blob, linkGroup: group)
        }
        return tree
    }

    @Test func `what the check says is joined by service, path and class of status`() throws {
        func finding(_ id: String, _ severity: String, _ service: String?, path: String? = nil, missing: String? = nil)
            -> CheckReport.Entry
        {
            CheckReport.Entry(
                id: id, severity: severity, service: service, path: path, message: id, reasons: [], missing: missing,
                packages: [])
        }
        let findings = [
            finding("libraries/missing", "error", "app-web.service", missing: "/usr/lib/libx.so.1"),
            finding("icu/data-missing", "error", "web", path: "/usr/share/icu"),
            finding("log/journal-only", "error", "web"),
            finding("libraries/missing", "error", "other", missing: "/usr/lib/libx.so.1"),
            finding("cpu/used", "note", "web"), finding("memory/sum", "warning", "web"),
            finding("node/module-missing", "error", "web", path: "/opt/app/main.js"),
        ]
        let causes = DeathCauses(findings: findings, changes: ["/opt/app/main.js", "/lib/libx.so.1", "/etc/else"])
        func joined(
            _ end: String, _ output: String = "", arguments: String = "/usr/bin/node", result: String = "exit-code"
        ) throws -> (findings: [String], changes: [String]) {
            let slot = FlightRecordFile.death(1, end, output, arguments: arguments)
            var lines = slot.head.replacing("result exit-code", with: "result \(result)")
            lines = String(lines[..<(try #require(lines.firstRange(of: "output ")?.lowerBound))]).replacing(
                "reason not%20found: libx.so\n", with: "reason \n")
            let record = FlightRecordFile.bytes([(FlightRecordFile.head(lines, output: slot.output), slot.output)])
            let death = try #require(try FlightRecord(record).services.first?.deaths.first)
            let found = causes.findings(for: death, of: "web")
            return (found.map { "\($0) \(findings[$0].id)" }, causes.changes(for: death, first: found.first))
        }
        #expect(try joined("exited 127").findings == ["0 libraries/missing"])
        // The likeliest finding is about a file that was changed.
        #expect(try joined("killed ABRT").changes == ["/opt/app/main.js"])
        let library = try joined("exited 127", "node: libx.so.1: cannot open shared object\n")
        #expect(library.findings == ["0 libraries/missing"] && library.changes == ["/lib/libx.so.1"])
        let module = try joined("exited 1", "    at /opt/app/main.js:3:1\n")
        #expect(module.findings == ["6 node/module-missing", "0 libraries/missing", "1 icu/data-missing"])
        #expect(module.changes == ["/opt/app/main.js"])
        #expect(try joined("killed ILL").findings == ["4 cpu/used"])
        #expect(try joined("exited 132").findings == ["4 cpu/used"])
        #expect(try joined("killed KILL", result: "oom-kill").findings == ["5 memory/sum"])
        #expect(try joined("killed TRAP").findings == ["1 icu/data-missing"])
        // Nothing leads to such an end: the errors of the service, without where its words go.
        #expect(
            try joined("killed TERM").findings
                == ["0 libraries/missing", "1 icu/data-missing", "6 node/module-missing"])
    }
}
