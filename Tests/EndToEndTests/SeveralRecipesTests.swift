import ArchiveFixture
import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct SeveralRecipesTests {
    private func write(_ workspace: Workspace) throws {
        try workspace.recipe("one", "layers: [{name: system, packages: [hello]}]\nkernel: none")
        try workspace.recipe(
            "two", "layers: [{name: system, packages: [hello]}, {name: more, packages: [extra]}]\nkernel: none")
    }

    @Test func `recipes in one call share downloads and layers`() throws {
        let world = try World.shared()
        let server = try FixtureServer(serving: world.archive.root)
        let workspace = try world.coldWorkspace()
        try write(workspace)
        let built = try workspace.run(["recipes/one.manifest", "recipes/two.manifest"], mirror: server.uri)
        #expect(built.status == 0, "\(built.stderr)")
        let digests = try ["one", "two"].map { name in
            Digest(hashing: try readFile(at: workspace.output(name, "\(name).ext4")))
        }
        #expect(built.stdout == "\(digests[0])  out/one/one.ext4\n\(digests[1])  out/two/two.ext4\n")
        let debs = server.requests.map(\.path).filter { $0.hasSuffix(".deb") }.sorted()
        #expect(debs == Set(debs).sorted())
        #expect(debs.count == 5)
        // One of them makes a layer, and the other takes it.
        let log = untimed(built.stderr).split(separator: "\n").map(String.init)
        for layer in ["base", "system"] {
            #expect(
                log.filter { $0.contains(": layer \(layer): ") }.map { String($0.dropFirst(5)) }.sorted() == [
                    "layer \(layer): 2 packages, configured", "layer \(layer): 2 packages, fresh",
                ])
        }
        #expect(log.contains("two: layer more: 1 package, configured"))
        #expect(try workspace.leftovers == [])
    }

    @Test func `a shared layer has each recipe's own name for it`() throws {
        let workspace = try World.shared().coldWorkspace()
        let names = ["first", "second", "third"]
        for name in names {
            try workspace.recipe(name, "layers: [{name: \(name)-layer, packages: [hello]}]\nkernel: none")
        }
        let built = try workspace.run(names.map { "recipes/\($0).manifest" })
        #expect(built.status == 0, "\(built.stderr)")
        for name in names {
            for (file, key, words) in [("image.json", "name", ""), ("build.json", "stage", "layer ")] {
                let record = try JSON(workspace.text("out/\(name)/\(file)"))
                #expect(
                    record["layers"].list.map { $0[key].string } == ["base", "\(name)-layer"].map { words + $0 })
            }
        }
    }

    @Test(arguments: [1, 3]) func `recipes in one call are what they are one by one`(jobs: Int) throws {
        let world = try World.shared()
        let together = try world.coldWorkspace()
        let alone = try world.coldWorkspace()
        for workspace in [together, alone] {
            try write(workspace)
            try workspace.recipe("three", Workspace.demo.replacing("[odd-names]", with: "[odd-names, extra]"))
        }
        let names = ["one", "two", "three"]
        let built = try together.run(names.map { "recipes/\($0).manifest" } + ["--jobs", "\(jobs)"])
        #expect(built.status == 0, "\(built.stderr)")
        let oneByOne = try names.map { try alone.build($0) }
        #expect(oneByOne.map(\.status) == [0, 0, 0])
        #expect(built.stdout == oneByOne.map(\.stdout).joined())
        func outputs(_ workspace: Workspace) throws -> [Substring] {
            try workspace.state().split(separator: "\n").filter { !$0.hasSuffix("build.json") }
        }
        #expect(try outputs(together) == outputs(alone))
        #expect(try outputs(together).count > 12)
        func stored(_ workspace: Workspace) throws -> String {
            try shell("find payloads layers -mindepth 2 -maxdepth 2 | sort", in: workspace.cache)
        }
        #expect(try stored(together) == stored(alone))
    }

    @Test func `a recipe that fails leaves the others theirs, and every failure is told`() throws {
        let workspace = try World.shared().warmWorkspace()
        try write(workspace)
        try workspace.recipe("bad", "layers: [{name: system, packages: [hello, broken]}]\nkernel: none")
        try workspace.recipe("worse", "layers: [{name: system, packages: [lonely]}]\nkernel: none")
        let built = try workspace.run(["one", "bad", "two", "worse"].map { "recipes/\($0).manifest" })
        #expect(built.status == 2)
        let digests = try ["one", "two"].map { name in
            Digest(hashing: try readFile(at: workspace.output(name, "\(name).ext4")))
        }
        #expect(built.stdout == "\(digests[0])  out/one/one.ext4\n\(digests[1])  out/two/two.ext4\n")
        let told = built.stderr.split(separator: "\n").filter { $0.contains("error: ") }
        #expect(told.count == 2, "\(built.stderr)")
        #expect(
            told.first == "error: bad: postinst configure of broken failed: exit status 3", "\(built.stderr)")
        #expect(told.last == "error: worse: cannot install lonely", "\(built.stderr)")
        #expect(!exists(workspace.path("out/bad")) && !exists(workspace.path("out/worse")))
        #expect(try workspace.leftovers == [])
    }

    @Test func `recipes that share a damaged store mend it together`() throws {
        let workspace = try World.shared().warmWorkspace()
        try write(workspace)
        let library = try shell("find payloads -name libhello.so.1.0", in: workspace.cache).split(separator: "\n")
        let path = workspace.cache.pushing(FilePath(String(try #require(library.first))))
        try writeFile(Array("librarY".utf8), to: path)
        let built = try workspace.run(["recipes/one.manifest", "recipes/two.manifest"])
        #expect(built.status == 0, "\(built.stderr)")
        #expect(
            built.stderr.split(separator: "\n").compactMap { $0.split(separator: "warning: ").dropFirst().first } == [
                "libhello1 2.1 in the store is not what it was when it was unpacked: it is unpacked again"
            ])
        #expect(try readFile(at: path) == Array("library".utf8))
        let sound = try World.shared().warmWorkspace()
        try write(sound)
        #expect(try sound.run(["recipes/one.manifest", "recipes/two.manifest"]).stdout == built.stdout)
    }

    @Test func `mistakes of all recipes are told at once, before anything is built`() throws {
        let world = try World.shared()
        let server = try FixtureServer(serving: world.archive.root)
        let workspace = try world.coldWorkspace()
        try workspace.recipe("one", "layers: [{name: system, packages: [hello]}]\nkernel: none\nhostnam: x")
        try workspace.recipe("two", "layers: [{name: system, package: [hello]}]\nkernel: none")
        let refused = try workspace.run(
            ["recipes/one.manifest", "recipes/two.manifest", "recipes/three.manifest"], mirror: server.uri)
        #expect(refused.status == 2)
        #expect(refused.stdout == "")
        same(
            refused.stderr,
            """
            recipes/one.manifest:6:1: error: unknown key `hostnam` in the recipe
             6 | hostnam: x
               | ^^^^^^^
            hint: did you mean `hostname`?
            recipes/two.manifest:4:10: error: a layer without packages
             4 | layers: [{name: system, package: [hello]}]
               |          ^
            recipes/two.manifest:4:25: error: unknown key `package` in a layer
             4 | layers: [{name: system, package: [hello]}]
               |                         ^^^^^^^
            hint: did you mean `packages`?
            error: cannot read recipes/three.manifest: No such file or directory

            """)
        #expect(server.requests == [])
        #expect(!exists(workspace.path("out")))
    }

    @Test func `a mistake in the second recipe keeps the first from being built`() throws {
        let workspace = try World.shared().warmWorkspace()
        try workspace.recipe("one", "layers: [{name: system, packages: [hello]}]\nkernel: none")
        try workspace.recipe("two", "layers: [{name: system, packages: [hello]}]\nkernel: none\nimage: {free: 12}")
        try workspace.recipe(
            "three", "layers: [{name: system, packages: [hello]}]\nkernel: none\noverlays: [overlays/none]")
        let refused = try workspace.run(["recipes/one.manifest", "recipes/two.manifest", "recipes/three.manifest"])
        #expect(refused.status == 2)
        same(
            refused.stderr,
            """
            recipes/two.manifest:6:15: error: `12` has no unit
             6 | image: {free: 12}
               |               ^^
            hint: write `12MiB` or `12MB`
            recipes/three.manifest:6:12: error: there is no folder overlays/none to lay over the tree
             6 | overlays: [overlays/none]
               |            ^^^^^^^^^^^^^

            """)
        #expect(!exists(workspace.path("out")))
        #expect(!exists(workspace.path("recipes/one.lock")))
    }

    @Test func `two recipes of one name are refused`() throws {
        let workspace = try World.shared().warmWorkspace()
        try workspace.write("recipes/again.manifest", try workspace.text("recipes/demo.manifest"))
        let refused = try workspace.run(["recipes/demo.manifest", "recipes/again.manifest"])
        #expect(
            refused
                == .init(
                    status: 64, stdout: "",
                    stderr: """
                        recipes/again.manifest:2:7: error: two recipes are named demo: their outputs would share one directory
                         2 | name: demo
                           |       ^^^^

                        """))
        let output = try workspace.run(["recipes/demo.manifest", "recipes/again.manifest", "-o", "x"])
        #expect(output.status == 64)
        #expect(
            output.stderr.hasPrefix("Error: -o takes one recipe: the outputs of several would share one directory.\n"))
    }
}
