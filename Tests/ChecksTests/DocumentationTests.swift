import Checks
import Foundation
import Testing

/// docs/check.md has every rule with its reason and its specification, and every finding's id.
@Suite struct DocumentationTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func manual() throws -> String {
        try String(contentsOf: root.appending(path: "docs/check.md"), encoding: .utf8)
    }

    /// The ids in the module's source.
    private static func ids() throws -> Set<String> {
        let directory = root.appending(path: "Sources/Checks")
        var ids = Set<String>()
        for file in try FileManager.default.subpathsOfDirectory(atPath: directory.path) where file.hasSuffix(".swift") {
            let source = try String(contentsOf: directory.appending(path: file), encoding: .utf8)
            // The role of a command is none.
            let text = source.replacing(/role: "[^"]*"/, with: "")
            for rule in allRules.map({ $0.name }) + [RunRule.name, "suppress"] {
                let literal = try Regex<(Substring, Substring)>("\"(\(rule)/[a-z0-9]+(?:-[a-z0-9]+)*)\"")
                ids.formUnion(text.matches(of: literal).map { String($0.output.1) })
            }
        }
        return ids
    }

    @Test func `rules have names of their own and stand in their order`() {
        let names = allRules.map { $0.name }
        #expect(Set(names).count == names.count)
        for name in names { #expect(name.wholeMatch(of: /[a-z]+(-[a-z]+)*/) != nil, "\(name)") }
        let types = allRules.map { "\($0)" }
        #expect(types == types.sorted())
    }

    @Test(arguments: allRules.map { $0.name }) func `each rule is told with its reason and its specification`(
        name: String
    )
        throws
    {
        let rule = try #require(allRules.first { $0.name == name })
        let manual = try Self.manual()
        let section = try #require(manual.components(separatedBy: "\n### ").first { $0.hasPrefix("`\(name)`\n") })
        let words = section.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(words.contains(rule.reason), "\(rule.reason)")
        #expect(words.contains(rule.specification), "\(rule.specification)")
    }

    @Test func `every id has a row, and no other has one`() throws {
        let rows = try Self.manual().matches(of: /\n\| `([a-z-]+\/[a-z0-9-]+)` \|/).map { String($0.output.1) }
        #expect(Set(rows).count == rows.count)
        let ids = try Self.ids()
        #expect(ids.count > 20)
        #expect(ids.subtracting(rows) == [])
        #expect(Set(rows).subtracting(ids) == [])
    }
}
