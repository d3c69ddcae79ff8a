import ArchiveFixture
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

/// `check --run`: programs of a few bytes, started by an inittab.
@Suite(
    .enabled(if: World.isPossible && exists("/usr/bin/qemu-x86_64-static"), "needs root, the fixture, qemu-user-static")
)
struct CheckRunTests {
    /// A static x86-64 program of 64 bits that is one segment: these instructions.
    private static func program(_ code: [UInt8]) -> [UInt8] {
        var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
        func add(_ value: UInt64, bytes: Int) {
            for shift in 0..<bytes { file.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * shift))) }
        }
        let numbers: [(UInt64, Int)] = [(2, 2), (62, 2), (1, 4), (0x40_0078, 8), (64, 8), (0, 8), (0, 4)]
        for (value, bytes) in numbers { add(value, bytes: bytes) }
        for size: UInt64 in [64, 56, 1, 64, 0, 0] { add(size, bytes: 2) }
        add(1, bytes: 4)
        add(5, bytes: 4)
        let size = UInt64(120 + code.count)
        for value: UInt64 in [0, 0x40_0000, 0x40_0000, size, size, 4096] { add(value, bytes: 8) }
        return file + code
    }

    /// exit_group(status)
    private static func exit(_ status: UInt8) -> [UInt8] {
        [0xbf, status, 0, 0, 0, 0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05]
    }

    /// pause(), for ever.
    private static let pause: [UInt8] = [0xb8, 0x22, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7]
    /// vpaddd ymm0, ymm0, ymm0
    private static let avx2: [UInt8] = [0xc5, 0xfd, 0xfe, 0xc0]
    /// if (fork() == 0) ...
    private static let inChild: [UInt8] = [0xb8, 0x39, 0, 0, 0, 0x0f, 0x05, 0x85, 0xc0, 0x75, 0x04]
    /// ud2
    private static let trap: [UInt8] = [0x0f, 0x0b]

    /// A tree whose init starts this program, as root; further files come with it.
    private func workspace(_ files: [String: [UInt8]], inittab: [String] = ["/srv/program"]) throws -> Workspace {
        let workspace = try World.shared().coldWorkspace()
        for (path, bytes) in files { try workspace.write("tree" + path, bytes: bytes, mode: 0o755) }
        try workspace.write("tree/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nagent:x:1000:1000::/:/bin/sh\n")
        try workspace.write("tree/etc/group", "root:x:0:\nagent:x:1000:\n")
        try workspace.write("tree/sbin/init", bytes: Self.program(Self.pause), mode: 0o755)
        let lines = inittab.enumerated().map { "\($0.offset):2345:respawn:\($0.element)\n" }
        try workspace.write("tree/etc/inittab", lines.joined())
        return workspace
    }

    /// The findings of running, and the processor.
    private func run(_ workspace: Workspace, _ more: [String]) throws -> (findings: [JSON], status: Int32, report: JSON)
    {
        let ending = try workspace.program.run(
            ["check", "tree", "--json", "--run", "--run-for", "2", "--cache", workspace.cache.string] + more)
        #expect(ending.status < 2, "\(ending.stderr)")
        let report = try JSON(ending.stdout)
        let findings = report["findings"].list.filter { $0["id"].string?.hasPrefix("run/") ?? false }
        #expect(try workspace.leftovers == [])
        return (findings, ending.status, report)
    }

    @Test(arguments: [avx2 + exit(0), inChild + avx2 + pause, avx2 + pause])
    func `code for a newer processor is found on one without, and not on one with`(code: [UInt8]) throws {
        let workspace = try workspace(["/srv/program": Self.program(code)])
        let before = try shell("find tree -exec stat -c '%n %y %z %s' {} +", in: workspace.root)
        for (cpu, model) in [("x86-64", "qemu64"), ("x86-64-v2", "Nehalem"), ("C3", "IvyBridge")] {
            let (findings, status, report) = try run(workspace, ["--cpu", cpu])
            #expect(findings.map { $0["id"].string } == ["run/illegal-instruction"])
            #expect(findings.first?["path"].string == "/srv/program")
            #expect(findings.first?["severity"].string == "error" && status == 1)
            #expect(report["run"]["processor"].string == model)
        }
        for cpu in ["x86-64-v3", "T2"] {
            let findings = try run(workspace, ["--cpu", cpu]).findings
            #expect(findings.isEmpty, "\(findings)")
        }
        #expect(try shell("find tree -exec stat -c '%n %y %z %s' {} +", in: workspace.root) == before)
    }

    @Test func `who stops himself by an illegal instruction has no error`() throws {
        let (findings, _, _) = try run(try workspace(["/srv/program": Self.program(Self.trap)]), ["--cpu", "T2"])
        #expect(findings.map { $0["id"].string } == ["run/signal"])
        #expect(findings.first?["severity"].string == "warning")
    }

    @Test func `one that lives says nothing, one that ends with a status is a warning`() throws {
        let workspace = try workspace(
            ["/srv/program": Self.program(Self.pause), "/srv/short": Self.program(Self.exit(1))],
            inittab: ["/srv/program", "/srv/short"])
        let (findings, _, report) = try run(workspace, [])
        #expect(findings.map { $0["id"].string } == ["run/exit"])
        #expect(findings.first?["path"].string == "/srv/short")
        #expect(findings.first?["severity"].string == "warning")
        #expect(report["run"]["programs"] == .number(2))
    }

    /// The host's shell with its libraries, and a dynamic program of the host that executes one of ours.
    private func hostTree(_ script: String, taking library: String? = nil) throws -> Workspace {
        let workspace = try workspace(
            ["/srv/program": Array("#!/bin/sh\n\(script)\n".utf8)])
        try shell(
            """
            mkdir -p tree/bin; for f in /bin/sh /bin/sleep; do cp -L $f tree/bin/; \
            for l in $(ldd $f | grep -o '/[^ ]*'); do mkdir -p tree${l%/*}; cp -L $l tree$l; done; done
            """, in: workspace.root)
        if let library { try shell("find tree -name '\(library)' -delete", in: workspace.root) }
        return workspace
    }

    @Test func `programs that a service executes are emulated too`() throws {
        // The second shell is executed by the first; each tells its processor by what the emulator reports of it.
        let workspace = try hostTree("/bin/sh -c 'kill -ILL $$'; exec /bin/sleep 100")
        let (findings, _, _) = try run(workspace, ["--cpu", "T2"])
        // The emulator tells of the signal, with everything too: so it was there, and it is no matter of the processor.
        #expect(findings.isEmpty, "\(findings)")
        let other = try hostTree("exec /bin/sh -c 'kill -SEGV $$'")
        let ended = try run(other, ["--cpu", "T2"]).findings
        #expect(ended.map { $0["id"].string } == ["run/signal"])
    }

    @Test func `a library that is missing is said in the loader's words`() throws {
        let (findings, status, _) = try run(try hostTree("sleep 100", taking: "libc.so.6"), [])
        #expect(findings.first?["id"].string == "run/loader")
        #expect(findings.first?["reasons"].list.contains { $0.string?.contains("libc.so.6") ?? false } ?? false)
        #expect(status == 1)
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGKILL]) func `nothing runs on when the check is ended`(signal: Int32) throws {
        let workspace = try workspace(
            ["/srv/endless-\(getpid())": Self.program(Self.pause)], inittab: ["/srv/endless-\(getpid())"])
        let running = try workspace.program.start(
            ["check", "tree", "--run", "--run-for", "3000", "--cache", workspace.cache.string])
        func processes() throws -> [String] {
            try shell("grep -als '/[e]ndless-\(getpid())' /proc/[0-9]*/cmdline").split(separator: "\n").map(String.init)
                .filter { $0.hasPrefix("/proc/") }
        }
        try waitUntil("the program runs") {
            if running.hasEnded { throw Failure("the check ended", notes: [try running.text("stderr")]) }
            return try !processes().isEmpty
        }
        running.signal(signal)
        #expect(try running.wait(within: 30).status == (signal == SIGKILL ? 128 + SIGKILL : 130))
        try waitUntil("the sandbox is gone", within: 10) { try processes().isEmpty }
        if signal != SIGKILL { #expect(try workspace.leftovers == []) }
    }

    @Test func `a processor that cannot be imitated is an error before anything runs`() throws {
        let workspace = try workspace(["/srv/program": Self.program(Self.pause)])
        let ending = try workspace.program.run(
            ["check", "tree", "--run", "--cpu", "x86-64-v4", "--cache", workspace.cache.string])
        #expect(ending.status == 2)
        #expect(ending.stderr.contains("qemu-user cannot imitate the processor x86-64-v4"), "\(ending.stderr)")
        #expect(try workspace.program.run(["check", "tree", "--run-for", "2"]).status == 64)
    }
}
