import Provisioning
import RootfsModel

/// The differences that have a reason, read from a text: a line each, `RECIPE PATTERN FIELDS CAUSE`.
///
/// RECIPE is a recipe's name or `*`, the pattern one for paths as in a recipe's `remove`, the fields those of
/// `Difference.Field`, joined by commas. `#` begins a comment line.
struct Allowances {
    struct Entry {
        var location: SourceLocation
        var recipe: String
        var pattern: Glob
        var fields: Set<String>

        func allows(_ difference: Difference) -> Bool {
            fields.contains(difference.field.rawValue) && pattern.matches(difference.path)
        }
    }

    let entries: [Entry]

    init(parsing text: String, name: String) throws {
        let source = SourceText(name: name, text: text)
        var mistakes = [Failure]()
        var entries = [Entry]()
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: true)
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            let location = source.location(line: index + 1, column: 1, length: line.count)
            guard words.count == 4 else {
                mistakes.append(Failure("an allowance has a recipe, a pattern, fields and a cause", at: location))
                continue
            }
            let fields = words[2].split(separator: ",").map(String.init)
            for field in fields where Difference.Field(rawValue: field) == nil {
                let known = Difference.Field.allCases.map(\.rawValue)
                mistakes.append(
                    Failure(
                        "there is no field \(field)", at: location,
                        hint: nearestName(to: field, among: known).map { "did you mean \($0)?" }))
            }
            entries.append(
                Entry(
                    location: location, recipe: String(words[0]), pattern: try Glob(String(words[1])),
                    fields: Set(fields)))
        }
        if !mistakes.isEmpty { throw Failures(mistakes) }
        self.entries = entries
    }

    /// What is wrong with these differences of a recipe: those that no entry allows, and the entries that allow none.
    func judge(_ differences: [Difference], of recipe: String) -> [String] {
        let own = entries.filter { $0.recipe == "*" || $0.recipe == recipe }
        let others = differences.filter { difference in !own.contains { $0.allows(difference) } }
        let idle = own.filter { entry in !differences.contains { entry.allows($0) } }
        return others.map { "\(recipe): \($0.text)" }
            + idle.map { "\($0.location.file):\($0.location.line): allows nothing in \(recipe): \($0.location.text)" }
    }
}
