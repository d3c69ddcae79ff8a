import ArchiveFixture
import RootfsModel
import Storage
import SystemPackage
import Testing

/// An archive of one's own, to change: the world's packages, `hello` in this version.
private func archiveWithHello(_ version: String, _ world: World, at archive: FixtureArchive? = nil) throws
    -> FixtureArchive
{
    let archive = try archive ?? FixtureArchive(key: world.key)
    var packages = try World.packages()
    let index = try #require(packages.firstIndex { $0.name == "hello" })
    packages[index].version = version
    for suite in World.suites(packages) { try archive.write(suite) }
    return archive
}

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct LockTests {
    @Test func `a lock holds although the archive moves on, and moves when told to`() throws {
        let world = try World.shared()
        let archive = try archiveWithHello("2.10-3", world)
        let workspace = try world.coldWorkspace()
        let first = try workspace.build("demo", mirror: archive.uri)
        #expect(first.stdout == world.built.stdout)
        let lock = try workspace.text("recipes/demo.lock")

        _ = try archiveWithHello("2.12-1", world, at: archive)
        try shell("rm '\(archive.root)'/pool/main/h/hello/hello_2.10-3_all.deb", in: workspace.root)
        try removeTree(at: workspace.path("out"))
        // The old version comes from the store.
        #expect(try workspace.build("demo", mirror: archive.uri).stdout == first.stdout)
        // Asking for the lock again does not move it either.
        let asked = try workspace.run(["lock", "recipes/demo.manifest"], mirror: archive.uri)
        #expect(asked.stdout == "\(Digest(hashing: lock))  recipes/demo.lock\n")
        #expect(try workspace.text("recipes/demo.lock") == lock)

        let moved = try workspace.run(["lock", "--update", "recipes/demo.manifest"], mirror: archive.uri)
        let new = try workspace.text("recipes/demo.lock")
        #expect(
            moved.stdout == """
                upgraded hello from 2.10-3 to 2.12-1
                \(Digest(hashing: new))  recipes/demo.lock

                """)
        #expect(untimed(moved.stderr) == "demo: resolve: 7 packages\n")
        #expect(new != lock)
        let second = try workspace.build("demo", mirror: archive.uri)
        #expect(second.status == 0)
        #expect(second.stdout != first.stdout)
        #expect(untimed(second.stderr).contains("demo: layer base: 2 packages, fresh\n"))

        // A lock of a file that nobody serves any more: nothing replaces it.
        try workspace.write("recipes/demo.lock", lock)
        let digest = try #require(World.packages().first { $0.name == "hello" }.map { Digest(hashing: try $0.deb()) })
        try removeTree(at: workspace.cache)
        let state = try workspace.state()
        let gone = try workspace.build("demo", mirror: archive.uri)
        #expect(gone.status == 2)
        #expect(gone.stdout == "")
        #expect(
            gone.stderr == """
                error: cannot fetch a package of the lock
                  hello 2.10-3 (all), \(digest)
                    bookworm: pool/main/h/hello/hello_2.10-3_all.deb
                    \(archive.uri)/pool/main/h/hello/hello_2.10-3_all.deb: there is no such file
                hint: mirrors drop a package soon after its successor: name a directory that has the .deb with --package-dir, \
                or a mirror that keeps old versions with --mirror; or move the lock: \
                rootfs-build lock --update recipes/demo.manifest hello

                """)
        #expect(try workspace.state() == state)
        #expect(try workspace.leftovers == [])
    }

    @Test func `what did not move keeps its moment and stays fresh`() throws {
        let world = try World.shared()
        let workspace = try world.warmWorkspace()
        #expect(try workspace.build("demo", ["--offline"]).status == 0)
        let lock = try workspace.text("recipes/demo.lock")
        // The archive has a new date and the same packages: the lock is the same text.
        let archive = try FixtureArchive(key: world.key)
        func publish(_ packages: [FixturePackage], date: Int64) throws {
            for var suite in World.suites(packages) {
                suite.date = date
                try archive.write(suite)
            }
        }
        let dayLater: Int64 = 1_767_225_600 + 86_400
        try publish(World.packages(), date: dayLater)
        let unmoved = try workspace.run(["lock", "--update", "recipes/demo.manifest"], mirror: archive.uri)
        #expect(unmoved.stdout == "\(Digest(hashing: lock))  recipes/demo.lock\n")
        #expect(try workspace.text("recipes/demo.lock") == lock)
        #expect(untimed(try workspace.build("demo").stderr) == "demo: fresh, nothing to do\n")

        // An update in the last layer.
        var packages = try World.packages()
        let index = try #require(packages.firstIndex { $0.name == "odd-names" })
        packages[index].version = "1.1"
        try publish(packages, date: dayLater)
        let moved = try workspace.run(["lock", "--update", "recipes/demo.manifest"], mirror: archive.uri)
        #expect(moved.stdout.hasPrefix("upgraded odd-names from 1.0 to 1.1\nsha256:"))
        #expect(
            try workspace.text("recipes/demo.lock").contains(
                "Moment: 1767312000\nLayer-Moments: base 1767225600, system 1767225600\n"))
        let explained = try workspace.run(["explain", "recipes/demo.manifest"], mirror: archive.uri)
        same(
            explained.stdout.replacing(#/sha256:[0-9a-f]{12}/#, with: "sha256:N"),
            """
            demo: stale
              fetch         stale
                odd-names 1.1 (all): not in the store
              unpack        stale
                odd-names 1.1 (all): not in the store
              layer base    fresh
              layer system  fresh
              layer odd     stale
                moment: 1767225600 → 1767312000
                package odd-names (all): 1.0 sha256:N → 1.1 sha256:N
              kernel        stale
                image: is made anew
              provision     stale
                image: is made anew
              image         stale
                lock: sha256:N → sha256:N

            """)
        let before = try workspace.text("out/demo/demo.listing")
        let built = try workspace.build("demo", mirror: archive.uri)
        #expect(built.status == 0, "\(built.stderr)")
        let log = untimed(built.stderr)
        #expect(log.contains("demo: layer base: 2 packages, fresh\n"))
        #expect(log.contains("demo: layer system: 2 packages, fresh\n"))
        #expect(log.contains("demo: layer odd: 1 package, configured\n"))
        // What the scripts of the lower layers made has the time that it had.
        func line(_ listing: String, _ path: String) -> Substring? {
            listing.split(separator: "\n").first { $0.hasPrefix("./\(path) ") }
        }
        let after = try workspace.text("out/demo/demo.listing")
        #expect(line(after, "var/lib/hello/configured") == line(before, "var/lib/hello/configured"))
        #expect(line(after, "var/lib/hello/configured") != nil)
        #expect(line(after, "etc/motd") != line(before, "etc/motd"))
        // The same lock in an empty store gives the same image.
        try removeTree(at: workspace.cache)
        try removeTree(at: workspace.path("out"))
        #expect(try workspace.build("demo", mirror: archive.uri).stdout == built.stdout)
    }

    @Test func `a recipe that asks for something else than its lock holds is told what helps`() throws {
        let workspace = try World.shared().warmWorkspace()
        try workspace.recipe("demo", Workspace.demo.replacing("[hello]", with: "[hello, extra]"))
        let state = try workspace.state()
        let refused = try workspace.build("demo")
        #expect(
            refused
                == .init(
                    status: 2, stdout: "",
                    stderr: """
                        error: the recipe recipes/demo.manifest does not ask for what its lock holds
                          layer system: the lock lacks extra
                        hint: run rootfs-build lock --update recipes/demo.manifest

                        """))
        #expect(try workspace.state() == state)
        let moved = try workspace.run(["lock", "--update", "recipes/demo.manifest"])
        #expect(moved.stdout.hasPrefix("added extra 1.0\nsha256:"))
        #expect(try workspace.build("demo").status == 0)
        // A change that asks for no other package needs no other lock.
        try workspace.recipe("demo", Workspace.demo.replacing("[hello]", with: "[hello, extra]") + "\nhostname: other")
        #expect(try workspace.build("demo").status == 0)
    }

    @Test func `packages asked for by suite, version and architecture are locked and built`() throws {
        let world = try World.shared()
        let archive = try FixtureArchive(key: world.key)
        let meta = FixturePackage("linux-image-meta", fields: ["Depends": "linux-image-builtin"])
        var packages = try World.packages() + [meta]
        for suite in World.suites(packages) { try archive.write(suite) }
        let workspace = try Workspace(key: world.key, archive: archive)
        try workspace.recipe(
            "words",
            """
            layers: [{name: system, packages: [hello/bookworm, "libhello1:amd64", odd-names=1.0]}]
            kernel: {package: linux-image-meta/bookworm}
            """)
        let built = try workspace.build("words")
        #expect(built.status == 0, "\(built.stderr)")
        let lock = try workspace.text("recipes/words.lock")
        #expect(lock.contains("\nRequest: hello/bookworm, libhello1:amd64, odd-names=1.0\nLayer: system\n"))
        // For apt they are packages that somebody asked for.
        let states = ["inspect", "cat", "out/words/words.ext4", "/var/lib/apt/extended_states"]
        #expect(try workspace.program.run(states) == .init(status: 0, stdout: "", stderr: ""))

        // The kernel moves by the name that it is asked for by.
        var newer = try #require(packages.first { $0.name == "linux-image-builtin" })
        newer.version = "6.1.1-2"
        packages.append(newer)
        for suite in World.suites(packages) { try archive.write(suite) }
        let moved = try workspace.run(["lock", "--update", "recipes/words.manifest", "linux-image-meta"])
        #expect(
            moved.stdout.hasPrefix("upgraded linux-image-builtin from 6.1.1-1 to 6.1.1-2\nsha256:"), "\(moved.stderr)")
    }

    @Test func `a damaged lock is refused with its place and left alone`() throws {
        let workspace = try World.shared().warmWorkspace()
        let lock = try workspace.text("recipes/demo.lock")
        try workspace.write("recipes/demo.lock", lock.replacing("Version: 2.10-3\n", with: ""))
        let state = try workspace.state()
        let refused = try workspace.build("demo")
        #expect(refused.status == 2)
        let line = try #require(
            lock.split(separator: "\n", omittingEmptySubsequences: false).firstIndex(of: "Package: hello"))
        #expect(
            refused.stderr == """
                recipes/demo.lock:\(line + 1):1: error: this stanza has no Version
                 \(line + 1) | Package: hello
                    | ^

                """)
        #expect(try workspace.state() == state)
    }
}
