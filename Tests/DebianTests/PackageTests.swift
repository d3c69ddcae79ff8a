import Debian
import RootfsModel
import TestSupport
import Testing

@Suite struct RelationTests {
    @Test("alternatives, versions, qualifiers, restrictions, and the old operators")
    func parsing() throws {
        let groups = try DependencyGroup.parse(
            "a (>= 1:2-3) | b:any, c:native (<<4),, d [amd64 !hurd-any] <!nocheck> , e ( = 5 ),\n f(<6) | g (> 7)",
            context: "x")
        #expect(
            groups == [
                DependencyGroup([
                    Relation("a", .greaterOrEqual, DebianVersion("1:2-3")), Relation("b", qualifier: "any"),
                ]),
                DependencyGroup([Relation("c", qualifier: "native", .less, DebianVersion("4"))]),
                DependencyGroup([Relation("d", architectures: ["amd64", "!hurd-any"])]),
                DependencyGroup([Relation("e", .equal, DebianVersion("5"))]),
                DependencyGroup([
                    Relation("f", .lessOrEqual, DebianVersion("6")), Relation("g", .greaterOrEqual, DebianVersion("7")),
                ]),
            ])
        #expect(
            groups.map(\.description) == [
                "a (>= 1:2-3) | b:any", "c:native (<< 4)", "d", "e (= 5)", "f (<= 6) | g (>= 7)",
            ])
        #expect(try DependencyGroup.parse("", context: "x").isEmpty)
    }

    @Test(
        "what is no relation is refused",
        arguments: ["a b", "a (>= )", "a (1)", "a (>= 1", "a [amd64", "a:", "(>= 1)", "a (<", "ä"])
    func mistakes(text: String) {
        #expect(throws: Failure.self) { try DependencyGroup.parse(text, context: "Depends of x") }
    }

    @Test("the failure names field and place")
    func message() {
        #expect(throws: Failure("cannot parse Depends of x: a relation was expected at `b c`")) {
            try DependencyGroup.parse("a b c", context: "Depends of x")
        }
    }
}

@Suite struct PackageStanzaTests {
    static let text = """
        Package: nodejs
        Source: node (18.1-1)
        Version: 18.1-1+b2
        Architecture: amd64
        Multi-Arch: allowed
        Essential: no
        Important: yes
        Priority: optional
        Section: javascript
        Installed-Size: 512
        Pre-Depends: dpkg
        Depends: libc6 (>= 2.36), a | b
        Provides: node (= 18), js
        Conflicts: old
        Filename: pool/main/n/nodejs/nodejs_18.1-1+b2_amd64.deb
        Size: 77
        SHA256: 00000000000000000000000000000000000000000000000000000000000000ff
        Description: evented I/O (trailing blank)\u{20}
         more

        """

    @Test("the fields of a stanza, and its text verbatim")
    func fields() throws {
        let package = try PackageStanza(parsing: Array(Self.text.utf8), file: "x")
        #expect(package.name == "nodejs")
        #expect(package.version == DebianVersion("18.1-1+b2"))
        #expect((package.source, package.sourceVersion.text) == ("node", "18.1-1"))
        #expect((package.isEssential, package.isProtected, package.multiArch) == (false, true, .allowed))
        #expect(
            (package.priority, package.section, package.installedSize, package.size) == (
                "optional", "javascript", 512, 77
            ))
        #expect(package.sha256?.hex.hasSuffix("00ff") == true)
        #expect(package.preDepends.map(\.description) == ["dpkg"])
        #expect(package.depends.map(\.description) == ["libc6 (>= 2.36)", "a | b"])
        #expect(package.provides.map(\.description) == ["node (= 18)", "js"])
        #expect(package.raw == Array(Self.text.utf8))
        #expect(
            package.stanza.field("Description").map { String(decoding: $0.value, as: UTF8.self) }?.contains("blank) \n")
                == true)
    }

    @Test(
        "a stanza that lacks or spoils a field is refused",
        arguments: [
            ("Package: a\nVersion: 1", "cannot parse x: the stanza at line 1 has no Architecture field"),
            ("Package: a\n\nPackage: b", "cannot parse x: expected one stanza, found 2"),
            ("Package: a\nVersion: 1\nArchitecture: all\nSize: big", "cannot parse Size of a in x: `big` is no number"),
            (
                "Package: a\nVersion: 1\nArchitecture: all\nSHA256: 12",
                "cannot parse SHA256 of a in x: `12` is no digest"
            ),
            (
                "Package: a\nVersion: 1\nArchitecture: all\nDepends: b c",
                "cannot parse Depends of a in x: a relation was expected at `c`"
            ),
        ])
    func mistakes(text: String, message: String) {
        #expect(throws: Failure(message)) { try PackageStanza(parsing: Array(text.utf8), file: "x") }
    }
}

@Suite struct PackageIndexTests {
    @Test("stanzas and fields are found in place")
    func places() throws {
        let text =
            "\n\nPackage: a\nVERSION:1 \nArchitecture: all\nDepends: b,\n c\nDescription: x\n y\n\n\nPackage: b\nVersion: 2\nArchitecture: amd64"
        let index = try PackageIndex(parsing: Array(text.utf8), file: "x")
        #expect(index.count == 2)
        #expect(index.text(of: .package, in: 0) == "a")
        #expect(index.text(of: .version, in: 0) == "1")
        #expect(index.text(of: .depends, in: 0) == "b,\n c")
        #expect(index.text(of: .conflicts, in: 0) == "")
        #expect(index.text(of: .architecture, in: 1) == "amd64")
        #expect(try index.package(at: 0).depends.map(\.description) == ["b", "c"])
        #expect(try index.package(at: 1).name == "b")
        #expect(try PackageIndex(parsing: [], file: "x").count == 0)
    }

