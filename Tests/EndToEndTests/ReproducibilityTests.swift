import ArchiveFixture
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct ReproducibilityTests {
    @Test func `the same lock gives the same bytes, whoever builds it, where and how`() throws {
        let world = try World.shared()
        let lock = try world.warm.text("recipes/demo.lock")
        var digests = Set<Digest>([Digest(hashing: try readFile(at: world.warm.output("demo", "demo.ext4")))])
        var listings = Set([try world.warm.text("out/demo/demo.listing")])
        var records = Set([try world.warm.text("out/demo/image.json")])
        let ways: [(umask: String, environment: [String], jobs: String)] = [
            ("077", ["LC_ALL=C", "TZ=Asia/Kathmandu", "HOME=/root"], "1"),
            ("000", ["LANG=tr_TR.UTF-8", "TZ=America/St_Johns", "SOURCE_DATE_EPOCH=1", "TMPDIR=/var/tmp"], "3"),
        ]
        for way in ways {
            let workspace = try world.coldWorkspace()
            try workspace.write("recipes/demo.lock", lock)
            try shell("touch -d '1999-01-01' overlays/first/etc overlays/first/etc/first.conf", in: workspace.root)
            var program = workspace.program
            // From elsewhere, with an absolute path to the recipe.
            program.directory = "/"
            program.environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] + way.environment
            program.wrapper = ["/bin/sh", "-c", "umask \(way.umask); exec \"$@\"", "sh"]
            let built = try program.run(
                workspace.words([
                    workspace.path("recipes/demo.manifest").string, "--jobs", way.jobs, "-o",
                    workspace.output("demo").string,
                ]))
            #expect(built.status == 0, "\(built.stderr)")
            digests.insert(Digest(hashing: try readFile(at: workspace.output("demo", "demo.ext4"))))
            listings.insert(try workspace.text("out/demo/demo.listing"))
            records.insert(try workspace.text("out/demo/image.json"))
            #expect(try workspace.text("recipes/demo.lock") == lock)
        }
        #expect(digests.count == 1)
        #expect(listings.count == 1)
        #expect(records.count == 1)
    }

    @Test func `two resolutions of one archive give the same lock`() throws {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        let locked = try workspace.run(["lock", "recipes/demo.manifest"])
        #expect(try workspace.text("recipes/demo.lock") == world.warm.text("recipes/demo.lock"))
        let digest = Digest(hashing: try workspace.text("recipes/demo.lock"))
        #expect(locked.stdout == "\(digest)  recipes/demo.lock\n")
        #expect(locked.status == 0)
    }

    @Test func `a second build asks nobody, makes nothing and prints the same`() throws {
        let world = try World.shared()
        let server = try FixtureServer(serving: world.archive.root)
        let workspace = try world.coldWorkspace()
        let first = try workspace.build("demo", mirror: server.uri)
        #expect(first.status == 0, "\(first.stderr)")
        let debs = server.requests.map(\.path).filter { $0.hasSuffix(".deb") }
        #expect(debs.count == 7)
        #expect(Set(debs).count == 7)
        server.forgetRequests()
        let second = try workspace.build("demo", mirror: server.uri)
        #expect(server.requests == [])
        #expect(second.stdout == first.stdout)
        #expect(untimed(second.stderr) == "demo: fresh, nothing to do\n")
        #expect(second.status == 0)
    }

    @Test func `an output that was touched or is gone is made again, from the store alone`() throws {
        let world = try World.shared()
        let workspace = try world.warmWorkspace()
        #expect(try workspace.build("demo", ["--offline"]).stdout == world.built.stdout)
        let whole = try workspace.state()
        for damage in [
            "rm out/demo/vmlinux", "touch out/demo/demo.ext4", "echo more >> out/demo/demo.listing",
            "rm -r out/demo",
        ] {
            try shell(damage, in: workspace.root)
            let again = try workspace.build("demo", ["--offline"])
            #expect(again.stdout == world.built.stdout, "\(damage)")
            let said = Set(untimed(again.stderr).split(separator: "\n"))
            #expect(
                said.isSuperset(of: [
                    "demo: fetch: 7 packages in the store", "demo: unpack: 7 packages",
                    "demo: layer base: 2 packages, fresh", "demo: layer system: 2 packages, fresh",
                    "demo: layer odd: 1 package, fresh",
                ]), "\(damage)")
            func withoutRecord(_ text: String) -> [Substring] {
                text.split(separator: "\n").filter { !$0.contains("build.json") }
            }
            #expect(withoutRecord(try workspace.state()) == withoutRecord(whole), "\(damage)")
            #expect(untimed(try workspace.build("demo").stderr) == "demo: fresh, nothing to do\n")
        }
    }

    @Test func `a directory that holds something of the user's own is not replaced`() throws {
        let workspace = try World.shared().warmWorkspace()
        try workspace.write("out/demo/thesis", "precious\n")
        same(
            try refusal(of: "demo", in: workspace),
            """
            2 error: HERE/out/demo holds what no build wrote, and outputs replace the whole directory
              thesis
            hint: name a new or an empty directory with -o

            """)
    }

    @Test func `a changed overlay makes the image again upon the same layers`() throws {
        let world = try World.shared()
        let workspace = try world.warmWorkspace()
        _ = try workspace.build("demo")
        try workspace.write("overlays/first/etc/first.conf", "changed\n")
        let changed = try workspace.build("demo")
        #expect(changed.status == 0)
        #expect(changed.stdout != world.built.stdout)
        #expect(untimed(changed.stderr).contains("demo: layer system: 2 packages, fresh\n"))
        let content = try workspace.program.run(["inspect", "cat", "out/demo/demo.ext4", "/etc/first.conf"])
        #expect(content.stdout == "changed\n")
        // And back: the same bytes as ever.
        try workspace.write("overlays/first/etc/first.conf", "first\n")
        #expect(try workspace.build("demo").stdout == world.built.stdout)
    }

    @Test func `a layer upon one from the store is the layer of a cold build`() throws {
        let world = try World.shared()
        let warm = try world.warmWorkspace()
        let cold = try world.coldWorkspace()
        var hashes = [String]()
        for workspace in [warm, cold] {
            try workspace.recipe(
                "more", Workspace.demo + "\n", archive: "{suite: bookworm, keyring: keys/fixture.gpg}")
            let text = try workspace.text("recipes/more.manifest")
                .replacing("packages: [odd-names]", with: "packages: [odd-names, extra]")
            try workspace.write("recipes/more.manifest", text)
            let built = try workspace.build("more")
            #expect(built.status == 0, "\(built.stderr)")
            #expect(
                untimed(built.stderr).contains(
                    "layer system: 2 packages, " + (workspace === warm ? "fresh" : "configured")))
            hashes.append(built.stdout)
        }
        #expect(hashes[0] == hashes[1])
    }

    @Test func `offline, a full store is enough and an empty one is told what it lacks`() throws {
        let world = try World.shared()
        let full = try world.warmWorkspace()
        #expect(try full.build("demo", ["--offline"], mirror: "http://127.0.0.1:1").stdout == world.built.stdout)

        let empty = try world.coldWorkspace()
        try empty.write("recipes/demo.lock", try world.warm.text("recipes/demo.lock"))
        let missing = try empty.build("demo", ["--offline"])
        #expect(missing.status == 2)
        #expect(missing.stdout == "")
        #expect(
            missing.stderr == """
                error: cannot build offline: the store \(empty.cache) lacks 7 files
                  base-files 1.0 (all)
                  busybox-static 1.35 (amd64)
                  dpkg 1.21 (amd64)
                  hello 2.10-3 (all)
                  libhello1 2.1 (amd64)
                  linux-image-builtin 6.1.1-1 (amd64)
                  odd-names 1.0 (all)
                hint: run once without --offline to fetch what is missing

                """)
        #expect(try empty.leftovers == [])
        #expect(!exists(empty.output("demo")))

        let unlocked = try world.coldWorkspace()
        let unresolved = try unlocked.build("demo", ["--offline"])
        #expect(unresolved.status == 2)
        #expect(
            unresolved.stderr == """
                error: cannot build offline: the store \(unlocked.cache) lacks 3 files
                  InRelease of bookworm (\(world.archive.uri))
                  InRelease of bookworm-updates (\(world.archive.uri))
                  InRelease of bookworm-security (\(world.archive.uri)-security, \(world.archive.uri))
                hint: run once without --offline to fetch what is missing

                """)
        #expect(!exists(unlocked.path("recipes/demo.lock")))
    }
}
