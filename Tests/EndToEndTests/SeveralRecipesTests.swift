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
        let log = untimed(built.stderr)
        #expect(log.contains("one: layer base: 2 packages, configured\none: layer system: 2 packages, configured\n"))
        #expect(
            log.contains(
                "two: layer base: 2 packages, fresh\ntwo: layer system: 2 packages, fresh\ntwo: layer more: 1 package, configured\n"
            ))
        // Each as if it had been built alone.
        let alone = try world.coldWorkspace()
        try write(alone)
        #expect(try alone.build("two").stdout == "\(digests[1])  out/two/two.ext4\n")
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
