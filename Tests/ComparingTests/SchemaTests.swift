import Foundation
import TestSupport
import Testing

@testable import Comparing

/// The JSON is what docs/diff.schema.json says.
@Suite struct SchemaTests {
    private func validator() throws -> SchemaValidator {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/diff.schema.json"), encoding: .utf8)
        return SchemaValidator(root: try JSON(text: text))
    }

    private func json(_ comparison: Comparison) throws -> JSON {
        try JSON(text: String(decoding: try JSONEncoder().encode(comparison), as: UTF8.self))
    }

    @Test(arguments: ReportTests.pairs.map(\.name)) func everyReportConforms(name: String) throws {
        let pair = try #require(ReportTests.pairs.first { $0.name == name })
        var validator = try validator()
        let result = try comparison(ReportTests.base, pair.new, options: ComparisonOptions(patchesAll: true))
        #expect(try validator.accepts(json(result)))
    }

    @Test func aReportWithAnotherKeyDoesNot() throws {
        var validator = try validator()
        guard case .object(var members) = try json(comparison(ReportTests.base, ReportTests.base)) else {
            Issue.record("no object")
            return
        }
        #expect(try validator.accepts(.object(members)))
        members["more"] = .number(1)
        #expect(try !validator.accepts(.object(members)))
        members["more"] = nil
        members["paths"] = nil
        #expect(try !validator.accepts(.object(members)))
    }

    /// Keys that the schema names are not to vanish: each stands in some report.
    @Test func theSchemaNamesNothingThatNoReportHas() throws {
        let names = try validator().root["properties"]
        guard case .object(let properties)? = names else {
            Issue.record("no properties")
            return
        }
        var seen = Set<String>()
        for pair in ReportTests.pairs {
            if case .object(let members) = try json(comparison(ReportTests.base, pair.new)) {
                seen.formUnion(members.keys)
            }
        }
        #expect(seen == Set(properties.keys))
    }
}
