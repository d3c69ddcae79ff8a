import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct OutputFormTests {
    @Test func `--json prints the result, and nothing else, on stdout`() throws {
        let world = try World.shared()
        let workspace = try world.warmWorkspace()
        let built = try workspace.build("demo", ["--json"])
        #expect(built.status == 0)
        let result = try #require(try JSON(built.stdout).list.first)
        let image = Digest(hashing: try readFile(at: workspace.output("demo", "demo.ext4")))
        #expect(result["imageHash"] == .text("\(image)"))
        #expect(result["imagePath"] == .text("\(workspace.output("demo", "demo.ext4"))"))
        #expect(result["contentHash"] == (try JSON(workspace.text("out/demo/image.json")))["contentHash"])
        #expect(result["fresh"] == .boolean(false))
        #expect(result["stages"].list.count == 11)
        let again = try #require(try JSON(workspace.build("demo", ["--json"]).stdout).list.first)
        #expect(again["fresh"] == .boolean(true))
        #expect(again["imageHash"] == result["imageHash"])
        let locked = try JSON(workspace.run(["lock", "--json", "recipes/demo.manifest"]).stdout)
        #expect(locked.list.first?["packages"] == .number(7))
        let injected = try workspace.program.run(
            ["inject", "--json", "out/demo/demo.ext4", "--overlay", "overlays/first", "-o", "new.ext4"])
        #expect(try JSON(injected.stdout)["imageHash"] == result["imageHash"])
    }

    @Test func `--json prints errors too, as they are on stderr`() throws {
        let workspace = try World.shared().warmWorkspace()
        try workspace.recipe("bad", "layers: [{name: system, packages: [hello]}]\nkernl: none")
        let refused = try workspace.build("bad", ["--json"])
        #expect(refused.status == 2)
        same(
            refused.stdout,
            """
            {
              "errors" : [
                {
                  "column" : 1,
                  "file" : "recipes/bad.manifest",
                  "hint" : "did you mean `kernel`?",
                  "line" : 5,
                  "message" : "unknown key `kernl` in the recipe",
                  "notes" : [

                  ]
                }
              ]
            }

            """)
        same(
            refused.stderr,
            """
            recipes/bad.manifest:5:1: error: unknown key `kernl` in the recipe
             5 | kernl: none
               | ^^^^^
            hint: did you mean `kernel`?

            """)
    }

    @Test func `--quiet says nothing of a build that succeeds, and all of one that fails`() throws {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        let built = try workspace.build("demo", ["--quiet"])
        #expect(built == .init(status: 0, stdout: world.built.stdout, stderr: ""))
        #expect(try workspace.build("demo", ["--quiet"]) == built)
        try workspace.recipe("bad", "layers: [{name: system, packages: [helo]}]\nkernel: none")
        #expect(
            try workspace.build("bad", ["--quiet"]).stderr.hasPrefix("recipes/bad.manifest:4:36: error: cannot find"))
    }

    @Test func `--verbose tells what starts and what scripts print`() throws {
        let built = try World.shared().coldWorkspace().build("demo", ["--verbose"])
        let lines = untimed(built.stderr).split(separator: "\n")
        #expect(lines.starts(with: ["demo: resolve …", "demo: resolve: 7 packages", "demo: fetch …"]))
        #expect(lines.contains("demo: layer system | hello is configured"), "\(built.stderr)")
    }

    @Test func `on a terminal there is a live line below a log that stays`() throws {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        let command = workspace.words([Program.path.string, "recipes/demo.manifest"]).map { "'\($0)'" }.joined(
            separator: " ")
        // script(1) gives the program a terminal and keeps what it writes there.
        guard exists("/usr/bin/script") else {
            print("skipped: the host has no script(1)")
            return
        }
        try workspace.write("command", command + "\n")
        let seen = try shell("script -qec 'stty cols 100; sh command' /dev/null < /dev/null", in: workspace.root)
        #expect(seen.contains("\u{1B}["), "nothing is redrawn: \(seen)")
        #expect(seen.contains("demo: layer system: 2 packages, configured ("))
        #expect(seen.replacing("\r\n", with: "\n").contains(world.built.stdout))
        // No times in front of the lines there.
        #expect(seen.firstMatch(of: #/\d\d:\d\d:\d\dZ/#) == nil)
    }

    @Test func `--shell-on-failure opens a shell where the script failed`() throws {
        guard exists("/usr/bin/script") else {
            print("skipped: the host has no script(1)")
            return
        }
        let workspace = try World.shared().warmWorkspace()
        try workspace.recipe("bad", "layers: [{name: system, packages: [hello, broken]}]\nkernel: none")
        let command = workspace.words([Program.path.string, "recipes/bad.manifest", "--shell-on-failure"])
            .map { "'\($0)'" }.joined(separator: " ")
        try workspace.write("command", command + "\n")
        try workspace.write("typed", "cat /usr/lib/libhello.so.1.0; echo \" is seen by $((20 + 22))\"; exit\n")
        let seen = try shell("script -qec 'sh command' /dev/null < typed", in: workspace.root)
            .replacing("\r\n", with: "\n")
        let shell = try #require(seen.firstRange(of: "a shell in the sandbox where it failed; leave it with exit\n"))
        let words = try #require(seen.firstRange(of: "library is seen by 42\n"), "\(seen)")
        let failure = try #require(seen.firstRange(of: "error: postinst configure of broken failed: exit status 3\n"))
        #expect(shell.upperBound <= words.lowerBound && words.upperBound <= failure.lowerBound)
        #expect(try workspace.leftovers == [])
    }

    @Test func `the schema is JSON`() throws {
        let schema = try Program(directory: "/").run(["schema"])
        #expect(schema.status == 0)
        #expect(try JSON(schema.stdout)["$schema"] != .null)
    }
}
