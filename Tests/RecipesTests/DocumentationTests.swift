import Foundation
import Recipes
import TestSupport
import Testing

/// docs/recipe.md is true to the format: each map of keys has its table there, each key a row in it.
@Suite struct DocumentationTests {
    private static func text() throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return String(decoding: try Data(contentsOf: root.appending(path: "docs/recipe.md")), as: UTF8.self)
    }

    /// The keys of every map with fixed keys.
    private static func records(in schema: JSON) -> [[String]] {
        switch schema {
        case .object(let members):
            var own: [[String]] = []
            if members["additionalProperties"] == .bool(false), case .object(let properties)? = members["properties"] {
                own = [properties.keys.sorted()]
            }
            return own + members.keys.sorted().flatMap { records(in: members[$0] ?? .null) }
        case .array(let items): return items.flatMap { records(in: $0) }
        default: return []
        }
    }

    /// The first cells of each table that has keys.
    private static func tables(in text: String) -> [[String]] {
        var tables = [[String]]()
        var isInside = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("| key |") {
                tables.append([])
                isInside = true
            } else if !line.hasPrefix("|") {
                isInside = false
            } else if isInside, let key = line.wholeMatch(of: /\| `([a-z0-9-]+)` \|.*/)?.1 {
                tables[tables.count - 1].append(String(key))
            }
        }
        return tables.map { $0.sorted() }
    }

    @Test func everyMapOfTheFormatHasATableWithItsKeysAndNoOthers() throws {
        let whole = try #require(try JSON(text: RecipeSchema.text)["$defs"]?["whole"])
        let records = Set(Self.records(in: whole))
        #expect(records.count > 15)
        let tables = Set(Self.tables(in: try Self.text()))
        #expect(tables.subtracting(records) == [])
        #expect(records.subtracting(tables) == [])
    }

    @Test func theExampleAtTheTopIsARecipe() throws {
        let text = try Self.text()
        let start = try #require(text.range(of: "```yaml\n"))
        let rest = text[start.upperBound...]
        let end = try #require(rest.range(of: "```"))
        let recipe = try load(String(rest[..<end.lowerBound]))
        #expect(recipe.services.map(\.name.value) == ["web"])
    }

    @Test func everythingThatIsRefusedAsNotSupportedYetIsListed() throws {
        let list = try #require(try Self.text().split(separator: "## Not supported yet").last)
        let golden = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden/unsupported.txt")
        let refusals = String(decoding: try Data(contentsOf: golden), as: UTF8.self)
            .matches(of: /error: ([a-z]+\.[^\n]*) is not supported yet/).map { String($0.1) }
        #expect(refusals.count == 4)
        for refusal in refusals { #expect(list.contains("`\(refusal)`"), "\(refusal)") }
    }
}
