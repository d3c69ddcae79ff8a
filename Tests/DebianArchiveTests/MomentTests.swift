import ArchiveFixture
import Debian
import RootfsModel
import SystemPackage
import Testing

@testable import DebianArchive

/// What the clock and a snapshot's moment decide.
@Suite(.enabled(if: FixtureKey.isPossible, "gpg is not installed")) struct MomentTests {
    private static let day: Int64 = 86_400

    private func release(_ key: FixtureKey, _ change: (inout FixtureSuite) -> Void) throws -> (
        ArchiveSite, FixtureArchive
    ) {
        var site = try ArchiveSite()
        let archive = try FixtureArchive(key: key)
        change(&site.suite)
        try archive.write(site.suite)
        return (site, archive)
    }

    private func failure(_ site: ArchiveSite, _ archive: FixtureArchive, now: Int64 = fixtureDate) -> String {
        var request = site.request(at: archive.uri)
        request.keyrings = [archive.key.keyring]
        return site.failure([request], now: now).replacing(archive.uri, with: "MIRROR")
            .replacing(archive.key.keyring.string, with: "KEYRING")
    }

    @Test func aClockThatIsYearsBehindIsNamedNotTheSignature() throws {
        // 2040-01-01 and the day after: the key is of the future for gpgv too.
        let (site, archive) = try release(FixtureKey(at: "20400101T000000")) { $0.date = 2_209_075_200 }
        let message = failure(site, archive, now: 0)
        #expect(
            message.hasPrefix(
                """
                error: the signature of MIRROR/dists/bookworm/InRelease cannot be checked: it says that it was made \
                Mon, 02 Jan 2040 00:00:00 UTC, and this host's clock says Thu, 01 Jan 1970 00:00:00 UTC
                  MIRROR/dists/bookworm/InRelease has a bad signature
                """), "\(message)")
        #expect(message.hasSuffix("\nhint: set this host's clock"))
    }

    @Test func aFileThatWasChangedIsNotTheClocksFault() throws {
        let (site, archive) = try release(FixtureKey()) { _ in }
        var request = site.request(at: archive.uri)
        request.keyrings = [try FixtureKey().keyring]
        #expect(!site.failure([request]).contains("clock"))
    }

    @Test func aKeyThatHasExpiredByThisClockIsNamedWithTheClock() throws {
        let (site, archive) = try release(FixtureKey(at: "20200101T000000", lifetime: "1d")) { _ in }
        let message = failure(site, archive)
        #expect(
            message.hasSuffix(
                """
                , which has expired or was revoked by KEYRING; this host's clock says Thu, 01 Jan 2026 00:00:00 UTC
                hint: update the keyring package, set the clock if it is wrong, or name another keyring in the recipe's \
                archive.keyring
                """), "\(message)")
    }

    private func snapshot(_ site: ArchiveSite, _ moment: Int64, _ suite: String = "bookworm", now: Int64 = fixtureDate)
        -> String
    {
        var request = site.request(suite)
        request.snapshot = moment
        return site.failure([request], now: now)
    }

    @Test func aSnapshotIsValidAtItsMomentWhateverTheClockSays() throws {
        var site = try ArchiveSite()
        site.suite.validUntil = fixtureDate + 7 * Self.day
        try site.archive.write(site.suite)
        for now in [0, fixtureDate + 10_000 * Self.day] {
            #expect(snapshot(site, fixtureDate + Self.day, now: now) == "nothing was thrown")
        }
        #expect(
            snapshot(site, fixtureDate + 8 * Self.day) == """
                error: http://SERVER/dists/bookworm/InRelease had expired at the snapshot's moment \
                Fri, 09 Jan 2026 00:00:00 UTC: it was made Thu, 01 Jan 2026 00:00:00 UTC and valid until \
                Thu, 08 Jan 2026 00:00:00 UTC
                hint: the snapshot archive has nothing newer of that moment; take another archive.snapshot
                """)
    }

    @Test func nothingIsLaterThanTheSnapshotsMoment() throws {
        let site = try ArchiveSite()
        #expect(snapshot(site, fixtureDate) == "nothing was thrown")
        #expect(
            snapshot(site, fixtureDate - 1) == """
                error: http://SERVER/dists/bookworm/InRelease was made Thu, 01 Jan 2026 00:00:00 UTC, after the snapshot's \
                moment Wed, 31 Dec 2025 23:59:59 UTC
                hint: the address leads to an archive as it is now, or to a later moment
                """)
    }

    @Test func aPocketThatTheSnapshotLacksIsNamed() throws {
        let site = try ArchiveSite()
        #expect(
            snapshot(site, fixtureDate, "bookworm-security") == """
                error: the snapshot of Thu, 01 Jan 2026 00:00:00 UTC lacks bookworm-security: there is no \
                http://SERVER/dists/bookworm-security/InRelease
                hint: take a moment that has it, or take it out of archive.pockets; the snapshot archive's address comes from \
                --mirror, archive.mirror or the host's APT sources
                """)
    }

    @Test func oneMoreArchiveIsNamedInWhatIsWrongWithIt() throws {
        let site = try ArchiveSite()
        let other = try FixtureKey()
        let location = SourceLocation(file: "r", line: 1, column: 1, text: "u")
        func extra(_ suite: String, _ keyring: FixtureKey, components: [String] = ["main"]) -> String {
            site.failure([
                SuiteRequest.extra(
                    "tools", at: site.server.uri, suite: suite, components: components, architecture: "amd64",
                    keyring: keyring.keyring, snapshot: nil, location: location)
            ])
        }
        #expect(extra("bookworm", site.archive.key) == "nothing was thrown")
        let signer = try site.fetch([site.request()])[0].signers[0]
        let place = "\n 1 | u\n   | ^\n"
        #expect(
            extra("bookworm", other).replacing(other.keyring.string, with: "OTHER") == """
                r:1:1: error: the archive tools: http://SERVER/dists/bookworm/InRelease is signed by key \
                \(signer.suffix(16)), and OTHER does not hold it\(place)\
                hint: check what archive.extra says of tools: its url, suite, components and keyring
                """)
        #expect(
            extra("bookwrm", site.archive.key) == """
                r:1:1: error: the archive tools: unknown suite `bookwrm`: there is no \
                http://SERVER/dists/bookwrm/InRelease\(place)\
                hint: did you mean `bookworm`?
                """)
        #expect(
            extra("bookworm", site.archive.key, components: ["mian"]) == """
                r:1:1: error: the archive tools: the archive http://SERVER has no component `mian` in bookworm: it has \
                main\(place)\
                hint: did you mean `main`?
                """)
    }
}

