import ArchiveFixture
import RootfsModel
import Storage
import SystemPackage
import Testing

/// Moving some packages of a lock, and what is said of it.
@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct LockUpdateTests {
    private static let changelog = """
        odd-names (1.1) bookworm-security; urgency=high

          * Fix an odd name (CVE-2024-0101).
          * And CVE-2023-99999.
          * One.
          * Two.
          * Three.

         -- Fixture <fixture@example.org>  Mon, 01 Jul 2024 00:00:00 +0000

        odd-names (1.0) bookworm; urgency=low

          * First: CVE-2000-0001.

         -- Fixture <fixture@example.org>  Mon, 01 Jan 2024 00:00:00 +0000
        """

    /// The world's packages with newer versions of three, one of them a security fix.
    static func newer(_ world: World, keepingOld: Bool = true) throws -> FixtureArchive {
        let archive = try FixtureArchive(key: world.key)
        var packages = try World.packages()
        var fixes = [FixturePackage]()
        for (name, version) in [("hello", "2.12-1"), ("libhello1", "2.2"), ("odd-names", "1.1")] {
            let index = try #require(packages.firstIndex { $0.name == name })
            var package = packages[index]
            package.version = version
            if name == "odd-names" {
                package.files.append(
                    .file(
                        "usr/share/doc/odd-names/changelog.Debian.gz",
                        bytes: try compressed(Array(Self.changelog.utf8), .gzip)))
                fixes.append(package)
            } else if keepingOld {
                packages.append(package)
            } else {
                packages[index] = package
            }
        }
        for var suite in World.suites(packages) {
            if suite.name == "bookworm-security" { suite.packages = fixes }
            try archive.write(suite)
        }
        return archive
    }

    private func update(_ workspace: Workspace, _ more: [String] = [], mirror: FixtureArchive) throws -> Program.Ending
    {
        try workspace.run(["lock", "--update", "recipes/demo.manifest"] + more, mirror: mirror.uri)
    }

    private func versions(_ workspace: Workspace) throws -> [String] {
        try workspace.text("recipes/demo.lock").split(separator: "\n").filter { $0.hasPrefix("Version: ") }
            .map { String($0.dropFirst("Version: ".count)) }
    }

    @Test func `what moved is told, security fixes first, with what their changelogs say`() throws {
        let world = try World.shared()
        let archive = try Self.newer(world)
        let workspace = try world.warmWorkspace()
        let lock = try workspace.text("recipes/demo.lock")
        let plain = try update(workspace, mirror: archive)
        same(
            plain.stdout.replacing(#/sha256:[0-9a-f]{64}/#, with: "sha256:N"),
            """
            upgraded odd-names from 1.0 to 1.1 (security)
            upgraded hello from 2.10-3 to 2.12-1
            upgraded libhello1 from 2.1 to 2.2
            sha256:N  recipes/demo.lock

            """)
        try workspace.write("recipes/demo.lock", lock)
        let told = try update(workspace, ["--changelogs"], mirror: archive)
        same(
            told.stdout.replacing(#/sha256:[0-9a-f]{64}/#, with: "sha256:N"),
            """
            upgraded odd-names from 1.0 to 1.1 (security): CVE-2023-99999, CVE-2024-0101
              * Fix an odd name (CVE-2024-0101).
              * And CVE-2023-99999.
              * One.
              * Two.
              and 1 more in its changelog
            upgraded hello from 2.10-3 to 2.12-1
            upgraded libhello1 from 2.1 to 2.2
            sha256:N  recipes/demo.lock

            """)
        #expect(untimed(told.stderr) == "demo: resolve: 7 packages\ndemo: changelogs: 3 packages, # fetched\n")
        // What is in the store is read without being asked for.
        try workspace.write("recipes/demo.lock", lock)
        let json = try JSON(update(workspace, ["--json"], mirror: archive).stdout).list[0]["changes"].list
        #expect(json.map { $0["name"].string } == ["odd-names", "hello", "libhello1"])
        #expect(json[0]["kind"] == .text("upgraded"))
        #expect(json[0]["old"] == .text("1.0"))
        #expect(json[0]["new"] == .text("1.1"))
        #expect(json.map { $0["security"] } == [.boolean(true), .boolean(false), .boolean(false)])
        #expect(json[0]["vulnerabilities"] == .array([.text("CVE-2023-99999"), .text("CVE-2024-0101")]))
        #expect(json[0]["changelog"].list.count == 5)
        #expect(json[1]["changelog"].list == [])
    }

    @Test func `only the packages that are named move`() throws {
        let world = try World.shared()
        let archive = try Self.newer(world)
        let workspace = try world.warmWorkspace()
        let before = try versions(workspace)
        let moved = try update(workspace, ["hello"], mirror: archive)
        #expect(moved.stdout.hasPrefix("upgraded hello from 2.10-3 to 2.12-1\nsha256:"))
        #expect(try versions(workspace) == before.map { $0 == "2.10-3" ? "2.12-1" : $0 })
        #expect(try workspace.build("demo", mirror: archive.uri).status == 0)
        // Nothing is newer than what is there: the lock stays.
        let lock = try workspace.text("recipes/demo.lock")
        let again = try update(workspace, ["hello"], mirror: archive)
        #expect(again.stdout == "\(Digest(hashing: lock))  recipes/demo.lock\n")
        #expect(try workspace.text("recipes/demo.lock") == lock)
    }

    @Test func `what the archive dropped stays if the store has it, else it moves and that is said`() throws {
        let world = try World.shared()
        let archive = try Self.newer(world, keepingOld: false)
        let workspace = try world.warmWorkspace()
        let lock = try workspace.text("recipes/demo.lock")
        let stayed = try update(workspace, ["hello"], mirror: archive)
        #expect(stayed.stdout.hasPrefix("upgraded hello from 2.10-3 to 2.12-1\nsha256:"))
        #expect(
            untimed(stayed.stderr) == """
                demo: resolve: 7 packages
                demo: libhello1 2.1 stays, from the store: the archive no longer has it

                """)
        #expect(try versions(workspace).contains("2.1"))
        #expect(try workspace.build("demo", mirror: archive.uri).status == 0)

        try workspace.write("recipes/demo.lock", lock)
        try removeTree(at: workspace.cache)
        let moved = try update(workspace, ["hello"], mirror: archive)
        #expect(
            moved.stdout.hasPrefix(
                """
                upgraded hello from 2.10-3 to 2.12-1
                upgraded libhello1 from 2.1 to 2.2
                  because neither the archive nor the store has 2.1 any more
                sha256:
                """), "\(moved.stdout)")
    }

    @Test func `new pins and excludes count for the kernel and the initrd's shell too`() throws {
        let world = try World.shared()
        let archive = try FixtureArchive(key: world.key)
        var packages = try World.packages()
        for name in ["linux-image-modular", "busybox-static"] {
            var newer = try #require(packages.first { $0.name == name })
            newer.version = "9"
            packages.append(newer)
        }
        for suite in World.suites(packages) { try archive.write(suite) }
        let workspace = try Workspace(key: world.key, archive: archive)
        func write(_ more: String) throws {
            try workspace.recipe(
                "demo", "layers: [{name: system, packages: [hello]}]\nkernel: {package: linux-image-modular}",
                archive: "{suite: bookworm, keyring: keys/fixture.gpg\(more)}")
        }
        try write("")
        #expect(try workspace.run(["lock", "recipes/demo.manifest"]).status == 0)
        try write(", pins: {linux-image-modular: \"6.1.1-1\"}")
        let pinned = try update(workspace, ["hello"], mirror: archive)
        #expect(
            pinned.stdout.hasPrefix(
                """
                downgraded linux-image-modular from 9 to 6.1.1-1
                  because the recipe pins or excludes other packages than the lock
                sha256:
                """), "\(pinned.stdout)\(pinned.stderr)")
        try write(", pins: {linux-image-modular: \"6.1.1-1\"}, exclude: [busybox-static]")
        let excluded = try update(workspace, ["hello"], mirror: archive)
        #expect(
            excluded.stdout.hasPrefix(
                """
                removed busybox-static 9
                  because the recipe pins or excludes other packages than the lock
                sha256:
                """), "\(excluded.stdout)\(excluded.stderr)")
    }

    @Test func `nothing is held of an archive that the recipe no longer has`() throws {
        let world = try World.shared()
        let archive = try FixtureArchive(key: world.key)
        let packages = try World.packages()
        var fixes = [FixturePackage]()
        for (name, version) in [("odd-names", "1.1"), ("linux-image-builtin", "6.1.1-2")] {
            var fix = try #require(packages.first { $0.name == name })
            fix.version = version
            fixes.append(fix)
        }
        for var suite in World.suites(packages) {
            if suite.name == "bookworm-security" { suite.packages = fixes }
            try archive.write(suite)
        }
        let workspace = try Workspace(key: world.key, archive: archive)
        // The store has all of them.
        #expect(try workspace.build("demo").status == 0)
        try workspace.recipe(
            "demo", Workspace.demo, archive: "{suite: bookworm, keyring: keys/fixture.gpg, pockets: [updates]}")
        let moved = try update(workspace, ["hello"], mirror: archive)
        #expect(
            moved.stdout.hasPrefix(
                """
                downgraded linux-image-builtin from 6.1.1-2 to 6.1.1-1
                  because the recipe no longer has the archive bookworm-security
                downgraded odd-names from 1.1 to 1.0
                  because the recipe no longer has the archive bookworm-security
                sha256:
                """), "\(moved.stdout)\(moved.stderr)")
        #expect(try workspace.build("demo").status == 0)
    }

    @Test func `an update of everything replaces a lock that cannot be read, and says so`() throws {
        let workspace = try World.shared().warmWorkspace()
        let lock = try workspace.text("recipes/demo.lock")
        let damaged = lock.replacing("Moment: ", with: "Momnet: ")
        try workspace.write("recipes/demo.lock", damaged)
        // A part of it is moved from what is there.
        let refused = try workspace.run(["lock", "--update", "recipes/demo.manifest", "hello"])
        #expect(refused.status == 2)
        #expect(refused.stderr.hasPrefix("recipes/demo.lock:4:1: error: unknown field Momnet\n"), "\(refused.stderr)")
        #expect(try workspace.text("recipes/demo.lock") == damaged)
        let replaced = try workspace.run(["lock", "--update", "recipes/demo.manifest"])
        #expect(replaced.stdout == "\(Digest(hashing: lock))  recipes/demo.lock\n")
        same(
            untimed(replaced.stderr),
            """
            demo: resolve: 7 packages
            demo: what moved is not known, for the old lock was of no use: recipes/demo.lock:4: unknown field Momnet

            """)
        #expect(try workspace.text("recipes/demo.lock") == lock)
    }

    @Test func `another recipe's lock is moved as a whole only, which is said`() throws {
        let workspace = try World.shared().warmWorkspace()
        let lock = try workspace.text("recipes/demo.lock")
        let other = lock.replacing("Recipe: demo", with: "Recipe: other")
        try workspace.write("recipes/demo.lock", other)
        let refused = try workspace.run(["lock", "--update", "recipes/demo.manifest", "hello"])
        #expect(
            refused
                == .init(
                    status: 2, stdout: "",
                    stderr: """
                        recipes/demo.lock:2:9: error: this is the lock of other, not of demo
                         2 | Recipe: other
                           |         ^^^^^
                        hint: run rootfs-build lock --update recipes/demo.manifest

                        """))
        #expect(try workspace.text("recipes/demo.lock") == other)
        let replaced = try workspace.run(["lock", "--update", "recipes/demo.manifest"])
        #expect(replaced.stdout == "\(Digest(hashing: lock))  recipes/demo.lock\n")
        #expect(
            replaced.stderr.hasSuffix(
                "was of no use: recipes/demo.lock:2: this is the lock of other, not of demo\n"), "\(replaced.stderr)")
    }

    @Test func `a name that is not in the lock is refused before anything is asked`() throws {
        let workspace = try World.shared().warmWorkspace()
        let state = try workspace.state()
        let nowhere = "http://127.0.0.1:1/debian"
        let refused = try workspace.run(
            ["lock", "--update", "recipes/demo.manifest", "helo", "gone-astray"], mirror: nowhere)
        #expect(refused.status == 64)
        same(
            refused.stderr,
            """
            error: recipes/demo.lock has no package helo
            hint: did you mean hello?
            error: recipes/demo.lock has no package gone-astray

            """)
        try workspace.recipe("other", Workspace.demo)
        same(
            try workspace.run(["lock", "--update", "recipes/other.manifest", "hello"], mirror: nowhere).stderr,
            """
            error: there is no lock recipes/other.lock whose packages could be updated
            hint: run rootfs-build lock recipes/other.manifest

            """)
        #expect(try workspace.state() == state)
    }
}
