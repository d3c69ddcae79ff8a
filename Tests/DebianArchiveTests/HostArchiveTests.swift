import ArchiveFixture
import Debian
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import DebianArchive

/// This host's own distribution and its mirrors; nil where it is another distribution or has no sources.
private let host: (mirrors: Mirrors, keyring: FilePath)? = {
    guard let release = try? readFile(at: "/etc/os-release") else { return nil }
    var values = [String: String]()
    for line in String(decoding: release, as: UTF8.self).split(separator: "\n") {
        let parts = line.split(separator: "=", maxSplits: 1)
        if parts.count == 2 { values[String(parts[0])] = parts[1].filter { $0 != "\"" } }
    }
    guard let distribution = values["ID"].flatMap({ DebianArchive.Distribution(rawValue: $0) }),
        let suite = values["VERSION_CODENAME"], let keyring = try? distribution.keyring(recipe: nil),
        let mirrors = try? Mirrors(
            distribution: distribution, suite: suite, components: ["main"], architecture: "amd64", commandLine: nil,
            recipe: nil,
            host: HostSources(readingConfigurationAt: "/etc/apt"))
    else { return nil }
    return (mirrors, keyring)
}()

/// Whether one of them answers.
private let hostAnswers: Bool = {
    guard let host, let directory = try? FixtureDirectory("probe") else { return false }
    var options = TransportOptions()
    options.attempts = 1
    options.connectTimeout = .seconds(5)
    guard var transport = try? Transport(options: options) else { return false }
    let locations = host.mirrors.candidates(for: .release).map {
        location(of: "dists/\(host.mirrors.suite)/InRelease", at: $0.uri)
    }
    let request = FetchRequest(what: "InRelease", locations: locations, content: .unpinned(limit: 64 << 20))
    guard let outcome = try? transport.fetch([request], into: directory.path)[0], case .success = outcome else {
        return false
    }
    return true
}()

/// The one suite that uses the network: this host's APT sources.
@Suite(.enabled(if: hostAnswers, "this host has no APT sources of its own distribution that answer"))
struct HostArchiveTests {
    @Test func theHostsArchiveIsFoundVerifiedAndReadAndASecondRunFetchesNothing() throws {
        let host = try #require(host)
        let temporary = try TemporaryStore()
        let now = Int64(time(nil))
        let requests = try SuiteRequest.pockets(
            [.updates, .security], of: host.mirrors, components: ["main"], architecture: "amd64",
            recipeKeyring: host.keyring)
        var results = [[FetchedSuite]]()
        for offline in [false, false, true] {
            var client = try ArchiveClient(store: temporary.store, offline: offline)
            let suites = try client.fetchSuites(requests, now: now)
            results.append(suites)
            #expect(suites.count == 3)
            #expect(suites.allSatisfy { $0.release.origin == host.mirrors.distribution.origin && !$0.signers.isEmpty })
            let index = try PackageIndex(
                parsing: readFile(at: suites[0].indexes[0].path), file: suites[0].indexes[0].name)
            #expect(index.count > 10_000)
            let number = try #require((0..<index.count).first { index.text(of: .package, in: $0) == "hello" })
            let package = try index.package(at: number)
            let file = PinnedFile(
                package: "hello", poolPath: try #require(package.filename), mirrors: suites[0].mirrors,
                digest: try #require(package.sha256), size: try #require(package.size))
            var bytes: UInt64 = 0
            let path = try client.fetch([file], progress: { bytes = $0.bytes })[0]
            #expect(try Digest(hashing: readFile(at: path)) == file.digest)
            #expect(bytes == (results.count == 1 ? file.size : 0))
        }
        #expect(results[0] == results[1] && results[1] == results[2])
    }
}
