import ArchiveFixture
import Debian
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import DebianArchive

@Suite(.enabled(if: FixtureKey.isPossible, "gpg is not installed"))
struct ArchiveClientTests {
    @Test func aSuiteIsFoundVerifiedAndRead() throws {
        let site = try ArchiveSite()
        let suites = try site.fetch([site.request()])
        #expect(suites.count == 1)
        #expect(suites[0].suite == "bookworm" && suites[0].mirrors == [site.server.uri])
        #expect(suites[0].release.codename == "bookworm" && suites[0].release.date == fixtureDate)
        #expect(suites[0].signers.count == 1)
        #expect(
            try suites[0].inReleaseDigest
                == Digest(hashing: readFile(at: site.archive.root.appending("dists/bookworm/InRelease"))))
        let index = try #require(suites[0].indexes.first)
        #expect(index.component == "main" && index.architecture == "amd64")
        #expect(try Digest(hashing: readFile(at: index.path)) == index.digest)
        #expect(suites[0].release.files["main/binary-amd64/Packages"]?.digest == index.digest)
        #expect(index.name == site.server.uri + "/dists/bookworm/main/binary-amd64/Packages")
    }

    @Test func indexesAreTakenByHashAndPackagesBesideThem() throws {
        let site = try ArchiveSite()
        let suite = try site.fetch([site.request()])[0]
        var client = try site.client()
        var arrived = [Int]()
        let files = try site.files(suite)
        let paths = try client.fetch(files, arrived: { index, _, _ in arrived.append(index) })
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
        let site = try ArchiveSite()
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
        var site = try ArchiveSite()
        let first = try site.fetch([site.request()])[0]
        site.suite.packages.append(FixturePackage("new"))
        try site.archive.write(site.suite)
        let second = try site.fetch([site.request()])[0]
        #expect(first.inReleaseDigest != second.inReleaseDigest)
        #expect(try site.files(second).map(\.what) == ["hello 1:2.10-3", "libc6 2.36", "g++ 12~3", "new 1.0"])
    }

    @Test func offlineWorksFromTheStoreAlone() throws {
        let site = try ArchiveSite()
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
        let site = try ArchiveSite()
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
        let site = try ArchiveSite()
        let bytes = noise(1_000, seed: 9)
        let path = site.store.directory.path.appending("node.tar.xz")
        try writeFile(bytes, to: path)
        var client = try site.client(offline: true)
        let kept = try client.fetch([PinnedFile(what: "node", file: path, digest: Digest(hashing: bytes))])
        #expect(try readFile(at: kept[0]) == bytes)
        #expect(kept[0] != path)
    }

    @Test func aDirectoryServesAsWell() throws {
        let site = try ArchiveSite()
        let suite = try site.fetch([site.request(at: site.archive.uri)])[0]
        var client = try site.client()
        let files = try site.files(suite)
        #expect(try client.fetch(files).count == 3)
        #expect(site.server.requests.isEmpty)
    }

    @Test(arguments: [[".gz"], [""], [".xz", ""]], [true, false])
    func everyFormOfAnIndexIsRead(forms: [String], listsText: Bool) throws {
        var site = try ArchiveSite()
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
        let site = try ArchiveSite()
        let xz = "dists/bookworm/main/binary-amd64/Packages.xz"
        let digest = try Digest(hashing: readFile(at: site.archive.root.appending(FilePath(xz).components)))
        site.server.inject(.status(404), at: xz)
        site.server.inject(.status(404), at: "dists/bookworm/main/binary-amd64/by-hash/SHA256/\(digest.hex)")
        let suite = try site.fetch([site.request()])[0]
        #expect(try site.files(suite).count == 3)
    }

    @Test func theIndexOfAllIsReadWhereItStandsApart() throws {
        let site = try ArchiveSite()
        var suite = site.suite
        suite.fields = ["No-Support-for-Architecture-all": "", "Architectures": "all amd64"]
        try site.archive.write(suite)
        // It lists no index of its own for `all`, so there is one.
        #expect(try site.fetch([site.request()])[0].indexes.map(\.architecture) == ["amd64"])
    }

    @Test func thePocketsOfADebianMirrorAreFound() throws {
        let site = try ArchiveSite()
        for name in ["bookworm-updates", "bookworm-security"] {
            var pocket = FixtureSuite(
                name, packages: [FixturePackage("hello", version: name == "bookworm-updates" ? "3" : "4")])
            pocket.suite = "oldstable" + name.dropFirst(8)
            // Debian's security archive spells its components so.
            if name.hasSuffix("security") { pocket.fields = ["Components": "updates/main"] }
            try site.archive.write(pocket)
        }
        let mirrors = try Mirrors(
            distribution: .debian, suite: "bookworm", components: ["main"], architecture: "amd64",
            commandLine: site.archive.uri,
            recipe: nil, host: HostSources())
        let requests = try SuiteRequest.pockets(
            [.updates, .security], of: mirrors, components: ["main"], architecture: "amd64",
            recipeKeyring: site.archive.key.armored)
        // There is no …/debian-security beside it, so the same address is taken.
        let suites = try site.fetch(requests)
        #expect(suites.map(\.suite) == ["bookworm", "bookworm-updates", "bookworm-security"])
        #expect(suites.map { $0.mirrors[0] } == Array(repeating: site.archive.uri, count: 3))
    }

    @Test func severalPackagesThatAreGoneAreAllNamed() throws {
        let site = try ArchiveSite()
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

    @Test func aFileOfTheStoreThatIsShortIsFetchedAgain() throws {
        let site = try ArchiveSite()
        let file = try site.files(try site.fetch([site.request()])[0])[0]
        var client = try site.client()
        let path = try client.fetch([file])[0]
        let whole = try readFile(at: path)
        for damaged in [[], Array(whole.dropLast())] {
            try writeFile(damaged, to: path)
            #expect(try client.fetch([file]) == [path])
            #expect(try readFile(at: path) == whole)
        }
    }

    @Test func anIndexOfTheStoreThatIsDamagedIsFetchedAgain() throws {
        let site = try ArchiveSite()
        let suite = try site.fetch([site.request()])[0]
        let index = try #require(suite.indexes.first)
        var damaged = try readFile(at: index.path)
        let whole = damaged
        damaged[damaged.count / 2] ^= 1
        try writeFile(damaged, to: index.path)
        #expect(try site.fetch([site.request()])[0] == suite)
        #expect(try readFile(at: index.path) == whole)
    }

    @Test func filesWithTheSameDigestAreFetchedOnce() throws {
        let site = try ArchiveSite()
        let file = try site.files(try site.fetch([site.request()])[0])[0]
        var client = try site.client()
        let paths = try client.fetch([file, file, file])
        #expect(paths.count == 3 && Set(paths.map(\.string)).count == 1)
        #expect(site.server.requests.filter { $0.path.hasSuffix(".deb") }.count == 1)
    }

    @Test func parallelRunsShareAStore() async throws {
        let site = try ArchiveSite()
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
