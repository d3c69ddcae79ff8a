import ArchiveFixture
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct BadArchiveTests {
    private let layers = "layers: [{name: system, packages: [hello]}]\nkernel: none"

    /// A cold workspace with outputs of an earlier build, and a recipe `bad`.
    private func workspace(archive: String = "{suite: bookworm, keyring: keys/fixture.gpg}") throws -> Workspace {
        let workspace = try World.shared().coldWorkspace()
        try workspace.recipe("bad", layers, archive: archive)
        try workspace.previousOutputs(of: "bad")
        return workspace
    }

    /// The world's archive with one suite changed.
    private func archive(_ change: (inout FixtureSuite) throws -> Void) throws -> FixtureArchive {
        let archive = try FixtureArchive(key: World.shared().key)
        for var suite in try World.suites(World.packages()) {
            if suite.name == "bookworm" { try change(&suite) }
            try archive.write(suite)
        }
        return archive
    }

    @Test func `an unknown suite`() throws {
        let workspace = try workspace(archive: "{suite: bookwrm, keyring: keys/fixture.gpg}")
        same(
            try refusal(of: "bad", in: workspace).replacing(workspace.mirror, with: "MIRROR"),
            """
            2 error: unknown suite `bookwrm`: there is no MIRROR/dists/bookwrm/InRelease
            hint: did you mean `bookworm`?
            error: unknown suite `bookwrm-updates`: there is no MIRROR/dists/bookwrm-updates/InRelease
            hint: check archive.suite and archive.pockets in the recipe, and that the mirror keeps this suite
            error: unknown suite `bookwrm-security`: there is no MIRROR-security/dists/bookwrm-security/InRelease \
            and no MIRROR/dists/bookwrm-security/InRelease
            hint: check archive.suite and archive.pockets in the recipe, and that the mirror keeps this suite

            """)
    }

    @Test func `a mirror that nobody answers for`() throws {
        let workspace = try workspace()
        // A port that was free a moment ago and that nobody listens on.
        let server = try FixtureServer(serving: workspace.root)
        let uri = server.uri
        server.stop()
        same(
            try refusal(of: "bad", in: workspace, mirror: uri).replacing(uri, with: "MIRROR"),
            """
            2 error: cannot fetch the Release file of bookworm: MIRROR/dists/bookworm/InRelease: \
            Couldn't connect to server (Connection refused)
            hint: check the network and the proxy settings, or name another mirror with --mirror

            """)
        let nowhere = try refusal(of: "bad", in: workspace, mirror: "/nowhere/at all/debian")
        same(
            nowhere,
            """
            2 error: --mirror: there is no directory /nowhere/at all/debian to take packages from
            hint: a server's address begins with http:// or https://

            """)
        same(
            try refusal(of: "bad", in: workspace, mirror: "mirror.example.org"),
            """
            2 error: --mirror: there is no directory HERE/mirror.example.org to take packages from
            hint: a server's address begins with http:// or https://

            """)
    }

    @Test func `a mirror may be a directory, in the recipe and on the command line`() throws {
        let world = try World.shared()
        let workspace = try workspace(
            archive: "{suite: bookworm, keyring: keys/fixture.gpg, mirror: \(world.archive.root)}")
        let named = try workspace.program.run(["lock", "recipes/bad.manifest", "--cache", workspace.cache.string])
        #expect(named.status == 0, "\(named.stderr)")
        symlink(world.archive.root.string, workspace.path("an archive").string)
        let given = try workspace.run(["lock", "--update", "recipes/bad.manifest"], mirror: "an archive")
        #expect(given == .init(status: 0, stdout: named.stdout, stderr: given.stderr), "\(given.stderr)")
    }

    @Test func `a Release file that another key signed`() throws {
        let workspace = try workspace()
        let other = try FixtureKey()
        try workspace.write("keys/fixture.gpg", bytes: try readFile(at: other.keyring))
        same(
            try refusal(of: "bad", in: workspace).replacing(workspace.mirror, with: "MIRROR")
                .replacing(#/key [0-9A-F]{16}/#, with: "key KEY"),
            """
            2 error: MIRROR/dists/bookworm/InRelease is signed by key KEY, and keys/fixture.gpg does not hold it
            hint: if you trust this archive, name the keyring that holds its key in the recipe's archive.keyring

            """)
        try shell("rm keys/fixture.gpg", in: workspace.root)
        same(
            try refusal(of: "bad", in: workspace),
            """
            2 recipes/bad.manifest:3:37: error: there is no keyring keys/fixture.gpg
             3 | archive: {suite: bookworm, keyring: keys/fixture.gpg}
               |                                     ^^^^^^^^^^^^^^^^

            """)
        try workspace.write("keys/fixture.gpg", "no key\n")
        same(
            try refusal(of: "bad", in: workspace),
            "2 error: cannot read the keyring keys/fixture.gpg: it is neither binary nor armored (.asc) OpenPGP keys\n")
    }

    @Test func `a Release file that was changed after signing`() throws {
        let archive = try archive { _ in }
        let file = archive.root.appending("dists/bookworm/InRelease")
        let text = String(decoding: try readFile(at: file), as: UTF8.self)
        try writeFile(Array(text.replacing("Label: Debian", with: "Label: Nobody").utf8), to: file)
        let workspace = try workspace()
        same(
            try refusal(of: "bad", in: workspace, mirror: archive.uri).replacing(archive.uri, with: "MIRROR")
                .replacing(#/key [0-9A-F]{16}/#, with: "key KEY"),
            """
            2 error: MIRROR/dists/bookworm/InRelease has a bad signature of key KEY: it was changed after it was signed
            hint: a proxy or a broken mirror may have damaged it; name another mirror with --mirror

            """)
    }

    @Test func `a Release file that has expired`() throws {
        let archive = try archive { $0.validUntil = $0.date + 86400 * 7 }
        let workspace = try workspace()
        same(
            try refusal(of: "bad", in: workspace, mirror: archive.uri).replacing(archive.uri, with: "MIRROR")
                .replacing(#/clock says [^\n]* UTC/#, with: "clock says NOW"),
            """
            2 error: MIRROR/dists/bookworm/InRelease has expired: it was made Thu, 01 Jan 2026 00:00:00 UTC \
            and valid until Thu, 08 Jan 2026 00:00:00 UTC; this host's clock says NOW
            hint: the mirror no longer follows its archive, or this host's clock is wrong; name another mirror with --mirror

            """)
    }

    @Test func `a package that is not what the index says`() throws {
        let archive = try archive { $0.wrongDigests["hello"] = Digest(hashing: "something else") }
        let workspace = try workspace()
        _ = try workspace.run(["lock", "recipes/bad.manifest"], mirror: archive.uri)
        let hello = try #require(World.packages().first { $0.name == "hello" }).deb()
        same(
            try refusal(of: "bad", in: workspace, mirror: archive.uri).replacing(archive.uri, with: "MIRROR"),
            """
            2 error: cannot fetch a package of the lock
              hello 2.10-3 (all), \(Digest(hashing: "something else"))
                bookworm: pool/main/h/hello/hello_2.10-3_all.deb
                MIRROR/pool/main/h/hello/hello_2.10-3_all.deb: \
            its digest is \(Digest(hashing: hello)), not \(Digest(hashing: "something else"))
            hint: the mirror may be in the middle of an update or a proxy may have damaged the file; \
            try again later or name another mirror with --mirror

            """)
        // The store took the others, and nothing under the wrong name.
        #expect(
            try shell("find files -name '\(Digest(hashing: "something else").hex.dropFirst(2))'", in: workspace.cache)
                == "")
    }

    @Test func `an index that is not what the Release file says`() throws {
        let archive = try archive { $0.hasByHash = false }
        for form in ["Packages.xz", "Packages.gz"] {
            let file = archive.root.appending("dists/bookworm/main/binary-amd64").appending(form)
            var bytes = try readFile(at: file)
            bytes[bytes.count / 2] ^= 1
            try writeFile(bytes, to: file)
        }
        let workspace = try workspace()
        let text = try refusal(of: "bad", in: workspace, mirror: archive.uri).replacing(archive.uri, with: "MIRROR")
        #expect(
            text.hasPrefix(
                "2 error: cannot fetch the package index of main: MIRROR/dists/bookworm/main/binary-amd64/Packages.xz: its digest is sha256:"
            ), "\(text)")
    }

    @Test func `a download that is cut is resumed`() throws {
        let world = try World.shared()
        let server = try FixtureServer(serving: world.archive.root)
        let deb = "pool/main/d/dpkg/dpkg_1.21_amd64.deb"
        server.inject(.cut(after: 1_000_000), at: deb, times: 1)
        let workspace = try world.coldWorkspace()
        try workspace.write("recipes/demo.lock", try world.warm.text("recipes/demo.lock"))
        let built = try workspace.build("demo", mirror: server.uri)
        #expect(built.stdout == world.built.stdout, "\(built.stderr)")
        #expect(server.requests.filter { $0.path == deb }.map(\.range) == [nil, "bytes=1000000-"])
    }

    @Test func `packages that the store holds cut short are fetched again`() throws {
        let workspace = try World.shared().warmWorkspace()
        try workspace.recipe("bad", layers)
        _ = try workspace.run(["lock", "recipes/bad.manifest"])
        try shell(
            """
            for deb in files/*/*; do if grep -q 'debian-binary' "$deb"; then cp "$deb" x; rm "$deb"; head -c 300 x > "$deb"; fi; done
            rm -rf x payloads/* layers/*
            """, in: workspace.cache)
        let offline = try workspace.build("bad", ["--offline"])
        #expect(offline.status == 2)
        #expect(offline.stderr.contains("error: cannot build offline: the store "), "\(offline.stderr)")
        let built = try workspace.build("bad")
        #expect(built.status == 0, "\(built.stderr)")
    }
}
