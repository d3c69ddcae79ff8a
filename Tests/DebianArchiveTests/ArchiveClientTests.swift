import ArchiveFixture
import Debian
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import DebianArchive

/// A signed archive, its server, a store, and what a recipe would ask for.
private struct Site {
    let archive: FixtureArchive
    let server: FixtureServer
    let store: TemporaryStore
    var suite = FixtureSuite(
        "bookworm",
        packages: [
            FixturePackage("hello", version: "1:2.10-3", files: [.file("usr/bin/hello", "hello")]),
            FixturePackage("libc6", version: "2.36", architecture: "amd64", files: [.file("usr/lib/libc.so.6", "libc")]),
            FixturePackage("g++", version: "12~3", files: [.file("usr/bin/g++", "g++")]),
        ])

    init() throws {
        archive = try FixtureArchive(key: FixtureKey())
        server = try FixtureServer(serving: archive.root)
        store = try TemporaryStore()
        try archive.write(suite)
    }

    func request(_ suite: String = "bookworm", at uri: String? = nil) -> SuiteRequest {
        SuiteRequest(
            suite: suite, candidates: [MirrorCandidate(uri: uri ?? server.uri, source: "--mirror", origin: nil)],
            components: ["main"], architecture: "amd64", keyrings: [archive.key.keyring])
    }

    func client(offline: Bool = false) throws -> ArchiveClient {
        try ArchiveClient(store: store.store, offline: offline, options: fast)
    }

    func fetch(_ requests: [SuiteRequest], now: Int64 = fixtureDate, offline: Bool = false) throws -> [FetchedSuite] {
        var client = try client(offline: offline)
        return try client.fetchSuites(requests, now: now)
    }

