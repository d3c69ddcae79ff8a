import ArchiveFixture
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

/// `boot` with a script in the place of QEMU: it says on the console what a test wants.
@Suite(.serialized, .enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64"))
struct BootTests {
    /// A workspace with outputs of `demo`, and a QEMU that runs these commands.
    private func workspace(_ script: String) throws -> Workspace {
        let workspace = try World.shared().warmWorkspace()
        let built = try workspace.build("demo", ["--offline"])
        #expect(built.status == 0, "\(built.stderr)")
        try machine(script, in: workspace)
        try makeDirectory(at: workspace.path("tmp"))
        return workspace
    }

    private func machine(_ script: String, in workspace: Workspace) throws {
        try workspace.write("bin/qemu-system-x86_64", "#!/bin/sh\necho $$ > vmm.pid\n\(script)\n", mode: 0o755)
    }

    private func words(_ arguments: [String]) -> [String] { ["boot", "--engine", "tcg", "--soak", "0s"] + arguments }

    private func boot(_ arguments: [String], in workspace: Workspace) throws -> Program.Ending {
        try program(workspace).run(words(arguments), within: 60)
    }

    private func program(_ workspace: Workspace) -> Program {
        var program = workspace.program
        program.environment =
            program.environment.filter { !$0.hasPrefix("PATH=") && !$0.hasPrefix("TMPDIR=") } + [
                "PATH=\(workspace.path("bin")):/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR=\(workspace.path("tmp"))",
            ]
        return program
    }

    private func expectNothingLeft(in workspace: Workspace) throws {
        let pid = try workspace.text("vmm.pid").split(separator: "\n").last.flatMap { Int32($0) }
        #expect(kill(try #require(pid), 0) == -1, "the machine's process is gone")
        #expect(try workspace.leftovers == [])
        #expect(try directoryNames(at: workspace.path("tmp")) == [])
    }

    private static let good = "echo 'demo login: '; exec sleep 100"

    @Test func `a proof lies beside the image and lasts as long as the image`() throws {
        let workspace = try workspace(Self.good)
        let unproven = try JSON(workspace.text("out/demo/image.json"))
        #expect(unproven["proof"] == .null)
        let ending = try boot(["out/demo", "--expect", "login:"], in: workspace)
        #expect(ending.status == 0, "\(ending.stderr)\(ending.stdout)")
        #expect(ending.stdout.hasPrefix("proven  out/demo/demo.ext4\n  all was ready after "), "\(ending.stdout)")
        try expectNothingLeft(in: workspace)

        let kept = try workspace.text("out/demo/boot.json")
        let (record, image) = (try JSON(kept), try JSON(workspace.text("out/demo/image.json")))
        #expect(record["verdict"]["kind"].string == "proven" && record["proven"] == .boolean(true))
        #expect(record["imageHash"] == image["imageHash"] && record["contentHash"] == image["contentHash"])
        #expect(image["proof"]["proven"] == .boolean(true) && image["proof"]["engine"].string == "tcg")
        #expect(image["proof"]["recordDigest"].string == Digest(hashing: kept).description)
        let log = try workspace.text("out/demo/console.log")
        #expect(log.hasSuffix(" demo login: \n"))
        #expect(record["console"]["digest"].string == Digest(hashing: log).description)

        // An unchanged build stays unchanged, and keeps the proof; so does one whose evidence somebody took away.
        #expect(untimed(try workspace.build("demo").stderr) == "demo: fresh, nothing to do\n")
        #expect(try workspace.program.run(["verify", "out/demo", "--quiet"]).status == 0)
        #expect(try workspace.text("out/demo/boot.json") == kept)
        try shell("rm out/demo/boot.json out/demo/console.log", in: workspace.root)
        #expect(untimed(try workspace.build("demo").stderr) == "demo: fresh, nothing to do\n")

        // A boot that fails takes it back.
        let failed = try self.boot(["out/demo", "--expect", "never", "--within", "1"], in: workspace)
        #expect(failed.status == 1)
        #expect(try JSON(workspace.text("out/demo/image.json"))["proof"]["verdict"].string == "not-ready")
        #expect(untimed(try workspace.build("demo").stderr) == "demo: fresh, nothing to do\n")

        // A changed image has none, nor an overlay's.
        #expect(try boot(["out/demo", "--expect", "login:"], in: workspace).status == 0)
        let injected = try workspace.program.run([
            "inject", "out/demo/demo.ext4", "--overlay", "overlays/first", "-o", "new.ext4",
        ])
        #expect(injected.status == 0, "\(injected.stderr)")
        #expect(try JSON(workspace.text("new.ext4.json"))["proof"] == .null)
        try workspace.recipe("demo", Workspace.demo.replacing("hello from demo", with: "hello again"))
        #expect(try workspace.build("demo").status == 0)
        #expect(try JSON(workspace.text("out/demo/image.json"))["proof"] == .null)
        #expect(!exists(workspace.path("out/demo/boot.json")))
    }

    @Test func `a recipe is built and booted, also one that nothing changed`() throws {
        let workspace = try workspace(Self.good)
        try shell("rm -r out", in: workspace.root)
        for _ in 1...2 {
            let ending = try boot(
                workspace.words(["recipes/demo.manifest", "--expect", "login:", "--json"]), in: workspace)
            #expect(ending.status == 0, "\(ending.stderr)")
            #expect(try JSON(ending.stdout)["record"]["verdict"]["kind"].string == "proven")
        }
    }

    @Test func `an expected failure is a success, and any other verdict none`() throws {
        let workspace = try workspace(
            "echo '[ 1.0] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)'")
        func status(_ verdict: String) throws -> Int32 {
            try boot(["out/demo", "--expect", "x", "--expect-fail", verdict], in: workspace).status
        }
        #expect(try status("no-root-device") == 0)
        #expect(try status("kernel-panic") == 1)
        let ending = try boot(["out/demo", "--expect", "x"], in: workspace)
        #expect(ending.status == 1)
        #expect(
            ending.stdout.hasPrefix(
                "no-root-device  out/demo/demo.ext4\n  the kernel panicked: VFS: Unable to mount root fs"))
        #expect(ending.stdout.contains("\n  no finding of the check foretold it\n"))
        #expect(try status("no-such-verdict") == 64)
    }

    @Test func `what keeps it from booting is named`() throws {
        let workspace = try workspace(Self.good)
        func failure(_ arguments: [String], _ text: String) throws {
            let ending = try boot(arguments, in: workspace)
            #expect(ending.status == 2, "\(ending.stdout)")
            #expect(ending.stderr.contains(text), "\(ending.stderr)")
        }
        try failure(["out/none"], "error: there is no image \(workspace.path("out/none"))\n")
        try failure(["overlays"], "holds no build: it has no image.json\n")
        try workspace.recipe("bare", "layers: [{name: system, packages: [hello]}]\nkernel: none")
        #expect(try workspace.build("bare").status == 0)
        try failure(["out/bare"], "error: bare has no kernel: its recipe says kernel: none\n")
        try failure(["out/demo", "--engine", "firecracker"], "error: firecracker is not installed\n")

        var program = program(workspace)
        program.environment = ["PATH=/nowhere", "HOME=/root"]
        let none = try program.run(words(["out/demo", "--expect", "x"]))
        #expect(
            none.stderr.hasSuffix(
                "error: qemu-system-x86_64 is not installed\nhint: install it: apt-get install qemu-system-x86\n"),
            "\(none.stderr)")

        try shell("printf x | dd of=out/demo/demo.ext4 bs=1 seek=5000 conv=notrunc 2>/dev/null", in: workspace.root)
        try failure(["out/demo"], "demo.ext4 is not what image.json says\n")
    }

    @Test func `Ctrl-C and SIGTERM leave nothing behind and the outputs as they were`() throws {
        let workspace = try workspace("echo up; exec sleep 100")
        let state = try workspace.state()
        for number in [SIGINT, SIGTERM] {
            let running = try program(workspace).start(words(["out/demo", "--expect", "never"]))
            try waitUntil("the machine runs", within: 30) { try running.text("stderr").contains(" up") }
            running.signal(number)
            let ending = try running.wait(within: 20)
            #expect(ending.status == 130)
            #expect(ending.stderr.hasSuffix("\ninterrupted\n"), "\(ending.stderr)")
            try expectNothingLeft(in: workspace)
        }
        #expect(try workspace.state() == state)
    }

    @Test func `a guest that floods its console fills neither memory nor disk`() throws {
        let workspace = try workspace("head -c 100000000 /dev/zero | tr '\\0' x | fold -w 999; \(Self.good)")
        let ending = try program(workspace).run(
            words(["out/demo", "--expect", "login:", "--within", "300", "--quiet"]),
            within: 400)
        #expect(ending.status == 0, "\(ending.stdout)\(ending.stderr)")
        let log = try readFile(at: workspace.path("out/demo/console.log"))
        let size = log.count
        #expect(size < 16 << 20 && size > 4 << 20)
        let isTold = log.split(separator: UInt8(ascii: "\n")).contains { line in
            line.starts(with: "... ".utf8) && line.suffix(18).elementsEqual(" are left out here".utf8)
        }
        #expect(isTold)
        try expectNothingLeft(in: workspace)
    }
}
