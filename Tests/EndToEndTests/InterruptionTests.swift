import ArchiveFixture
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(.serialized, .enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64"))
struct InterruptionTests {
    /// A warm workspace with outputs of `demo`, and a recipe `long` whose postinst never ends.
    private func workspace() throws -> Workspace {
        let workspace = try World.shared().warmWorkspace()
        _ = try workspace.build("demo", ["--offline"])
        try workspace.recipe("long", "layers: [{name: system, packages: [hello, \(World.slow)]}]\nkernel: none")
        try workspace.previousOutputs(of: "long")
        #expect(try workspace.run(["lock", "recipes/long.manifest"]).status == 0)
        return workspace
    }

    /// Starts the build of `long` and waits until its postinst runs.
    private func startLong(_ workspace: Workspace, with program: Program? = nil) throws -> Running {
        let running = try (program ?? workspace.program).start(workspace.words(["recipes/long.manifest"]))
        try waitUntil("the postinst runs", within: 90) {
            if running.hasEnded { throw Failure("the build ended by itself", notes: [try running.text("stderr")]) }
            return try processes() != []
        }
        return running
    }

    /// The processes in a sandbox that run the endless postinst, by the name of its file, which no other test run has.
    private func processes() throws -> [String] {
        // Not the searching processes themselves: their pattern does not match itself.
        try shell("grep -als '/[s]low-\(getpid())\\.postinst' /proc/[0-9]*/cmdline").split(separator: "\n")
            .map(String.init).filter { $0.hasPrefix("/proc/") }
    }

    @Test func `Ctrl-C stops a running postinst and leaves everything as it was`() throws {
        let workspace = try workspace()
        let state = try workspace.state()
        let running = try startLong(workspace)
        #expect(try processes() != [], "the sandbox's processes are seen while they run")
        running.signal(SIGINT)
        let ending = try running.wait(within: 30)
        #expect(ending.status == 130)
        #expect(ending.stdout == "")
        #expect(ending.stderr.hasSuffix("\ninterrupted\n"), "\(ending.stderr)")
        #expect(try processes() == [])
        #expect(try shell("grep -c '\(workspace.cache)' /proc/self/mounts") == "0\nstatus 1\n")
        #expect(try workspace.leftovers == [])
        #expect(try workspace.state() == state)
        #expect(untimed(try workspace.build("demo").stderr) == "demo: fresh, nothing to do\n")
    }

    @Test func `SIGTERM ends it as Ctrl-C does`() throws {
        let workspace = try workspace()
        let running = try startLong(workspace)
        running.signal(SIGTERM)
        #expect(try running.wait(within: 30).status == 130)
        #expect(try processes() == [])
        #expect(try workspace.leftovers == [])
    }

    @Test func `a second Ctrl-C ends it at once, and nothing runs on`() throws {
        let workspace = try workspace()
        let running = try startLong(workspace)
        running.signal(SIGINT)
        running.signal(SIGINT)
        #expect(try running.wait(within: 10).status == 130)
        try waitUntil("the sandbox is gone") { try processes() == [] }
    }

    @Test func `a killed build leaves nothing running, and the next one cleans up`() throws {
        let workspace = try workspace()
        let state = try workspace.state()
        let running = try startLong(workspace)
        running.signal(SIGKILL)
        #expect(try running.wait(within: 10).status == 128 + SIGKILL)
        try waitUntil("the sandbox is gone", within: 10) { try processes() == [] }
        #expect(try workspace.state() == state)
        #expect(try workspace.leftovers != [], "a killed build cannot clean up: the test would prove nothing")
        // The next build of the same outputs works, and sweeps.
        try workspace.recipe("long", "layers: [{name: system, packages: [hello]}]\nkernel: none")
        try removeTree(at: workspace.path("recipes/long.lock"))
        let next = try workspace.build("long")
        #expect(next.status == 0, "\(next.stderr)")
        #expect(try workspace.leftovers == [])
    }

    @Test(.enabled(if: OrdinaryUser.isPossible, "needs \(OrdinaryUser.words)"), arguments: [SIGINT, SIGTERM, SIGKILL])
    func `a signal to an ordinary user's build ends all of it`(signal: Int32) throws {
        let workspace = try World.shared().coldWorkspace()
        try workspace.recipe("long", "layers: [{name: system, packages: [hello, \(World.slow)]}]\nkernel: none")
        let running = try startLong(workspace, with: try workspace.ordinaryUsersProgram())
        running.signal(signal)
        #expect(try running.wait(within: 30).status == (signal == SIGKILL ? 128 + SIGKILL : 130))
        try waitUntil("the sandbox is gone", within: 10) { try processes() == [] }
        if signal != SIGKILL { #expect(try workspace.leftovers == []) }
        #expect(try shell("pgrep -u \(OrdinaryUser.id) -f '\(workspace.root)'") == "status 1\n")
    }

    @Test func `Ctrl-C during a download keeps the store clean and the next build resumes`() throws {
        let world = try World.shared()
        let server = try FixtureServer(serving: world.archive.root)
        server.inject(.stall, at: "pool/main/d/dpkg/dpkg_1.21_amd64.deb", times: 1)
        let workspace = try world.coldWorkspace()
        let running = try workspace.program.start(workspace.words(["recipes/demo.manifest"], mirror: server.uri))
        try waitUntil("the download stalls") { server.requests.contains { $0.path.hasSuffix("dpkg_1.21_amd64.deb") } }
        running.signal(SIGINT)
        #expect(try running.wait(within: 30).status == 130)
        #expect(try workspace.leftovers == [])
        let next = try workspace.build("demo", mirror: server.uri)
        #expect(next.stdout == world.built.stdout, "\(next.stderr)")
    }

    @Test func `two builds at once share one store`() throws {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        try workspace.recipe("other", Workspace.demo.replacing("[odd-names]", with: "[odd-names, extra]"))
        let first = try workspace.program.start(workspace.words(["recipes/demo.manifest"]))
        let second = try workspace.program.start(workspace.words(["recipes/other.manifest"]))
        let endings = [try first.wait(), try second.wait()]
        #expect(endings[0].stdout == world.built.stdout, "\(endings[0].stderr)")
        #expect(endings[1].status == 0, "\(endings[1].stderr)")
        #expect(try workspace.leftovers == [])
    }

    @Test func `two builds into one place: the second is told so`() throws {
        let workspace = try workspace()
        let first = try startLong(workspace)
        let second = try workspace.build("long")
        #expect(
            second
                == .init(
                    status: 2, stdout: "",
                    stderr: """
                        error: another build is writing \(workspace.output("long"))
                        hint: wait for it, or give this one another place with -o

                        """))
        // The first one is not disturbed by it.
        #expect(kill(first.process, 0) == 0)
        first.signal(SIGINT)
        #expect(try first.wait(within: 30).status == 130)
        #expect(try workspace.leftovers == [])
    }

    @Test func `cleaning up spares what a running build uses, until it is killed`() throws {
        let workspace = try workspace()
        // Files that no other test uses at the same time.
        try shell(
            "cp -a '\(workspace.cache)' own && rm -r '\(workspace.cache)' && mv own '\(workspace.cache)'",
            in: workspace.root)
        func cache(_ words: String...) throws -> Program.Ending {
            try workspace.program.run(["cache"] + words + ["--cache", workspace.cache.string])
        }
        func counts() throws -> [String: Int] {
            try JSON(cache("list", "--json").stdout).list.reduce(into: [:]) {
                $0[$1["kind"].string ?? "", default: 0] += 1
            }
        }
        let running = try startLong(workspace)
        let cleared = try cache("clear")
        #expect(cleared.status == 0)
        #expect(
            untimed(cleared.stderr) == "11 entries stay: a build in progress uses them\n", "\(cleared.stderr)")
        // Its five packages, fetched and unpacked, and the base layer.
        #expect(try counts() == ["files": 5, "payloads": 5, "layers": 1])
        #expect(try cache("verify").status == 0)
        running.signal(SIGKILL)
        _ = try running.wait(within: 10)
        try waitUntil("the sandbox is gone", within: 10) { try processes() == [] }
        #expect(try cache("clear").status == 0)
        #expect(try counts() == [:])
        #expect(try directoryNames(at: workspace.cache.appending("tmp")) == [])
    }
}