@Suite struct SnapshotAddressTests {
    private let moment: Int64 = 1_795_132_799

    private func addresses(
        _ base: String?, _ distribution: DebianArchive.Distribution = .debian, host: String = ""
    ) throws -> [String] {
        var sources = HostSources()
        try sources.parse(Array(host.utf8), file: "L", deb822: false)
        let mirrors = try Mirrors(
            distribution: distribution, suite: "bookworm", components: ["main"], architecture: "amd64",
            commandLine: base, recipe: nil, host: sources, snapshot: moment)
        return Pocket.allCases.flatMap { mirrors.candidates(for: $0).map(\.uri) }
    }

    @Test func everyPocketHasItsPlaceAtTheMomentAndNoOther() throws {
        let debian = ["debian", "debian", "debian-security", "debian"].map {
            "https://s.example.org/x/archive/\($0)/20261119T235959Z"
        }
        for address in [
            "https://s.example.org/x", "https://s.example.org/x/", "https://s.example.org/x/archive",
            "https://s.example.org/x/archive/debian/", "https://s.example.org/x/archive/debian/20200101T000000Z",
            "https://s.example.org/x/archive/debian-security/20200101T000000Z/",
        ] {
            #expect(try addresses(address) == debian)
        }
        for address in ["http://u", "http://u/ubuntu", "http://u/ubuntu/20200101T000000Z"] {
            #expect(try addresses(address, .ubuntu) == Array(repeating: "http://u/ubuntu/20261119T235959Z", count: 4))
        }
        #expect(try addresses("/srv/snap").last == "file:///srv/snap/archive/debian/20261119T235959Z")
    }

    @Test func theHostsSourcesCanLeadToASnapshotArchive() throws {
        let live = "deb http://deb.example.org/debian bookworm main\n"
        let old = "deb [check-valid-until=no] http://s.example.org/archive/debian/20200101T000000Z bookworm main\n"
        #expect(
            try addresses(nil, host: live + old)[2] == "http://s.example.org/archive/debian-security/20261119T235959Z")
        for host in ["", live, "deb http://s.example.org/other/20200101T000000Z bookworm main\n"] {
            #expect(
                thrownText { _ = try addresses(nil, host: host) } == """
                    error: no snapshot archive is known for Debian bookworm at Thu, 19 Nov 2026 23:59:59 UTC
                      none of this host's APT sources is in one
                    hint: name one with --mirror URI, or as archive.mirror in the recipe: what stands before \
                    /archive/debian/ in its addresses
                    """)
        }
    }
}