    @Test("a line or stanza that is none is shown with its place")
    func mistakes() {
        func message(_ text: String) -> String {
            do {
                _ = try PackageIndex(parsing: Array(text.utf8), file: "Packages")
                return ""
            } catch { return error.description }
        }
        #expect(
            message("Package: a\nVersion: 1\nArchitecture: all\n\nPackage: b\nnonsense\n")
                == "Packages:6:1: error: cannot parse Packages: a line that is neither field nor continuation\n 6 | nonsense\n   | ^"
        )
        #expect(
            message("Package: a\nVersion: 1\nArchitecture: all\n\nPackage: b\nVersion: 1\n")
                == "Packages:5:1: error: cannot parse Packages: a stanza without the Architecture field\n 5 | Package: b\n   | ^"
        )
        #expect(
            message(" x\n").contains("Packages:1:1: error: cannot parse Packages: a continuation line without a field"))
    }
}

@Suite struct ReleaseFileTests {
    static let text = """
        Origin: Debian
        Label: Debian-Security
        Suite: oldstable-security
        Version: 12
        Codename: bookworm-security
        Date: Sat, 11 Jul 2026 10:16:37 UTC
        Valid-Until: Sat, 18 Jul 2026 10:16:37 UTC
        Acquire-By-Hash: yes
        Architectures: amd64 arm64
        Components: updates/main contrib
        MD5Sum:
         00000000000000000000000000000000 1 main/binary-amd64/Packages
        SHA256:
         00000000000000000000000000000000000000000000000000000000000000ff      7 main/binary-amd64/Packages
         00000000000000000000000000000000000000000000000000000000000000fe 12345678901 main/binary-amd64/Packages.xz

        """

    @Test("the fields of a Release file")
    func fields() throws {
        let release = try ReleaseFile(parsing: Array(Self.text.utf8), file: "x")
        #expect(
            (release.origin, release.suite, release.codename) == ("Debian", "oldstable-security", "bookworm-security"))
        #expect(release.date == 1_783_764_997)
        #expect(release.validUntil == Int64(1_784_369_797))
        #expect(release.acquireByHash)
        #expect(release.components == ["main", "contrib"])
        #expect(release.architectures == ["amd64", "arm64"])
        #expect(release.files.count == 2)
        #expect(release.files["main/binary-amd64/Packages.xz"]?.size == 12_345_678_901)
        #expect(release.defaultPriority == 500)
        let backports = Self.text.replacing(
            "Acquire-By-Hash: yes", with: "NotAutomatic: yes\nButAutomaticUpgrades: yes")
        #expect(try ReleaseFile(parsing: Array(backports.utf8), file: "x").defaultPriority == 100)
        let experimental = Self.text.replacing("Acquire-By-Hash: yes", with: "NotAutomatic: yes")
        #expect(try ReleaseFile(parsing: Array(experimental.utf8), file: "x").defaultPriority == 1)
    }

    @Test("a Release file that is none is refused")
    func mistakes() {
        func message(_ text: String) -> String? {
            do {
                _ = try ReleaseFile(parsing: Array(text.utf8), file: "x")
                return nil
            } catch { return error.message }
        }
        #expect(message("Origin: a") == "cannot parse x: it has no Date field")
        #expect(message(Self.text.replacing("SHA256:", with: "SHA1:")) == "cannot parse x: it has no SHA256 table")
        #expect(
            message(Self.text.replacing("10:16:37 UTC\nV", with: "10:16:37 CET\nV"))
                == "cannot parse Date of x: `Sat, 11 Jul 2026 10:16:37 CET` is no date in UTC")
        #expect(message(Self.text + " 12 main\n") == "cannot parse SHA256 of x: `12 main` is no digest, size and path")
    }

    @Test("dates are read as written, and written as read")
    func dates() {
        #expect(parseArchiveDate("Thu, 01 Jan 1970 00:00:00 UTC") == 0)
        #expect(parseArchiveDate("Thu, 29 Feb 2024 23:59:59 GMT") == 1_709_251_199)
        #expect(archiveDate(-1) == "Wed, 31 Dec 1969 23:59:59 UTC")
        for text in [
            "Thu, 30 Feb 2024 00:00:00 UTC", "Thu, 29 Feb 2023 00:00:00 UTC", "Thu, 1 Foo 2024 00:00:00 UTC",
            "1 Jan 2024 00:00:00 UTC",
            "Mon, 01 Jan 2024 24:00:00 UTC", "Mon, 01 Jan 2024 00:00:00 +0100", "Mon, 01 Jan 2024 00:00 UTC", "",
        ] {
            #expect(parseArchiveDate(text) == nil, "\(text)")
        }
        var generator = SeededGenerator(seed: 12)
        for _ in 0..<2_000 {
            let seconds = Int64.random(in: 0...250_000_000_000, using: &generator)
            #expect(parseArchiveDate(archiveDate(seconds)) == seconds)
        }
    }
}
