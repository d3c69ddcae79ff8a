import RootfsModel
import Testing

@testable import Comparing

/// Texts that are none, that are too large, that nobody is to see; names that are no UTF-8.
@Suite struct TextTests {
    private func patch(_ old: HandmadeSide.Entry?, _ new: HandmadeSide.Entry?, at path: String = "etc/x.conf") throws
        -> FilePatch
    {
        let base = HandmadeSide(entries: ["etc/keep": .file("")])
        return try #require(
            comparison(base.with([path: old]), base.with([path: new])).configuration.first { $0.path == "/" + path })
    }

    @Test func aBinaryNamedAsAConfigurationIsToldAsSuch() throws {
        #expect(try patch(.bytes([0, 1, 2]), .bytes([0, 1, 3])).omitted == "binary")
        #expect(try patch(.file("text\n"), .bytes([0xFF, 0xFE, 0x41])).omitted == "binary")
    }

    @Test func aHugeTextIsNotShown() throws {
        let huge = String(repeating: "line\n", count: 300_000)
        let made = try patch(.file(huge), .file(huge + "one more\n"))
        #expect(made.omitted == "too large")
        #expect(made.newSize == 1_500_009)
    }

    @Test func keysAreNotShown() throws {
        #expect(try patch(.file("a\n"), .file("b\n"), at: "etc/ssl/private/server.conf").omitted == "secret")
        let key = "-----BEGIN PRIVATE KEY-----\nMII\n"
        #expect(try patch(nil, .file(key)).omitted == "secret")
    }

    @Test func withoutContentsTheTextsAreMissingAndThatIsSaid() throws {
        var old = HandmadeSide(entries: ["etc/x.conf": .file("a\n")])
        old.hasContents = false
        let result = try comparison(old, HandmadeSide(entries: ["etc/x.conf": .file("b\n")]))
        #expect(result.configuration.map(\.omitted) == ["not at hand"])
        #expect(result.notCompared.contains { $0.what == "texts" })
    }

    @Test func namesThatAreNoTextStayApart() throws {
        #expect(shownText(Array("usr/é x".utf8)) == "usr/é x")
        #expect(shownText([0x61, 0xFF]) == #"a\377"#)
        #expect(shownText([0x61, 0xFE]) == #"a\376"#)
        #expect(shownText(Array("a\n\u{7F}\\".utf8)) == #"a\012\177\134"#)
        #expect(shownText(Array("plain".utf8)) == "plain")
        #expect(shownText([0xC3]) == #"\303"#)
    }

    @Test func aTerminalIsToldNoCommands() throws {
        let result = try comparison(
            HandmadeSide(entries: ["etc/x.conf": .file("a\n")]),
            HandmadeSide(entries: ["etc/x.conf": .file("\u{1B}[2Jb\n"), "etc/\u{1B}[2J": .file("")]))
        #expect(!result.text(.patch).contains("\u{1B}"))
    }

    @Test func theMarkdownKeepsItsLimitAndSaysWhatItLeftOut() throws {
        var entries = [String: HandmadeSide.Entry]()
        for number in 0..<400 {
            entries["etc/many-\(number).conf"] = .file((0..<20).map { "setting \($0) of \(number)\n" }.joined())
        }
        entries["etc/sudoers.d/x"] = .file("ALL\n")
        let result = try comparison(HandmadeSide(entries: [:]), HandmadeSide(entries: entries))
        let text = result.markdown()
        #expect(text.utf8.count <= 60_000)
        #expect(text.contains("/etc/sudoers.d/x is new"))
        #expect(text.contains("_Left out"))
        // What was opened is closed.
        #expect(text.ranges(of: "<details>").count == text.ranges(of: "</details>").count)
        #expect(text.ranges(of: "```").count.isMultiple(of: 2))
    }

    @Test func markdownIsNotToBeEscapedFrom() throws {
        let result = try comparison(
            HandmadeSide(entries: ["etc/x.conf": .file("a\n")]),
            HandmadeSide(entries: ["etc/x.conf": .file("```\n</details><script>\n"), "etc/<b>|`.conf": .file("x\n")]))
        let text = result.markdown()
        #expect(text.contains("````diff\n"))
        #expect(text.contains("<summary>added /etc/&lt;b&gt;|`.conf"))
        #expect(!text.contains("<summary>added /etc/<b>"))
    }

    @Test func aLockHasPackagesAlone() throws {
        var side = Comparison.Side(name: "lock", kind: .lock)
        side.packages = 3
        var lock = ComparedImage(side: side)
        lock.packages = [
            .init(name: "web", version: "2", architecture: "amd64", purpose: "layer system"),
            .init(name: "linux-image", version: "6", architecture: "amd64", purpose: "role kernel"),
        ]
        var image = ReportTests.base
        image.packages = [.init(name: "web", version: "1", architecture: "amd64")]
        let result = try compare(lock, image.image("image"))
        #expect(result.packages.map { "\($0.change.rawValue) \($0.name)" } == ["downgraded web"])
        #expect(result.packages.allSatisfy { $0.sizeDelta == nil })
        #expect(result.accounts.isEmpty && result.security.isEmpty && result.paths.isEmpty && result.sizes == nil)
        #expect(result.notCompared.contains { $0.what == "files" })
        var other = lock
        other.packages?[1].version = "7"
        #expect(try compare(lock, other).packages.map(\.name) == ["linux-image"])
    }

    @Test func whatNobodyAskedForIsNotMissed() throws {
        var base = ReportTests.base
        base.services = nil
        #expect(try comparison(base, base).notCompared == [])
        let other = base.with(["etc/web.conf": .file("listen = 8080\n")])
        #expect(try comparison(base, other).notCompared.map(\.what) == ["services"])
        #expect(try comparison(base, other, options: ComparisonOptions(sections: [.files])).notCompared == [])
    }

    @Test func ofListingsAloneNobodyIsAccused() throws {
        func listing(_ text: String) throws -> ComparedImage {
            let tree = try HandmadeSide(entries: ["usr/bin/x": .file(text, mode: 0o755)]).tree()
            return ComparedImage(side: Comparison.Side(name: "x.listing", kind: .listing), tree: tree)
        }
        let result = try compare(listing("1"), listing("2"))
        #expect(result.security.isEmpty)
        #expect(Set(result.notCompared.map(\.what)) == ["texts", "packages", "causes"])
    }

    @Test func hundredsOfOneKindAreNotAllTold() throws {
        var entries = [String: HandmadeSide.Entry]()
        for number in 0..<300 { entries["etc/ssl/certs/\(number).pem"] = .file("\(number)\n") }
        let result = try comparison(HandmadeSide(entries: [:]), HandmadeSide(entries: entries))
        #expect(result.security.count == 300)
        #expect(result.text().contains("… 292 more (--patch)"))
        #expect(result.text(.patch).contains("/etc/ssl/certs/299.pem is new"))
    }

    @Test func pathsThatAreNotAskedForAreLeftOut() throws {
        let old = HandmadeSide(entries: ["etc/a": .file("1"), "opt/b": .file("1")])
        let new = HandmadeSide(entries: ["etc/a": .file("2"), "opt/b": .file("2")])
        let only: TreePath = "opt"
        let result = try comparison(old, new, options: ComparisonOptions(includes: { $0.isWithin(only) }))
        #expect(result.paths.map(\.path) == ["/opt/b"])
        #expect(try comparison(old, new, options: ComparisonOptions(sections: [.packages])).isIdentical)
    }
}
