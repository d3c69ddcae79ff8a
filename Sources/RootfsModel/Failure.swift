/// The program's exit statuses, the same for every command.
public enum ExitStatus: Int32, Sendable {
    case done = 0
    /// It worked, and the answer is no: findings, differences, a failed boot.
    case negative = 1
    case failure = 2
    /// The command line itself is wrong.
    case usage = 64
    case interrupted = 130
}

/// Where in a text something stands. Lines and columns count from 1; a column counts characters.
public struct SourceLocation: Hashable, Sendable {
    public var file: String
    public var line: Int
    public var column: Int
    /// How many characters the caret underlines.
    public var length: Int
    /// The text of the line, without its end.
    public var text: String

    public init(file: String, line: Int, column: Int, length: Int = 1, text: String) {
        self.file = file
        self.line = line
        self.column = column
        self.length = length
        self.text = text
    }
}

/// A text with a name, for pointing into it.
public struct SourceText: Sendable {
    public let name: String
    public let text: String
    private let lines: [Substring]

    public init(name: String, text: String) {
        self.name = name
        self.text = text
        self.lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    }

    /// A place in it; line and column count from 1.
    public func location(line: Int, column: Int, length: Int = 1) -> SourceLocation {
        let text = lines.indices.contains(line - 1) ? String(lines[line - 1]) : ""
        return SourceLocation(file: name, line: line, column: column, length: max(1, length), text: text)
    }
}

/// What went wrong, where, why and what to do: the one error type that reaches the user.
public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What went wrong, as a clause without a full stop: `cannot read recipes/a.manifest: no such file`.
    public var message: String
    public var location: SourceLocation?
    /// What is behind it, a line each: the chain of reasons, a script's last words.
    public var notes: [String]
    /// What to do about it.
    public var hint: String?
    public var status: ExitStatus

    public init(
        _ message: String, at location: SourceLocation? = nil, notes: [String] = [], hint: String? = nil,
        status: ExitStatus = .failure
    ) {
        self.message = message
        self.location = location
        self.notes = notes
        self.hint = hint
        self.status = status
    }

    /// `file:line:column: error: message`, the line, a caret, the notes indented by two, `hint: …`.
    public var description: String {
        var lines = [String]()
        if let location {
            lines.append("\(location.file):\(location.line):\(location.column): error: \(message)")
            let number = String(location.line)
            let margin = String(repeating: " ", count: number.count)
            // A tab keeps its width under the caret only as a tab.
            let indent = String(location.text.prefix(location.column - 1).map { $0 == "\t" ? "\t" : " " })
            lines.append(" \(number) | \(location.text)")
            lines.append(" \(margin) | \(indent)" + String(repeating: "^", count: location.length))
        } else {
            lines.append("error: \(message)")
        }
        lines += notes.map { "  " + $0 }
        if let hint { lines.append("hint: \(hint)") }
        return lines.joined(separator: "\n")
    }
}

/// Several mistakes found in one go, in the order of the text.
public struct Failures: Error, Hashable, Sendable, CustomStringConvertible {
    public var all: [Failure]

    public init(_ all: [Failure]) {
        self.all = all
    }

    public var description: String { all.map(\.description).joined(separator: "\n") }
}