    /// The packages that a suite's indexes list, as they would be asked for.
    func files(_ suite: FetchedSuite) throws -> [PinnedFile] {
        var files = [PinnedFile]()
        for index in suite.indexes {
            let text = try PackageIndex(parsing: readFile(at: index.path), file: index.name)
            for number in 0..<text.count {
                let package = try text.package(at: number)
                files.append(
                    PinnedFile(
                        package: "\(package.name) \(package.version)", poolPath: package.filename ?? "", mirrors: suite.mirrors,
                        digest: try #require(package.sha256), size: package.size ?? 0))
            }
        }
        return files
    }

    /// What differs between two runs of a test.
    var secrets: [String: String] {
        [
            server.uri: "http://SERVER", archive.key.keyring.string: "KEYRING", archive.root.string: "ARCHIVE",
            store.store.root.string: "STORE",
        ]
    }

    func failure(_ requests: [SuiteRequest], now: Int64 = fixtureDate, offline: Bool = false) -> String {
        thrownText(hiding: secrets) { _ = try fetch(requests, now: now, offline: offline) }
    }
}

@Suite(.enabled(if: FixtureKey.isPossible, "gpg is not installed"))
struct ArchiveClientTests {
    @Test func aSuiteIsFoundVerifiedAndRead() throws {
        let site = try Site()
        let suites = try site.fetch([site.request()])
        #expect(suites.count == 1)
        #expect(suites[0].suite == "bookworm" && suites[0].mirrors == [site.server.uri])
        #expect(suites[0].release.codename == "bookworm" && suites[0].release.date == fixtureDate)
        #expect(suites[0].signers.count == 1)
        #expect(
            try suites[0].inReleaseDigest == Digest(hashing: readFile(at: site.archive.root.appending("dists/bookworm/InRelease"))))
        let index = try #require(suites[0].indexes.first)
        #expect(index.component == "main" && index.architecture == "amd64")
        #expect(try Digest(hashing: readFile(at: index.path)) == index.digest)
        #expect(suites[0].release.files["main/binary-amd64/Packages"]?.digest == index.digest)
        #expect(index.name == site.server.uri + "/dists/bookworm/main/binary-amd64/Packages")
    }

    @Test func indexesAreTakenByHashAndPackagesBesideThem() throws {
        let site = try Site()
        let suite = try site.fetch([site.request()])[0]
        var client = try site.client()
        var arrived = [Int]()
        let files = try site.files(suite)
        let paths = try client.fetch(files, arrived: { index, _ in arrived.append(index) })
        #expect(arrived.sorted() == [0, 1, 2])
        for (package, path) in zip(site.suite.packages, paths) { #expect(try readFile(at: path) == package.deb()) }
        let xz = try #require(suite.release.files["main/binary-amd64/Packages.xz"]?.digest.hex)
        #expect(
            site.server.requests.map(\.path).sorted() == [
                "dists/bookworm/InRelease", "dists/bookworm/main/binary-amd64/by-hash/SHA256/\(xz)",
                "pool/main/g/g++/g++_12~3_all.deb", "pool/main/h/hello/hello_2.10-3_all.deb",
                "pool/main/l/libc6/libc6_2.36_amd64.deb",
            ])
    }

    @Test func aSecondRunDownloadsNothing() throws {
        let site = try Site()
        for run in 0..<2 {
            site.server.forgetRequests()
            let suite = try site.fetch([site.request()])[0]
            var client = try site.client()
            let files = try site.files(suite)
            #expect(try client.fetch(files).count == 3)
            if run == 1 {
                // It asks whether InRelease changed, and gets no byte.
                #expect(site.server.requests.map(\.path) == ["dists/bookworm/InRelease"])
                #expect(site.server.requests.map(\.status) == [304])
                #expect(site.server.requests.map(\.bytesSent) == [0])
            }
        }
    }

    @Test func aChangedSuiteIsNoticed() throws {
        var site = try Site()
        let first = try site.fetch([site.request()])[0]
        site.suite.packages.append(FixturePackage("new"))
        try site.archive.write(site.suite)
        let second = try site.fetch([site.request()])[0]
        #expect(first.inReleaseDigest != second.inReleaseDigest)
        #expect(try site.files(second).map(\.what) == ["hello 1:2.10-3", "libc6 2.36", "g++ 12~3", "new 1.0"])
    }

    @Test func offlineWorksFromTheStoreAlone() throws {
        let site = try Site()
        let online = try site.fetch([site.request()])
        var client = try site.client()
        let files = try site.files(online[0])
        let paths = try client.fetch(files)
        site.server.forgetRequests()
        // Long after it expired: there is nobody to ask for a newer one.
        #expect(try site.fetch([site.request()], now: fixtureDate + 400 * 86_400, offline: true) == online)
        var offline = try site.client(offline: true)
        #expect(try offline.fetch(files) == paths)
        #expect(site.server.requests.isEmpty)
    }

    @Test func offlineNamesEverythingThatIsMissing() throws {
        let site = try Site()
        #expect(
            site.failure([site.request(), site.request("bookworm-updates")], offline: true) == """
                error: cannot build offline: the store STORE lacks 2 files
                  InRelease of bookworm (http://SERVER)
                  InRelease of bookworm-updates (http://SERVER)
                hint: run once without --offline to fetch what is missing
                """)
        let suite = try site.fetch([site.request()])[0]
        var offline = try site.client(offline: true)
        let files = try site.files(suite)
        let message = thrownText(hiding: site.secrets) { _ = try offline.fetch(files) }
        #expect(
            message == """
                error: cannot build offline: the store STORE lacks 3 files
                  hello 1:2.10-3
                  libc6 2.36
                  g++ 12~3
                hint: run once without --offline to fetch what is missing
                """)
        unlink(try #require(suite.indexes.first?.path.string))
        #expect(
            site.failure([site.request()], offline: true) == """
                error: cannot build offline: the store STORE lacks 1 file
                  http://SERVER/dists/bookworm/main/binary-amd64/Packages
                hint: run once without --offline to fetch what is missing
                """)
    }

    @Test func offlineTakesFilesOfThisHost() throws {
        let site = try Site()
        let bytes = noise(1_000, seed: 9)
        let path = site.store.directory.path.appending("node.tar.xz")
        try writeFile(bytes, to: path)
        var client = try site.client(offline: true)
        let kept = try client.fetch([PinnedFile(what: "node", file: path, digest: Digest(hashing: bytes))])
        #expect(try readFile(at: kept[0]) == bytes)
        #expect(kept[0] != path)
    }

    @Test func aDirectoryServesAsWell() throws {
        let site = try Site()
        let suite = try site.fetch([site.request(at: site.archive.uri)])[0]
        var client = try site.client()
        let files = try site.files(suite)
        #expect(try client.fetch(files).count == 3)
        #expect(site.server.requests.isEmpty)
    }

    @Test(arguments: [[".gz"], [""], [".xz", ""]], [true, false])
    func everyFormOfAnIndexIsRead(forms: [String], listsText: Bool) throws {
        var site = try Site()
        site.suite.forms = forms
        site.suite.listsText = listsText
        site.suite.hasByHash = false
        try site.archive.write(site.suite)
        for _ in 0..<2 {
            let suite = try site.fetch([site.request()])[0]
            #expect(try site.files(suite).count == 3)
        }
        // The second time from the store, whether or not InRelease lists the text's digest.
        #expect(site.server.requests.count == 3)
        _ = try site.fetch([site.request()], offline: true)
    }

    @Test func aFormThatIsNotThereGivesWayToTheNext() throws {
        let site = try Site()
        let xz = "dists/bookworm/main/binary-amd64/Packages.xz"
        let digest = try Digest(hashing: readFile(at: site.archive.root.appending(FilePath(xz).components)))
        site.server.inject(.status(404), at: xz)
        site.server.inject(.status(404), at: "dists/bookworm/main/binary-amd64/by-hash/SHA256/\(digest.hex)")
        let suite = try site.fetch([site.request()])[0]
        #expect(try site.files(suite).count == 3)
    }

    @Test func theIndexOfAllIsReadWhereItStandsApart() throws {
        let site = try Site()
        var suite = site.suite
        suite.fields = ["No-Support-for-Architecture-all": "", "Architectures": "all amd64"]
        try site.archive.write(suite)
        // It lists no index of its own for `all`, so there is one.
        #expect(try site.fetch([site.request()])[0].indexes.map(\.architecture) == ["amd64"])
    }

    @Test func thePocketsOfADebianMirrorAreFound() throws {
        let site = try Site()
        for name in ["bookworm-updates", "bookworm-security"] {
            var pocket = FixtureSuite(name, packages: [FixturePackage("hello", version: name == "bookworm-updates" ? "3" : "4")])
            pocket.suite = "oldstable" + name.dropFirst(8)
            // Debian's security archive spells its components so.
            if name.hasSuffix("security") { pocket.fields = ["Components": "updates/main"] }
            try site.archive.write(pocket)
        }
        let mirrors = try Mirrors(
            distribution: .debian, suite: "bookworm", components: ["main"], architecture: "amd64", commandLine: site.archive.uri,
            recipe: nil, host: HostSources())
        let requests = SuiteRequest.pockets(
            [.updates, .security], of: mirrors, components: ["main"], architecture: "amd64", keyring: site.archive.key.armored)
        // There is no …/debian-security beside it, so the same address is taken.
        let suites = try site.fetch(requests)
        #expect(suites.map(\.suite) == ["bookworm", "bookworm-updates", "bookworm-security"])
        #expect(suites.map { $0.mirrors[0] } == Array(repeating: site.archive.uri, count: 3))
    }

    @Test func severalPackagesThatAreGoneAreAllNamed() throws {
        let site = try Site()
        let suite = try site.fetch([site.request()])[0]
        site.server.inject(.status(404), at: "pool/main/h/hello/hello_2.10-3_all.deb")
        site.server.inject(.status(404), at: "pool/main/g/g++/g++_12~3_all.deb")
        var client = try site.client()
        let files = try site.files(suite)
        let message = thrownText(hiding: site.secrets) { _ = try client.fetch(files) }
        #expect(
            message == """
                error: cannot fetch 2 of 3 files
                  hello 1:2.10-3: http://SERVER/pool/main/h/hello/hello_2.10-3_all.deb: the server answers 404 Not Found
                  g++ 12~3: http://SERVER/pool/main/g/g%2B%2B/g%2B%2B_12~3_all.deb: the server answers 404 Not Found
                hint: mirrors drop a package soon after its successor: resolve the recipe again with \
                `rootfs-build lock --update`, or name a mirror that keeps old versions (--mirror)
                """)
        // What could be had is in the store.
        #expect(site.store.store.file(files[1].digest) != nil)
    }

    @Test func filesWithTheSameDigestAreFetchedOnce() throws {
        let site = try Site()
        let file = try site.files(try site.fetch([site.request()])[0])[0]
        var client = try site.client()
        let paths = try client.fetch([file, file, file])
        #expect(paths.count == 3 && Set(paths.map(\.string)).count == 1)
        #expect(site.server.requests.filter { $0.path.hasSuffix(".deb") }.count == 1)
    }

    @Test func parallelRunsShareAStore() async throws {
        let site = try Site()
        let store = site.store.store
        let request = site.request()
        let results = try await withThrowingTaskGroup(of: [FetchedSuite].self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var client = try ArchiveClient(store: store, offline: false, options: fast)
                    return try client.fetchSuites([request], now: fixtureDate)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.count == 4 && Set(results).count == 1)
    }
}

