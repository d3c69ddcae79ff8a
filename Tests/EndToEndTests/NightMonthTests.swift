import ArchiveFixture
import RootfsModel
import Storage
import SystemPackage
import Testing

/// Thirty nights, twelve of them with a change in the archive, four of these bad.
@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct NightMonthTests {
    private static let large = (0..<6_000_000).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8 ^ $0 >> 16) }

    /// What the archive does before a night, by the night's number.
    private static let changes: [Int: @Sendable (Nights) throws -> Void] = [
        3: { try $0.move("hello", to: "2.11-1") },
        5: { nights in
            var fix = try #require(nights.packages.first { $0.name == "odd-names" })
            fix.version = "1.1"
            nights.security = [fix]
        },
        8: {
            try $0.move("libdaemon", to: "2.0") {
                $0.files = (try? Nights.daemon(soname: "libgcrypt.so.99")[0].files) ?? []
            }
        },
        9: { try $0.move("libdaemon", to: "2.1") { $0.files = (try? Nights.daemon(soname: nil)[0].files) ?? [] } },
        12: { try $0.move("hello", to: "2.12-1") { $0.files.append(.file("usr/share/hello/words", "boots badly\n")) } },
        14: { try $0.move("hello", to: "2.13-1") { $0.files.removeLast() } },
        18: { try $0.move("linux-image-builtin", to: "6.1.1-2") },
        20: { try $0.move("hello", to: "2.14-1") { $0.files.append(.file("usr/share/hello/large", bytes: large)) } },
        21: { try $0.move("hello", to: "2.15-1") { $0.files.removeLast() } },
        25: {
            try $0.move("daemon", to: "2.0") { $0.files.append(.file("usr/bin/gain", "#!/bin/sh\n", mode: 0o4755)) }
        },
        26: { try $0.move("daemon", to: "2.1") { $0.files.removeLast() } },
    ]

    @Test func `a month ends with the right thirty decisions`() throws {
        let nights = try Nights("{keep: {nights: 5, weeks: 2}}")
        try nights.workspace.recipe(
            "demo", Nights.recipe("{keep: {nights: 5, weeks: 2}}").replacing("[hello]", with: "[hello, odd-names]"))
        var decisions = ""
        var closed = [String]()
        for number in 1...30 {
            if let change = Self.changes[number] {
                try change(nights)
                try nights.publish()
            }
            let night = try nights.night()
            let decision = try #require(night.record["decision"].string, "\(night.ending.stderr)")
            decisions += decision.prefix(1)
            #expect(night.ending.status == (["unchanged", "accepted"].contains(decision) ? 0 : 1))
            let gates = night.record["gates"].list.filter { $0["outcome"].string == "refused" }
            if decision == "refused" {
                closed.append("\(number) \(gates.compactMap { $0["name"].string }.joined(separator: " "))")
            }
        }
        // Accepted, unchanged, refused.
        #expect(decisions == "auauauurauurrauuuaurauuurauuuu")
        #expect(closed == ["8 findings", "12 boot", "13 boot", "20 size-growth", "25 new-setuid"])
        // Of eight accepted builds the last five stay, and all four that were refused.
        let versions = try nights.versions()
        #expect(versions.count { $0.hasSuffix("-refused") } == 4 && versions.count == 9, "\(versions)")
        let changelog = try nights.workspace.text("out/demo.nights/CHANGELOG.md")
        #expect(changelog.ranges(of: "<!-- ").count == 8)
        #expect(changelog.contains("- upgraded odd-names from 1.0 to 1.1 (security)\n"))
        // What is in place is what the lock says.
        #expect(untimed(try nights.workspace.build("demo").stderr) == "demo: fresh, nothing to do\n")
        #expect(try nights.workspace.program.run(["verify", "out/demo", "--quiet"]).status == 0)
    }
}
