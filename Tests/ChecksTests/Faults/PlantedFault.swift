import Checks
import Testing

/// A change to the good tree, and what has to be said of it.
struct PlantedFault: Sendable, CustomTestStringConvertible {
    var name: String
    var changes: [String: HandmadeTree.Entry?]
    var id: String
    var severity = Severity.error
    /// What one of the lines of the finding has to say.
    var says: String
    var testDescription: String { name }
}

/// A fault of a tree that a test makes of parts.
struct PartsFault<Parts>: Sendable, CustomTestStringConvertible {
    var id: String
    var severity: Severity = .error
    /// Words of the message or its reasons.
    var says: String
    var plant: @Sendable (inout Parts) -> Void

    var testDescription: String { "\(id): \(says)" }
}

/// Expects that messages or reasons of findings have these words.
func expect(_ found: [Finding], say words: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let text = found.flatMap { [$0.message] + $0.reasons }.joined(separator: "\n")
    #expect(text.contains(words), "\(text)", sourceLocation: sourceLocation)
}

extension PlantedFault {
    /// Expects the fault's finding among these, and gives it back.
    @discardableResult
    func expectFound(
        in found: [Finding], alsoInRemedy: Bool = false, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Finding {
        let first = try #require(
            found.first { $0.id == id }, "found \(found.map(\.id))", sourceLocation: sourceLocation)
        #expect(first.severity == severity, sourceLocation: sourceLocation)
        let lines = [first.message] + first.reasons + (alsoInRemedy ? [first.remedy ?? ""] : [])
        #expect(lines.contains { $0.contains(says) }, "\(lines)", sourceLocation: sourceLocation)
        return first
    }
}
