import Checks
import RootfsModel
import Testing

/// A worker under systemd with a library of its own, on glibc: all that a loader asks for is there.
private func goodWorker() -> HandmadeTree {
    let libc = ElfFixture(
        soname: "libc.so.6", needed: ["ld-linux-x86-64.so.2"], defines: ["libc.so.6", "GLIBC_2.2.5", "GLIBC_2.36"])
    return systemdTree(
        enabled("worker.service", "[Service]\nExecStart=/opt/app/worker\n").merging([
            "/opt/app/worker": .bytes(worker.bytes, mode: 0o755),
            "/usr/lib/x86_64-linux-gnu/libjob.so.1": .bytes(job.bytes, mode: 0o644),
            "/usr/lib/x86_64-linux-gnu/libc.so.6": .bytes(libc.bytes, mode: 0o755),
            "/lib64/ld-linux-x86-64.so.2": LoaderTests.loader,
            "/etc/systemd/journald.conf.d/50-console.conf": .text("[Journal]\nForwardToConsole=yes\n"),
        ]) { $1 })
}

private let worker = ElfFixture(
    interpreter: LoaderTests.interpreter, needed: ["libjob.so.1", "libc.so.6"],
    needs: [("libc.so.6", ["GLIBC_2.2.5", "GLIBC_2.36"])], isa: 1)
private let job = ElfFixture(
    soname: "libjob.so.1", needed: ["libc.so.6"], needs: [("libc.so.6", ["GLIBC_2.36"])], defines: ["libjob.so.1"])

@Suite struct LibraryFaultTests {
    static let library = "/usr/lib/x86_64-linux-gnu/libjob.so.1"

    static func changed(_ fixture: ElfFixture, _ change: (inout ElfFixture) -> Void) -> HandmadeTree.Entry {
        var fixture = fixture
        change(&fixture)
        return .bytes(fixture.bytes, mode: 0o755)
    }

    static let faults = [
        PlantedFault(
            name: "a library is missing", changes: [library: nil], id: "libraries/missing",
            says: "/opt/app/worker needs libjob.so.1"),
        PlantedFault(
            name: "a library's library is missing",
            changes: [library: changed(job) { $0.needed.append("libicui18n.so.99") }], id: "libraries/missing",
            says: "libjob.so.1 needs libicui18n.so.99"),
        PlantedFault(
            name: "a library is where nobody looks",
            changes: [library: nil, "/opt/app/lib/libjob.so.1": changed(job) { _ in }], id: "libraries/not-searched",
            says: "/opt/app/lib/libjob.so.1 is there"),
        PlantedFault(
            name: "ldconfig was not run",
            changes: [
                library: nil, "/opt/app/lib/libjob.so.1": changed(job) { _ in },
                "/etc/ld.so.conf": .text("/opt/app/lib\n"),
            ], id: "libraries/cache", says: "/etc/ld.so.cache does not name it"),
        PlantedFault(
            name: "a library for another machine", changes: [library: changed(job) { $0.machine = 183 }],
            id: "libraries/machine", says: "for another machine"),
        PlantedFault(
            name: "an empty library", changes: [library: .text("")], id: "libraries/broken", says: "too short"),
        PlantedFault(
            name: "a library that is text",
            changes: [library: .text(String(repeating: "GROUP ( libjob.so.1.0 )\n", count: 8))],
            id: "libraries/broken", says: "invalid ELF header"),
        PlantedFault(
            name: "a library cut off",
            changes: [library: .bytes(Array(job.bytes.dropLast(40)), mode: 0o644)], id: "libraries/broken",
            says: "is cut off"),
        PlantedFault(
            name: "the program cut off", changes: ["/opt/app/worker": .bytes(worker.bytes.dropLast(8), mode: 0o755)],
            id: "libraries/broken", says: "SIGBUS"),
        PlantedFault(
            name: "a library that its user may not read",
            changes: [
                library: .bytes(job.bytes, mode: 0o600),
                "/etc/passwd": .text("root:x:0:0::/root:/bin/sh\nw:x:7:7::/:\n"),
                "/etc/systemd/system/worker.service": .text("[Service]\nUser=w\nExecStart=/opt/app/worker\n"),
            ], id: "libraries/unreadable", says: "may not be read by w"),
        PlantedFault(
            name: "a preload that is not there",
            changes: ["/etc/ld.so.preload": .text("/usr/lib/libjemalloc.so.2\n")], id: "libraries/preload",
            severity: .warning, says: "libjemalloc.so.2"),
        PlantedFault(
            name: "a newer glibc's symbols",
            changes: [
                "/opt/app/worker": changed(worker) { $0.needs = [("libc.so.6", ["GLIBC_2.36", "GLIBC_2.39"])] }
            ], id: "symbols/version", says: "needs GLIBC_2.39"),
        PlantedFault(
            name: "a library built for a newer one's symbols",
            changes: [library: changed(job) { $0.needs = [("libc.so.6", ["GLIBC_2.38"])] }], id: "symbols/version",
            says: "whose newest is GLIBC_2.36"),
        PlantedFault(
            name: "a cache that is no cache", changes: ["/etc/ld.so.cache": .text("ld.so-1.7.0")],
            id: "libraries/cache-damaged", severity: .warning, says: "no cache"),
        PlantedFault(
            name: "no cache at all", changes: ["/etc/ld.so.cache": nil, "/usr/sbin/ldconfig": .script("#!/bin/sh\n")],
            id: "libraries/cache-missing", severity: .note, says: "there is no /etc/ld.so.cache"),
        PlantedFault(
            name: "a processor level that nothing was said of", changes: [library: changed(job) { $0.isa = 7 }],
            id: "cpu/level", severity: .warning, says: "is marked to need x86-64-v3"),
    ]

