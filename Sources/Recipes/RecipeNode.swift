/// A value of a recipe as written, with its place; typing comes later. Aliases are resolved in it.
struct RecipeNode: Sendable {
    enum Content: Sendable {
        case scalar(Scalar)
        case list([RecipeNode])
        case map([Entry])
    }

    struct Scalar: Sendable {
        var text: String
        /// Not quoted, so that it may mean a number, a truth value or nothing.
        var isPlain: Bool
    }

    struct Entry: Sendable {
        var key: String
        var keyPlace: Place
        var value: RecipeNode
    }

    var content: Content
    var place: Place
    /// How many values it holds with itself, aliases counted where they are used.
    let size: Int
    /// How many levels it has: 1 for a scalar.
    let depth: Int

    init(_ content: Content, at place: Place) {
        self.content = content
        self.place = place
        switch content {
        case .scalar:
            size = 1
            depth = 1
        case .list(let items):
            size = items.reduce(1) { Self.sum($0, $1.size) }
            depth = 1 + (items.map(\.depth).max() ?? 0)
        case .map(let entries):
            size = entries.reduce(1) { Self.sum($0, $1.value.size) }
            depth = 1 + (entries.map(\.value.depth).max() ?? 0)
        }
    }

    /// Aliases can ask for more values than an Int counts.
    private static func sum(_ left: Int, _ right: Int) -> Int {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }

    /// Whether nothing is written, or `null`.
    var isNull: Bool {
        guard case .scalar(let scalar) = content, scalar.isPlain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.text)
    }

    var entries: [Entry]? {
        if case .map(let entries) = content { entries } else { nil }
    }

    /// What it is, for `found …`.
    var kindName: String {
        switch content {
        case .scalar(let scalar): isNull ? "nothing" : scalar.isPlain ? "`\(shortened(scalar.text))`" : "text"
        case .list: "a list"
        case .map: "a map"
        }
    }
}

/// A text for a message: one line of at most sixty characters.
func shortened(_ text: String) -> String {
    var result = ""
    for (count, character) in text.enumerated() {
        if count == 60 { return result + "…" }
        switch character {
        case "\n", "\r\n": result += "\\n"
        case "\t": result += "\\t"
        case _ where character.unicodeScalars.contains { $0.properties.generalCategory == .control }:
            result += "\u{FFFD}"
        default: result.append(character)
        }
    }
    return result
}