@Suite(.enabled(if: FixtureKey.isPossible, "gpg is not installed"))
struct BadArchiveTests {
    @Test func anUnknownSuite() throws {
        let site = try Site()
        #expect(
            site.failure([site.request("bookwrm")]) == """
                error: unknown suite `bookwrm`: there is no http://SERVER/dists/bookwrm/InRelease
                hint: check archive.suite and archive.pockets in the recipe, and that the mirror keeps this suite
                """)
    }

    @Test func anUnreachableMirror() throws {
        let site = try Site()
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
        let site = try Site()
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
    }

    @Test func anExpiredRelease() throws {
        var site = try Site()
        site.suite.validUntil = fixtureDate + 7 * 86_400
        try site.archive.write(site.suite)
        #expect(
            site.failure([site.request()], now: fixtureDate + 8 * 86_400) == """
                error: http://SERVER/dists/bookworm/InRelease has expired: it was made Thu, 01 Jan 2026 00:00:00 UTC and valid \
                until Thu, 08 Jan 2026 00:00:00 UTC; now it is Fri, 09 Jan 2026 00:00:00 UTC
                hint: the mirror no longer follows its archive, or this host's clock is wrong; name another mirror with --mirror
                """)
        #expect(try site.fetch([site.request()], now: fixtureDate + 7 * 86_400).count == 1)
    }

    @Test func aChangedReleaseFile() throws {
        let site = try Site()
        let path = site.archive.root.appending("dists/bookworm/InRelease")
        let text = String(decoding: try readFile(at: path), as: UTF8.self)
        try writeFile(Array(text.replacing("Suite: bookworm", with: "Suite: bookwurm").utf8), to: path)
        let message = site.failure([site.request()])
        #expect(message.hasPrefix("error: http://SERVER/dists/bookworm/InRelease has a bad signature of key "))
        #expect(site.store.store.record("inrelease-\(Digest(hashing: "\(site.server.uri)/dists/bookworm/InRelease").hex)") == nil)
    }

    @Test func textAroundTheSignedTextCountsForNothing() throws {
        let site = try Site()
        let path = site.archive.root.appending("dists/bookworm/InRelease")
        let signed = try readFile(at: path)
        let other = try site.archive.key.clearSigned(Array("Origin: Evil\n".utf8))
        // Two signed texts in one file are refused; anything before the first is too.
        try writeFile(signed + other, to: path)
        #expect(site.failure([site.request()]).hasPrefix("error: http://SERVER/dists/bookworm/InRelease has a bad signature"))
        try writeFile(Array("Origin: Evil\n\n".utf8) + signed, to: path)
        #expect(site.failure([site.request()]).hasPrefix("error: http://SERVER/dists/bookworm/InRelease is not signed: "))
        try writeFile(signed + Array("\nOrigin: Evil\n".utf8), to: path)
        #expect(try site.fetch([site.request()])[0].release.origin == "Debian")
    }

    @Test func anUnsignedReleaseFile() throws {
        let site = try Site()
        try writeFile(Array("<html>Please log in</html>".utf8), to: site.archive.root.appending("dists/bookworm/InRelease"))
        #expect(
            site.failure([site.request()]) == """
                error: http://SERVER/dists/bookworm/InRelease is not signed: it is no InRelease file
                hint: the address may lead to a log-in page or a directory listing instead of a Debian archive
                """)
    }

    @Test func aSuiteUnderAnothersName() throws {
        let site = try Site()
        var suite = site.suite
        suite.suite = "oldstable"
        suite.codename = "bullseye"
        try site.archive.write(suite)
        #expect(
            site.failure([site.request()])
                == "error: http://SERVER/dists/bookworm/InRelease is of suite `oldstable` (bullseye), not of bookworm")
    }

    @Test func anUnknownComponentAndArchitecture() throws {
        let site = try Site()
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
        let site = try Site()
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
        var site = try Site()
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
        let site = try Site()
        var client = try ArchiveClient(store: site.store.store, offline: false, options: fast, verifierDirectories: ["/nowhere"])
        #expect(
            thrownText { _ = try client.fetchSuites([site.request()], now: fixtureDate) } == """
                error: cannot check the archive's signature: this host has neither gpgv nor sqv
                hint: apt-get install gpgv
                """)
    }

    @Test func thirdPartiesAmongTheHostsSourcesStopNothing() throws {
        let site = try Site()
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
            distribution: .debian, suite: "bookworm", components: ["main"], architecture: "amd64", commandLine: nil, recipe: nil,
            host: host)
        var request = SuiteRequest.pockets(
            [], of: mirrors, components: ["main"], architecture: "amd64", keyring: site.archive.key.keyring)[0]
        #expect(try site.fetch([request])[0].mirrors == [site.server.uri])
        // Not even one that the keyring knows, if it is of another origin.
        request.keyrings.append(foreign.key.keyring)
        #expect(try site.fetch([request])[0].mirrors == [site.server.uri])
        request.candidates.removeLast()
        let message = site.failure([request]).replacing(closed.uri, with: "http://CLOSED").replacing(foreign.uri, with: "FOREIGN")
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
