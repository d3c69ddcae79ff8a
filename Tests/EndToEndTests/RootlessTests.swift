import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(
    .serialized, .enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64"),
    .enabled(if: OrdinaryUser.isPossible, "needs \(OrdinaryUser.words)"))
struct RootlessTests {
    @Test func `an ordinary user's image is the same as root's`() throws {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        let program = try workspace.ordinaryUsersProgram()
        let ending = try program.run(workspace.words(["recipes/demo.manifest"]))
        #expect(ending.status == 0, "\(ending.stderr)")
        #expect(ending.stdout == world.built.stdout)
        for file in ["demo.listing", "image.json", "check.json", "vmlinux", "firecracker.json"] {
            let same = try readFile(at: workspace.output("demo", file)) == readFile(at: world.warm.output("demo", file))
            #expect(same, "\(file) differs")
        }
        #expect(try workspace.leftovers == [])

        // All that he has asked for is his own, and he can delete it.
        #expect(try shell("find out recipes ! -user \(OrdinaryUser.id)", in: workspace.root) == "")
        let again = try program.run(workspace.words(["recipes/demo.manifest"]))
        same(untimed(again.stderr), "demo: fresh, nothing to do\n")
        try shell("setpriv --reuid=\(OrdinaryUser.id) --clear-groups rm -rf out", in: workspace.root)
        #expect(!exists(workspace.path("out")))

        // From the layers in the store.
        let kept = try program.run(workspace.words(["recipes/demo.manifest", "--offline"]))
        #expect(kept.stdout == world.built.stdout, "\(kept.stderr)")
        #expect(kept.stderr.contains("layer system: 2 packages, fresh"), "\(kept.stderr)")

        // Payloads that have his owners make no layer of root's.
        let roots = try workspace.program.run(workspace.words(["recipes/demo.manifest", "-o", "roots"]))
        #expect(roots.status == 2)
        same(
            roots.stderr.replacing(workspace.cache.string, with: "STORE"),
            """
            error: the files in the store STORE belong to other users than this one's builds need
              it was filled with the ids (inside, outside, count) uid 0 65534 1, uid 1 1000000000 65536, gid 0 65534 1, gid 1 1000000000 65536
              this build has the ids (inside, outside, count) uid 0 0 4294967295, gid 0 0 4294967295
            hint: name another store with --cache, or delete this one

            """)
    }

    @Test func `an ordinary user reproduces a recipe`() throws {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        try workspace.write("recipes/demo.lock", try world.warm.text("recipes/demo.lock"))
        try makeDirectory(at: workspace.path("work"))
        let program = try workspace.ordinaryUsersProgram()
        let ending = try program.run(
            workspace.words(["reproduce", "recipes/demo.manifest", "--work", workspace.path("work").string]))
        #expect(ending.status == 0, "\(ending.stderr)\(ending.stdout)")
        #expect(ending.stdout.hasSuffix("\nreproducible: \(world.built.stdout.prefix(71))\n"), "\(ending.stdout)")
        #expect(ending.stdout.contains("\nnot varied: the user and the ids"), "\(ending.stdout)")
        #expect(try directoryNames(at: workspace.path("work")) == [])
    }

    @Test func `what overlayfs does otherwise in a user namespace comes to the same`() throws {
        let world = try World.shared()
        let layers = "layers: [{name: things, packages: [hello, things]}, {name: after, packages: [rearranging]}]"
        let outcomes = try [false, true].map { isRoot in
            let workspace = try world.coldWorkspace()
            try workspace.recipe("odd", layers + "\nkernel: none")
            let program = isRoot ? workspace.program : try workspace.ordinaryUsersProgram()
            let ending = try program.run(workspace.words(["recipes/odd.manifest"]))
            #expect(ending.status == 0, "\(ending.stderr)")
            return try workspace.text("out/odd/odd.listing")
        }
        #expect(outcomes[0] == outcomes[1])
        let things = outcomes[0].split(separator: "\n").filter { $0.hasPrefix("./usr/share/things/") }
        let names = things.map { $0.dropFirst("./usr/share/things/".count).prefix { $0 != " " } }
        #expect(
            names == [
                "copied", "left", "left-too", "link", "moved", "other", "owned", "pipe", "tree", "tree/c", "written",
                "written-too",
            ])
        #expect(things.count(where: { $0.contains(" nlink=3 ") }) == 3)
    }
}
