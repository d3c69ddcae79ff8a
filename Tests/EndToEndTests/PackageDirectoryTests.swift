import ArchiveFixture
import RootfsModel
import Storage
import SystemPackage
import Testing

/// Packages of a lock that the mirrors dropped.
@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct PackageDirectoryTests {
    /// A mirror without two packages of the lock of `demo`, and a workspace with that lock and an empty store.
    private func situation() throws -> (Workspace, FixtureServer, kept: FilePath) {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        try workspace.write("recipes/demo.lock", try world.warm.text("recipes/demo.lock"))
        try shell(
            "cp -r '\(world.archive.root)' mirror && mkdir -p kept/deep && cd mirror && "
                + "mv pool/main/h/hello/hello_2.10-3_all.deb '../kept/deep/a file.bin' && "
                + "mv pool/main/o/odd-names/odd-names_1.0_all.deb ../kept/b && "
                // Of the same size, and something else.
                + "head -c $(stat -c %s ../kept/b) /dev/zero > ../kept/a && echo other > ../kept/other.deb",
            in: workspace.root)
        return (workspace, try FixtureServer(serving: workspace.path("mirror")), workspace.path("kept"))
    }

    @Test func `all that nobody has is named in one message, with what helps`() throws {
        let (workspace, server, _) = try situation()
        let state = try workspace.state()
        let gone = try workspace.build("demo", mirror: server.uri)
        #expect(gone.status == 2)
        #expect(gone.stdout == "")
        let lines = untimed(gone.stderr).split(separator: "\n").drop { !$0.hasPrefix("error") }
        let message = lines.joined(separator: "\n")
        same(
            message.replacing(server.uri, with: "MIRROR").replacing(#/sha256:[0-9a-f]{64}/#, with: "sha256:N"),
            """
            error: cannot fetch 2 packages of the lock
              hello 2.10-3 (all), sha256:N
                bookworm: pool/main/h/hello/hello_2.10-3_all.deb
                MIRROR/pool/main/h/hello/hello_2.10-3_all.deb: the server answers 404 Not Found
              odd-names 1.0 (all), sha256:N
                bookworm: pool/main/o/odd-names/odd-names_1.0_all.deb
                MIRROR/pool/main/o/odd-names/odd-names_1.0_all.deb: the server answers 404 Not Found
            hint: mirrors drop a package soon after its successor: name a directory that has the .deb with --package-dir, \
            or a mirror that keeps old versions with --mirror; or move the lock: \
            rootfs-build lock --update recipes/demo.manifest hello odd-names
            """)
        #expect(try workspace.state() == state)
        #expect(try workspace.leftovers == [])
    }

    @Test func `a directory of the user's has what the mirrors dropped, under any name`() throws {
        let world = try World.shared()
        let (workspace, server, kept) = try situation()
        let built = try workspace.build("demo", ["--package-dir", kept.string], mirror: server.uri)
        #expect(built.status == 0, "\(built.stderr)")
        #expect(built.stdout == world.built.stdout)
        // From now on the store has them.
        try removeTree(at: kept)
        try removeTree(at: workspace.path("out"))
        #expect(try workspace.build("demo", ["--offline"], mirror: server.uri).stdout == world.built.stdout)
    }

    @Test func `with all packages in directories no mirror is needed`() throws {
        let world = try World.shared()
        let (workspace, _, kept) = try situation()
        let built = try workspace.program.run([
            "recipes/demo.manifest", "--offline", "--cache", workspace.cache.string, "--package-dir", kept.string,
            "--package-dir", "mirror",
        ])
        #expect(built.status == 0, "\(built.stderr)")
        #expect(built.stdout == world.built.stdout)
    }

    @Test func `a directory that is not there is refused`() throws {
        let (workspace, server, _) = try situation()
        let refused = try workspace.build("demo", ["--package-dir", "nowhere"], mirror: server.uri)
        #expect(refused.status == 64)
        #expect(refused.stderr == "error: --package-dir: there is no directory \(workspace.path("nowhere"))\n")
    }
}
