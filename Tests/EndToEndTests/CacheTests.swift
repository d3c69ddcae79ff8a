import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct CacheTests {
    private func cache(_ workspace: Workspace, _ words: String...) throws -> Program.Ending {
        try workspace.program.run(["cache"] + words + ["--cache", workspace.cache.string])
    }

    /// A workspace with a full store that shares no file with another's: their uses are not to be seen here.
    private func workspace() throws -> Workspace {
        let world = try World.shared()
        let workspace = try world.warmWorkspace()
        try removeTree(at: workspace.cache)
        try shell("cp -a '\(world.warm.cache)' '\(workspace.cache)'")
        return workspace
    }

    /// How many entries of each kind the store has.
    private func counts(_ workspace: Workspace) throws -> [String: Int] {
        let entries = try JSON(cache(workspace, "list", "--json").stdout).list
        return entries.reduce(into: [:]) { $0[$1["kind"].string ?? "", default: 0] += 1 }
    }

    @Test func `list says what the store keeps`() throws {
        let workspace = try workspace()
        // Seven packages and the indexes of three pockets; an InRelease has a record and what the server said of it.
        let counts = try counts(workspace)
        #expect(counts["payloads"] == 7)
        #expect(counts["layers"] == 3)
        let listed = try cache(workspace, "list")
        #expect(listed.status == 0)
        let lines = listed.stdout.split(separator: "\n")
        #expect(lines.map { $0.prefix { $0 != " " } } == ["files", "payloads", "layers", "trees", "records", "all"])
        for line in lines {
            #expect(
                line.wholeMatch(
                    of:
                        /[a-z]+ +\d+ +\d+(\.\d)? k?M?B  used \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ to \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/
                )
                    != nil, "\(line)")
        }
        #expect(lines.last?.contains(" \(counts.values.reduce(0, +)) ") == true)
        let empty = try World.shared().coldWorkspace()
        #expect(try cache(empty, "list").stdout.hasPrefix("files     0  0 B\n"))
    }

    @Test func `verify finds nothing in a sound store`() throws {
        let workspace = try workspace()
        let count = try counts(workspace).values.reduce(0, +)
        let verified = try cache(workspace, "verify")
        #expect(verified.status == 0)
        #expect(verified.stdout == "\(count) entries are what they were\n")
        #expect(try counts(workspace).values.reduce(0, +) == count)
    }

    @Test func `a build without anything to do is a use too`() throws {
        let workspace = try workspace()
        _ = try workspace.build("demo")
        try shell(
            "find files payloads layers trees -mindepth 2 -maxdepth 2 -exec touch -d 2001-01-01 {} +",
            in: workspace.cache)
        func old() throws -> Set<String> {
            let removal = try JSON(cache(workspace, "gc", "--max-age", "300d", "--dry-run", "--json").stdout)
            return Set(removal["removed"].list.map { $0["kind"].string ?? "" })
        }
        #expect(try old() == ["files", "payloads", "layers", "trees"])
        #expect(untimed(try workspace.build("demo").stderr) == "demo: fresh, nothing to do\n")
        // The archive's indexes alone were not used.
        #expect(try old() == ["files"])
    }

    @Test func `gc removes, says so, and a build makes it again`() throws {
        let world = try World.shared()
        let workspace = try workspace()
        let before = try counts(workspace)
        let dry = try cache(workspace, "gc", "--max-size", "0B", "--dry-run")
        #expect(try counts(workspace) == before)
        let removed = try cache(workspace, "gc", "--max-size", "0B")
        #expect(
            dry.stdout.replacing("would remove", with: "removed").replacing("would be", with: "are") == removed.stdout)
        #expect(
            removed.stdout.replacing(#/\(\d.*\)/#, with: "(N)") == """
                removed \(before["files"] ?? 0) (N) of files
                removed 7 (N) of payloads
                removed 3 (N) of layers
                removed 1 (N) of trees
                removed \(before["records"] ?? 0) (N) of records
                0 B are left

                """)
        #expect(try counts(workspace) == [:])
        #expect(try workspace.build("demo").stdout == world.built.stdout)
        #expect(try cache(workspace, "clear", "--quiet").status == 0)
        #expect(try counts(workspace) == [:])
        #expect(try workspace.leftovers == [])
    }

    @Test func `a gc that is killed at any moment leaves a store that builds`() throws {
        let world = try World.shared()
        let workspace = try workspace()
        for milliseconds in stride(from: UInt32(5), to: 200, by: 15) {
            let running = try workspace.program.start(["cache", "clear", "--cache", workspace.cache.string])
            usleep(milliseconds * 1000)
            running.signal(SIGKILL)
            _ = try running.wait(within: 10)
            #expect(try cache(workspace, "verify").status == 0, "after \(milliseconds) ms")
        }
        #expect(try workspace.build("demo").stdout == world.built.stdout)
        // One that was killed before it could lock its directory leaves it empty, for ten minutes.
        #expect(try shell("find tmp -mindepth 2", in: workspace.cache) == "")
    }

    @Test(arguments: [
        (["gc"], "Error: Say how much is to stay: --max-size or --max-age."),
        (["gc", "--max-size", "ten"], "Error: ten is no size such as 10GB"),
        (["gc", "--max-age", "3"], "Error: 3 is no age such as 30d"),
    ]) func `a wrong command line says what is wrong`(words: [String], message: String) throws {
        let ending = try Program(directory: "/").run(["cache"] + words)
        #expect(ending.status == 64)
        #expect(ending.stderr.split(separator: "\n").first?.contains(message.dropFirst("Error: ".count)) == true)
    }
}