    func findings(_ subject: CheckSubject) throws -> [Finding] {
        try check(subject).filter { finding in
            ["libraries/", "symbols/", "cpu/", "modules/"].contains { finding.id.hasPrefix($0) }
        }
    }

    @Test func `nothing is said of the good tree`() throws {
        #expect(try findings(goodWorker().subject()) == [])
    }

    @Test(arguments: ["/opt/app/lib", "${MORE:+$MORE:}/opt/app/lib"])
    func `a script may tell the loader where to look`(value: String) throws {
        let tree = goodWorker().with([
            Self.library: nil, "/opt/app/lib/libjob.so.1": Self.changed(job) { _ in },
            "/usr/bin/sh": LoaderTests.program(["libc.so.6"]),
            "/opt/app/run": .script("#!/bin/sh\nexport LD_LIBRARY_PATH=\"\(value)\"\nexec /opt/app/worker\n"),
            "/etc/systemd/system/worker.service": .text("[Service]\nExecStart=/opt/app/run\n"),
        ])
        #expect(try findings(tree.subject()).filter { $0.severity > .note } == [])
    }

    @Test(arguments: faults) func `a planted fault is found with its reason`(fault: PlantedFault) throws {
        let findings = try findings(goodWorker().with(fault.changes).subject())
        let finding = try #require(findings.first { $0.id == fault.id }, "\(findings)")
        #expect(finding.severity == fault.severity)
        let lines = [finding.message] + finding.reasons + [finding.remedy ?? ""]
        #expect(lines.contains { $0.contains(fault.says) }, "\(lines)")
        #expect(finding.id.hasPrefix("libraries/cache-") || finding.service == "worker.service")
    }

    @Test func `a level above the machine's is an error once the machine is known`() throws {
        let tree = goodWorker().with([Self.library: Self.changed(job) { $0.isa = 7 }])
        for (cpu, expected) in [("C3", ["cpu/level"]), ("T2", []), ("x86-64-v2", ["cpu/level"]), ("max", [])] {
            let findings = try findings(tree.subject(machine: CheckSubject.Machine(cpu: cpu)))
            #expect(findings.map(\.id) == expected)
            #expect(findings.allSatisfy { $0.severity == .error })
        }
    }

    @Test func `a Go program says for what processor it was built`() throws {
        var fixture = ElfFixture(kind: 2)
        fixture.data = [0xFF] + Array(" Go buildinf:".utf8) + [8, 2] + [UInt8](repeating: 0, count: 16)
        fixture.data += Array("\u{8}go1.19.8_path\tx\nbuild\tGOARCH=amd64\nbuild\tGOAMD64=v3\n".utf8)
        fixture.data += [UInt8](repeating: 0, count: 64)
        let tree = goodWorker().with(["/opt/app/worker": .bytes(fixture.bytes, mode: 0o755)])
        for (cpu, expected) in [(nil, Severity.warning), ("x86-64-v2", .error), ("x86-64-v3", nil)]
            as [(String?, Severity?)]
        {
            let found = try findings(tree.subject(machine: CheckSubject.Machine(cpu: cpu)))
            #expect(found.map(\.id) == (expected == nil ? [] : ["cpu/go"]))
            #expect(found.first?.severity == expected)
        }
    }

    @Test func `an environment file's LD_LIBRARY_PATH counts`() throws {
        let tree = goodWorker().with([
            Self.library: nil, "/opt/app/lib/libjob.so.1": Self.changed(job) { _ in },
            "/etc/worker.env": .text("# where\nLD_LIBRARY_PATH=\"/opt/app/lib\"\n"),
            "/etc/systemd/system/worker.service": .text(
                "[Service]\nEnvironmentFile=/etc/worker.env\nExecStart=/opt/app/worker\n"),
        ])
        #expect(try findings(tree.subject()) == [])
    }

    @Test func `a version that is needed weakly, or of a library without any, is no fault`() throws {
        let weak = Self.changed(worker) {
            $0.needs = [("libc.so.6", ["GLIBC_2.99"]), ("libjob.so.1", ["JOB_2"])]
            $0.weakNeeds = ["GLIBC_2.99"]
        }
        let plain = Self.changed(job) { $0.defines = [] }
        #expect(try findings(goodWorker().with(["/opt/app/worker": weak, Self.library: plain]).subject()) == [])
    }
}
