import ArchiveFixture
import Debian
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import DebianArchive

@Suite(.enabled(if: FixtureKey.isPossible, "gpg is not installed"))
struct BadArchiveTests {
    @Test func anUnknownSuite() throws {
        let site = try ArchiveSite()
        #expect(
            site.failure([site.request("bookwrm")]) == """
                error: unknown suite `bookwrm`: there is no http://SERVER/dists/bookwrm/InRelease
                hint: did you mean `bookworm`?
                """)
        #expect(
            site.failure([site.request("forky")]) == """
                error: unknown suite `forky`: there is no http://SERVER/dists/forky/InRelease
                hint: check archive.suite and archive.pockets in the recipe, and that the mirror keeps this suite
                """)
    }

    @Test func anUnreachableMirror() throws {
        let site = try ArchiveSite()
        let closed = try FixtureServer(serving: site.archive.root)
        closed.stop()
        let message = site.failure([site.request(at: closed.uri)]).replacing(closed.uri, with: "http://CLOSED")
        #expect(
            message == """
                error: cannot fetch the Release file of bookworm: http://CLOSED/dists/bookworm/InRelease: Couldn't connect \
                to server (Connection refused)
                hint: check the network and the proxy settings, or name another mirror with --mirror
                """)
    }

    @Test func theWrongKey() throws {
        let site = try ArchiveSite()
        let other = try FixtureKey()
        var request = site.request()
        request.keyrings = [other.keyring]
        let signer = try site.fetch([site.request()])[0].signers[0]
        #expect(
            site.failure([request]).replacing(other.keyring.string, with: "OTHER") == """
                error: http://SERVER/dists/bookworm/InRelease is signed by key \(signer.suffix(16)), and OTHER does not hold it
                hint: if you trust this archive, name the keyring that holds its key in the recipe's archive.keyring
                """)
        request.keyrings = [other.keyring, site.archive.key.armored]
        #expect(try site.fetch([request])[0].signers == [signer])
        // A candidate's own keyring stands for the request's, and does not add to it.
        request.keyrings = [other.keyring]
        request.candidates[0].keyrings = [site.archive.key.keyring]
        #expect(try site.fetch([request])[0].signers == [signer])
        request.keyrings = [site.archive.key.keyring]
        request.candidates[0].keyrings = [other.keyring]
        #expect(site.failure([request]).hasPrefix("error: http://SERVER/dists/bookworm/InRelease is signed by key"))
    }

    @Test func anExpiredRelease() throws {
        var site = try ArchiveSite()
        site.suite.validUntil = fixtureDate + 7 * 86_400
        try site.archive.write(site.suite)
        #expect(
            site.failure([site.request()], now: fixtureDate + 8 * 86_400) == """
                error: http://SERVER/dists/bookworm/InRelease has expired: it was made Thu, 01 Jan 2026 00:00:00 UTC and valid \
                until Thu, 08 Jan 2026 00:00:00 UTC; this host's clock says Fri, 09 Jan 2026 00:00:00 UTC
                hint: the mirror no longer follows its archive, or this host's clock is wrong; name another mirror with --mirror
                """)
        #expect(try site.fetch([site.request()], now: fixtureDate + 7 * 86_400).count == 1)
    }

    @Test func aChangedReleaseFile() throws {
        let site = try ArchiveSite()
        let path = site.archive.root.appending("dists/bookworm/InRelease")
        let text = String(decoding: try readFile(at: path), as: UTF8.self)
        try writeFile(Array(text.replacing("Suite: bookworm", with: "Suite: bookwurm").utf8), to: path)
        let message = site.failure([site.request()])
        #expect(message.hasPrefix("error: http://SERVER/dists/bookworm/InRelease has a bad signature of key "))
        #expect(
            site.store.store.record("inrelease-\(Digest(hashing: "\(site.server.uri)/dists/bookworm/InRelease").hex)")
                == nil)
    }

    @Test func textAroundTheSignedTextCountsForNothing() throws {
        let site = try ArchiveSite()
        let path = site.archive.root.appending("dists/bookworm/InRelease")
        let signed = try readFile(at: path)
        let other = try site.archive.key.clearSigned(Array("Origin: Evil\n".utf8))
        // Two signed texts in one file are refused; anything before the first is too.
        try writeFile(signed + other, to: path)
        #expect(
            site.failure([site.request()]).hasPrefix(
                "error: http://SERVER/dists/bookworm/InRelease has a bad signature"))
        try writeFile(Array("Origin: Evil\n\n".utf8) + signed, to: path)
        #expect(
            site.failure([site.request()]).hasPrefix("error: http://SERVER/dists/bookworm/InRelease is not signed: "))
        try writeFile(signed + Array("\nOrigin: Evil\n".utf8), to: path)
        #expect(try site.fetch([site.request()])[0].release.origin == "Debian")
    }

    @Test func anUnsignedReleaseFile() throws {
        let site = try ArchiveSite()
        try writeFile(
            Array("<html>Please log in</html>".utf8), to: site.archive.root.appending("dists/bookworm/InRelease"))
        #expect(
            site.failure([site.request()]) == """
                error: http://SERVER/dists/bookworm/InRelease is not signed: it is no InRelease file
                hint: the address may lead to a log-in page or a directory listing instead of a Debian archive
                """)
    }

    @Test func aSuiteUnderAnothersName() throws {
        let site = try ArchiveSite()
        var suite = site.suite
        suite.suite = "oldstable"
        suite.codename = "bullseye"
        try site.archive.write(suite)
        #expect(
            site.failure([site.request()])
                == "error: http://SERVER/dists/bookworm/InRelease is of suite `oldstable` (bullseye), not of bookworm")
    }

    @Test func anUnknownComponentAndArchitecture() throws {
        let site = try ArchiveSite()
        var request = site.request()
        request.components = ["mian"]
        #expect(
            site.failure([request]) == """
                error: the archive http://SERVER has no component `mian` in bookworm: it has main
                hint: did you mean `main`?
                """)
        request.components = ["main"]
        request.architecture = "amd46"
        #expect(
            site.failure([request]) == """
                error: the archive http://SERVER has no architecture `amd46` in bookworm: it has all, amd64
                hint: did you mean `amd64`?
                """)
    }

    @Test func anIndexThatIsNotWhatInReleaseSays() throws {
        let site = try ArchiveSite()
        let xz = "dists/bookworm/main/binary-amd64/Packages.xz"
        let bytes = try readFile(at: site.archive.root.appending(FilePath(xz).components))
        let byHash = "dists/bookworm/main/binary-amd64/by-hash/SHA256/\(Digest(hashing: bytes).hex)"
        site.server.inject(.wrongBytes, at: xz)
        site.server.inject(.longer(by: 1), at: byHash)
        var changed = bytes
        changed[0] ^= 0xff
        #expect(
            site.failure([site.request()]) == """
                error: cannot fetch the package index of main from any of its 2 locations
                  http://SERVER/\(byHash): it has at least \(bytes.count + 1) bytes, not \(bytes.count)
                  http://SERVER/\(xz): its digest is \(Digest(hashing: changed)), not \(Digest(hashing: bytes))
                hint: the mirror may be in the middle of an update or a proxy may have damaged the file; try again later \
                or name another mirror with --mirror
                """)
    }

    @Test func aPackageThatIsNotWhatItsIndexSays() throws {
        var site = try ArchiveSite()
        let wrong = Digest(hashing: "something else")
        site.suite.wrongDigests = ["hello": wrong]
        site.suite.wrongSizes = ["libc6": 77]
        try site.archive.write(site.suite)
        let suite = try site.fetch([site.request()])[0]
        var client = try site.client()
        let files = try site.files(suite)
        let message = thrownText(hiding: site.secrets) { _ = try client.fetch(files) }
        let hello = try site.suite.packages[0].deb()
        #expect(
            message == """
                error: cannot fetch 2 of 3 files
                  hello 1:2.10-3: http://SERVER/pool/main/h/hello/hello_2.10-3_all.deb: its digest is \
                \(Digest(hashing: hello)), not \(wrong)
                  libc6 2.36: http://SERVER/pool/main/l/libc6/libc6_2.36_amd64.deb: it has at least \
                \(try site.suite.packages[1].deb().count) bytes, not 77
                hint: the mirror may be in the middle of an update or a proxy may have damaged the file; try again later \
                or name another mirror with --mirror
                """)
        #expect(site.store.store.file(wrong) == nil && site.store.store.file(Digest(hashing: hello)) == nil)
        #expect(try directoryNames(at: site.store.store.root.appending("tmp")).isEmpty)
    }

    @Test func aMissingKeyring() {
        #expect(
            thrownText { _ = try DebianArchive.Distribution.debian.keyring(recipe: "/nowhere/keys.asc") }
                == "error: cannot check the archive's signature: there is no keyring /nowhere/keys.asc")
    }

    @Test(.enabled(if: !exists("/usr/share/keyrings/ubuntu-archive-keyring.gpg"), "this host has Ubuntu's keyring"))
    func aKeyringThatTheHostDoesNotHave() {
        #expect(
            thrownText { _ = try DebianArchive.Distribution.ubuntu.keyring(recipe: nil) } == """
                error: cannot check the archive's signature: there is no keyring /usr/share/keyrings/ubuntu-archive-keyring.gpg
                hint: apt-get install ubuntu-keyring, or name a keyring in the recipe's archive.keyring
                """)
    }

    @Test func noProgramThatChecksSignatures() throws {
        let site = try ArchiveSite()
        var client = try ArchiveClient(
            store: site.store.store, offline: false, options: fast, verifierDirectories: ["/nowhere"])
        #expect(
            thrownText { _ = try client.fetchSuites([site.request()], now: fixtureDate) } == """
                error: cannot check the archive's signature: this host has neither gpgv nor sqv
                hint: apt-get install gpgv
                """)
    }

    @Test func thirdPartiesAmongTheHostsSourcesStopNothing() throws {
        let site = try ArchiveSite()
        let closed = try FixtureServer(serving: site.archive.root)
        closed.stop()
        let foreign = try FixtureArchive(key: FixtureKey())
        var docker = site.suite
        docker.origin = "Docker"
        try foreign.write(docker)
        let uris = [closed.uri, foreign.uri, site.server.uri]
        var host = HostSources()
        try host.parse(
            Array(uris.map { "deb \($0) bookworm main\n" }.joined().utf8), file: "/etc/apt/sources.list", deb822: false)
        let mirrors = try Mirrors(
            distribution: .debian, suite: "bookworm", components: ["main"], architecture: "amd64", commandLine: nil,
            recipe: nil,
            host: host)
        var request = try SuiteRequest.pockets(
            [], of: mirrors, components: ["main"], architecture: "amd64", recipeKeyring: site.archive.key.keyring)[0]
        #expect(try site.fetch([request])[0].mirrors == [site.server.uri])
        // Not even one that the keyring knows, if it is of another origin.
        request.keyrings.append(foreign.key.keyring)
        #expect(try site.fetch([request])[0].mirrors == [site.server.uri])
        request.candidates.removeLast()
        let message = site.failure([request]).replacing(closed.uri, with: "http://CLOSED").replacing(
            foreign.uri, with: "FOREIGN")
        #expect(
            message == """
                error: none of 2 mirrors serves the suite bookworm
                  cannot fetch the Release file of bookworm: http://CLOSED/dists/bookworm/InRelease: Couldn't connect to server \
                (Connection refused)
                  FOREIGN/dists/bookworm/InRelease is of Docker, not of Debian
                hint: check the network and the proxy settings, or name another mirror with --mirror
                """)
    }
}
