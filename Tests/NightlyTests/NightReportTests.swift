import Foundation
import FoundationXML
import Recipes
import Testing

@testable import Nightly

/// The reports of nights whose texts are anybody's.
@Suite struct NightReportTests {
    private static let hostile = "</script><b> & \"'] ]]> `|` * \u{202E}\u{0} \u{1}\n# x"

    private func record(_ decision: NightRecord.Decision = .refused) -> NightRecord {
        var record = NightRecord(recipe: "r", name: "demo", seconds: 1_795_500_000, toolVersion: "1")
        record.decision = decision
        record.because = Self.hostile
        record.gates = [
            NightRecord.Gate(name: "boot", outcome: .refused, because: Self.hostile, evidence: [Self.hostile]),
            NightRecord.Gate(name: "unpinned", outcome: .passed, because: "", evidence: []),
            NightRecord.Gate(name: "reproduced", outcome: .off, because: "not asked", evidence: []),
        ]
        record.moved = [
            NightRecord.Move(
                kind: "upgraded", name: Self.hostile, old: "1", new: "2", security: true,
                vulnerabilities: ["CVE-2026-1"],
                changelog: ["* fixed", Self.hostile])
        ]
        record.failures = [NightRecord.Mistake(message: Self.hostile, notes: [Self.hostile], hint: Self.hostile)]
        record.figures = NightRecord.Figures(
            imageHash: "sha256:1", contentHash: "sha256:2", imageSize: 10, usedSize: 5, packages: 3, buildSeconds: 1,
            bootSeconds: nil)
        return record
    }

    private func file(_ name: String, _ record: NightRecord, since kept: [NightRecord] = []) throws -> String {
        let files = try NightReport().files(of: record, since: kept, "1")
        return String(decoding: try #require(files.first { $0.name == name }).bytes, as: UTF8.self)
    }

    @Test func `JUnit's XML is well-formed and counts`() throws {
        let text = try file("junit.xml", record())
        let parser = XMLParser(data: Data(text.utf8))
        #expect(parser.parse(), "\(String(describing: parser.parserError))\n\(text)")
        #expect(text.contains("tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\""), "\(text)")
        #expect(text.contains("timestamp=\"2026-11-24T06:00:00\""), "\(text)")
    }

    @Test func `nothing in Markdown and on the page is a mark`() throws {
        let markdown = try file("report.md", record())
        #expect(!markdown.contains("<b>") && !markdown.contains("`|`") && !markdown.contains("\n# x"))
        #expect(markdown.contains("| boot | **refused** | "))
        let page = try file("report.html", record(), since: [record(.accepted), record(.accepted)])
        #expect(!page.contains("<b>") && page.contains("&lt;b&gt;") && !page.contains("\u{202E}"))
        #expect(page.ranges(of: "</script>").count == 2)
        #expect(page.ranges(of: "<svg class=\"trend\"").count == 3, "no chart of boots without a boot")
        #expect(page.contains("Content-Security-Policy"))
    }

    @Test func `the record comes back as it was`() throws {
        let text = try file("nightly.json", record())
        let back = try JSONDecoder().decode(NightRecord.self, from: Data(text.utf8))
        #expect(back.gates == record().gates && back.moved == record().moved && back.figures == record().figures)
        #expect(back.decision == .refused && back.moment == "2026-11-24T06:00:00Z")
    }

    @Test func `a changelog has each version once, the newest first, and its fixes by number`() {
        var night = record(.accepted)
        night.moved[0].name = "hello"
        let first = ImageChangelog.adding(ImageChangelog.entry(of: night, nil), of: "v1", to: "", name: "demo")
        let both = ImageChangelog.adding("## later\n", of: "v2", to: first, name: "demo")
        #expect(
            both.hasPrefix("# demo\n\n<!-- v2 -->\n## later\n\n<!-- v1 -->\n## 2026-11-24 06:00:00 UTC\n"), "\(both)")
        #expect(
            both.contains("\nCloses CVE-2026-1.\n\n- upgraded hello from 1 to 2 (security): CVE-2026-1\n  - fixed\n"))
        #expect(ImageChangelog.adding("again", of: "v1", to: both, name: "demo") == both)
    }
}
