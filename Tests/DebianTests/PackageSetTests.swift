import Debian
import Testing

@Suite struct PackageSetTests {
    private static func stanza(_ text: String) throws -> PackageStanza {
        try PackageStanza(parsing: Array((text + "\nArchitecture: all\n").utf8), file: "control")
    }

    @Test func aNameCountsBeforeWhatIsProvidedAndVersionsCount() throws {
        let set = try PackageSet([
            Self.stanza("Package: mta\nVersion: 1\nProvides: mail, api (= 3)"),
            Self.stanza("Package: mail\nVersion: 2"), Self.stanza("Package: other\nVersion: 1"),
        ])
        #expect(set.satisfier(of: Relation("mail")) == 1)
        #expect(set.satisfier(of: Relation("mail", .less, DebianVersion("2"))) == nil)
        #expect(set.satisfier(of: Relation("api")) == 0)
        #expect(set.satisfier(of: Relation("api", .greaterOrEqual, DebianVersion("3"))) == 0)
        #expect(set.satisfier(of: Relation("api", .greater, DebianVersion("3"))) == nil)
        let asking = try Self.stanza(
            "Package: a\nVersion: 1\nPre-Depends: gone\nDepends: none | other, mail (>> 2) | api (= 4), mta:any")
        #expect(set.unsatisfied(of: asking).map(\.description) == ["gone", "mail (>> 2) | api (= 4)"])
    }
}
