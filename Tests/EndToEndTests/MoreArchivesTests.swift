import ArchiveFixture
import RootfsModel
import Storage
import SystemPackage
import Testing

/// More archives than the distribution's, and the distribution's as it was at a moment.
@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct MoreArchivesTests {
    /// An archive of its own key with a tool and a `hello` that is newer than the world's.
    private func tools() throws -> FixtureArchive {
        let archive = try FixtureArchive(key: FixtureKey())
        var suite = FixtureSuite(
            "nodistro",
            packages: [
                FixturePackage("tool", version: "7", component: "extra", files: [.file("usr/share/tool", "tool\n")]),
                FixturePackage("hello", version: "99", component: "extra"),
            ])
        suite.components = ["main", "extra"]
        // It calls itself nothing.
        suite.suite = ""
        suite.codename = ""
        suite.origin = "Somebody"
        try archive.write(suite)
        return archive
    }

    private func write(_ workspace: Workspace, _ url: String, more: String = "", packages: String) throws {
        try workspace.recipe(
            "more", "layers: [{name: system, packages: [\(packages)]}]",
            archive: """

                  suite: bookworm
                  keyring: keys/fixture.gpg
                  extra:
                    - {name: tools, suite: nodistro, components: [extra], keyring: keys/tools.asc\(more), url: "\(url)"}
                """)
    }

    private func stanza(_ name: String, _ workspace: Workspace) throws -> String? {
        try workspace.text("recipes/more.lock").split(separator: "\n\n").map(String.init).first { $0.hasPrefix(name) }
    }

    @Test func `one more archive takes part with its priority, its key and its name`() throws {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        let archive = try tools()
        let server = try FixtureServer(serving: archive.root)
        try workspace.write("keys/tools.asc", bytes: try readFile(at: archive.key.armored))
        try write(workspace, server.uri, packages: "tool, hello")
        let built = try workspace.build("more")
        #expect(built.status == 0, "\(built.stderr)")
        #expect(try #require(try stanza("Package: tool\n", workspace)).contains("\nPocket: tools\n"))
        #expect(try #require(try stanza("Package: hello\n", workspace)).contains("\nVersion: 99\n"))
        let locked = try #require(try stanza("Archive: tools\n", workspace))
        #expect(locked.contains("\nComponents: extra\n") && !locked.contains("Pin"))
        #expect(!(try workspace.text("recipes/more.lock").contains(server.uri)))
        #expect(server.requests.contains { $0.path == "pool/extra/t/tool/tool_7_all.deb" && $0.status == 200 })

        // The address may change; the priority moves the lock.
        try write(workspace, archive.uri, packages: "tool, hello")
        #expect(try workspace.run(["lock", "recipes/more.manifest"]).status == 0)
        try write(workspace, archive.uri, more: ", pin: 100", packages: "tool, hello")
        #expect(
            try workspace.run(["lock", "recipes/more.manifest"]).stderr == """
                error: the recipe recipes/more.manifest does not ask for what its lock holds
                  priorities: the lock lacks tools 100
                hint: run rootfs-build lock --update recipes/more.manifest

                """)
        let moved = try workspace.run(["lock", "--update", "recipes/more.manifest"])
        #expect(moved.stdout.contains("downgraded hello from 99 to 2.10-3\n"))
        #expect(try #require(try stanza("Archive: tools\n", workspace)).hasSuffix("\nPin: 100"))
        #expect(try workspace.build("more").status == 0)
        // By name it comes in spite of its priority.
        try write(workspace, archive.uri, more: ", pin: 100", packages: "tool, hello/tools")
        #expect(try workspace.run(["lock", "--update", "recipes/more.manifest"]).stdout.contains("to 99\n"))
    }

    @Test func `what is wrong with one more archive is said at its place`() throws {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        let archive = try tools()
        try write(workspace, archive.uri, packages: "tool")
        func lines() throws -> [String] {
            let ending = try workspace.run(["lock", "recipes/more.manifest"])
            return ending.stderr.replacing(archive.uri, with: "TOOLS").split(separator: "\n").map(String.init)
                .filter { !$0.hasPrefix("more: ") }
        }
        #expect(try lines()[0] == "recipes/more.manifest:7:68: error: there is no keyring keys/tools.asc")
        // The distribution's key is not its own.
        try workspace.write("keys/tools.asc", bytes: try readFile(at: world.key.armored))
        let refused = try lines()
        #expect(
            refused[0].contains(":7:89: error: the archive tools: TOOLS/dists/nodistro/InRelease is signed by key "))
        #expect(
            refused.last
                == "hint: check what archive.extra says of tools: its url, suite, components and keyring")
        try write(workspace, "./nowhere", packages: "tool")
        #expect(try lines()[0].contains(":7:89: error: there is no directory ./nowhere to take packages"))
        #expect(!exists(workspace.path("recipes/more.lock")))
    }

    /// A snapshot archive: the world's at `stamp`, the security pocket beside it.
    private func snapshots(_ world: World, _ stamp: String) throws -> (Scratch, FixtureArchive) {
        let scratch = try Scratch("snapshots")
        let security = try FixtureArchive(key: world.key)
        try security.write(
            FixtureSuite("bookworm-security", packages: [FixturePackage("extra", version: "1.0+deb12u1")]))
        try shell(
            """
            mkdir -p archive/debian archive/debian-security
            cp -r '\(world.archive.root)' archive/debian/\(stamp)
            rm -r archive/debian/\(stamp)/dists/bookworm-security
            ln -s '\(security.root)' archive/debian-security/\(stamp)
            """, in: scratch.path)
        return (scratch, security)
    }

    @Test func `a snapshot gives every pocket as it was, or the pocket is named`() throws {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        let (scratch, security) = try snapshots(world, "20260102T000000Z")
        let server = try FixtureServer(serving: scratch.path)
        func write(_ moment: String, _ more: String = "") throws {
            try workspace.recipe(
                "more", "layers: [{name: system, packages: [extra]}]",
                archive: "{suite: bookworm, keyring: keys/fixture.gpg, snapshot: \(moment)\(more)}")
        }
        try write("2026-01-02T00:00:00Z")
        let built = try workspace.build("more", mirror: server.uri)
        #expect(built.status == 0, "\(built.stderr)")
        #expect(try #require(try stanza("Package: extra\n", workspace)).contains("\nVersion: 1.0+deb12u1\n"))
        #expect(try workspace.text("recipes/more.lock").contains("\nSnapshot: Fri, 02 Jan 2026 00:00:00 UTC\n"))
        #expect(server.requests.allSatisfy { $0.path.contains("/20260102T000000Z/") })

        // Another moment is another lock.
        try write("2026-01-01T00:00:00Z")
        let other = try workspace.run(["lock", "recipes/more.manifest"], mirror: server.uri)
        #expect(
            other.stderr.contains("\n  snapshot: the lock lacks Thu, 01 Jan 2026 00:00:00 UTC\n"), "\(other.stderr)")
        let lacking = try workspace.run(["lock", "--update", "recipes/more.manifest"], mirror: server.uri)
        #expect(lacking.status == 2)
        #expect(
            lacking.stderr.replacing(server.uri, with: "BASE").contains(
                """
                recipes/more.manifest:3:65: error: the snapshot of Thu, 01 Jan 2026 00:00:00 UTC lacks bookworm: there is no \
                BASE/archive/debian/20260101T000000Z/dists/bookworm/InRelease
                 3 | archive: {suite: bookworm, keyring: keys/fixture.gpg, snapshot: 2026-01-01T00:00:00Z}
                   |                                                                 ^^^^^^^^^^^^^^^^^^^^
                hint: take a moment that has it, or take it out of archive.pockets;
                """), "\(lacking.stderr)")
        // A moment without the security pocket alone: no other place stands in for it.
        try shell(
            "cp -r archive/debian/20260102T000000Z archive/debian/20260103T000000Z", in: scratch.path)
        try write("2026-01-03T00:00:00Z")
        let unsafe = try workspace.run(["lock", "--update", "recipes/more.manifest"], mirror: server.uri)
        #expect(unsafe.status == 2)
        #expect(
            unsafe.stderr.contains(
                "error: the snapshot of Sat, 03 Jan 2026 00:00:00 UTC lacks bookworm-security: there is no "),
            "\(unsafe.stderr)")
        // An archive as it is now under a moment's name.
        var later = FixtureSuite("bookworm-security", packages: [])
        later.date = 1_767_312_001
        try security.write(later)
        try write("2026-01-02T00:00:00Z")
        let live = try workspace.run(["lock", "--update", "recipes/more.manifest"], mirror: server.uri)
        #expect(
            live.stderr.contains(
                "bookworm-security/InRelease was made Fri, 02 Jan 2026 00:00:01 UTC, after the snapshot's moment Fri, 02 Jan"
            ),
            "\(live.stderr)")
        try write("2999-01-02T00:00:00Z")
        let future = try workspace.run(["lock", "--update", "recipes/more.manifest"], mirror: server.uri)
        #expect(future.stderr.contains(":3:65: error: archive.snapshot is in the future: this host's clock says "))
    }

    @Test func `one more archive beside a snapshot is live or fixed`() throws {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        let (scratch, security) = try snapshots(world, "20260102T000000Z")
        defer { withExtendedLifetime(security) {} }
        let archive = try tools()
        var suite = FixtureSuite("nodistro", packages: [FixturePackage("tool", version: "8", component: "extra")])
        suite.components = ["main", "extra"]
        suite.date = 1_767_312_001
        try archive.write(suite)
        try workspace.write("keys/tools.asc", bytes: try readFile(at: archive.key.armored))
        func lock(_ mark: String) throws -> Program.Ending {
            try write(workspace, archive.uri, more: ", snapshot: \(mark)", packages: "tool")
            let text = try workspace.text("recipes/more.manifest")
            try workspace.write(
                "recipes/more.manifest", text.replacing("  extra:", with: "  snapshot: 2026-01-02T00:00:00Z\n  extra:"))
            return try workspace.run(["lock", "recipes/more.manifest"], mirror: scratch.path.string)
        }
        let fixed = try lock("fixed")
        #expect(fixed.status == 2)
        #expect(
            fixed.stderr.contains(
                "error: the archive tools: \(archive.uri)/dists/nodistro/InRelease was made Fri, 02 Jan 2026 00:00:01 UTC, after"
            ), "\(fixed.stderr)")
        let live = try lock("live")
        #expect(live.status == 0, "\(live.stderr)")
        #expect(try #require(try stanza("Package: tool\n", workspace)).contains("\nVersion: 8\n"))
    }
}
