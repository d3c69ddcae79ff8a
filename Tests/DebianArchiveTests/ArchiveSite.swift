import ArchiveFixture
import Debian
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import DebianArchive

/// A signed archive, its server, a store, and what a recipe would ask for.
struct ArchiveSite {
    let archive: FixtureArchive
    let server: FixtureServer
    let store: TemporaryStore
    var suite = FixtureSuite(
        "bookworm",
        packages: [
            FixturePackage("hello", version: "1:2.10-3", files: [.file("usr/bin/hello", "hello")]),
            FixturePackage(
                "libc6", version: "2.36", architecture: "amd64", files: [.file("usr/lib/libc.so.6", "libc")]),
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
                        package: "\(package.name) \(package.version)", poolPath: package.filename ?? "",
                        mirrors: suite.mirrors,
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
