/// What a script's words come to, as far as its text and the environment it starts with say it.
struct ShellValues: Sendable {
    private var known: [String: String] = [:]
    private var unknown: Set<String> = []
    private var assigned: Set<String> = []
    private let readsMore: Bool
    /// `$0` and the arguments; nil where these are changed or not known.
    private let arguments: [String]?

    /// A variable has a value where it is assigned once, outside of every condition, or never and is in the environment.
    init(_ script: ShellScript, environment: [String: String], arguments: [String]?) {
        readsMore = script.readsMore
        let changesArguments = script.commands.contains { command in
            let words = command.words.compactMap(\.literal)
            return words.first == "shift" || words.first == "set" && words.contains("--")
        }
        self.arguments = changesArguments || !script.functions.isEmpty ? nil : arguments
        known = environment
        var assigned = [String: (count: Int, value: ShellWord, isCertain: Bool)]()
        var order = [String]()
        for command in script.commands {
            let verb = command.words.first?.literal ?? ""
            var pairs = command.words.isEmpty ? command.assignments.compactMap(\.assignment) : []
            if ["export", "readonly", "declare", "typeset", "local"].contains(verb) {
                pairs += command.words.compactMap(\.assignment)
            } else if ["read", "unset", "getopts", "mapfile", "readarray", "printf", "for"].contains(verb) {
                unknown.formUnion(command.words.dropFirst().compactMap(\.literal))
            }
            for (name, value) in pairs {
                if assigned[name] == nil { order.append(name) }
                let before = assigned[name]?.count ?? 0
                assigned[name] = (before + 1, value, command.isCertain)
            }
        }
        self.assigned = Set(order)
        for name in order {
            guard let (count, value, isCertain) = assigned[name] else { continue }
            if count == 1, isCertain, !unknown.contains(name), let words = words(of: value, splits: false) {
                known[name] = words.joined()
            } else {
                unknown.insert(name)
            }
        }
    }

    /// What a word comes to: none, one or several; nil where that cannot be told.
    func words(of word: ShellWord, splits: Bool = true) -> [String]? {
        var words = [String]()
        var current = ""
        var isOpen = false
        for part in word.parts {
            switch part {
            case .opaque: return nil
            case .literal(let text, let isQuoted):
                if !isQuoted, splits, isPattern(text) { return nil }
                if !isQuoted, splits, !isOpen, text.hasPrefix("~") || text.contains("{") { return nil }
                current += text
                isOpen = isOpen || isQuoted || !text.isEmpty
            case .variable(let name, let fallback, let isQuoted):
                if name == "@" || name == "*" {
                    let others = word.parts.filter { $0 != .literal("", isQuoted: true) }
                    guard let arguments, others.count == 1 else { return nil }
                    return Array(arguments.dropFirst())
                }
                guard let value = value(of: name, fallback: fallback) else { return nil }
                if isQuoted || !splits {
                    current += value
                    isOpen = true
                    // The kernel takes no longer word (MAX_ARG_STRLEN).
                    if current.utf8.count > 1 << 17 { return nil }
                    continue
                }
                if isPattern(value) { return nil }
                let pieces = value.split(whereSeparator: \.isWhitespace).map(String.init)
                for (index, piece) in pieces.enumerated() {
                    if index > 0 {
                        words.append(current)
                        current = ""
                    }
                    current += piece
                    isOpen = true
                }
            }
        }
        if isOpen { words.append(current) }
        return words
    }

    /// The words of a command up to the first that cannot be told.
    func words(of command: ShellCommand) -> (words: [String], isWhole: Bool) {
        var result = [String]()
        for word in command.words {
            guard let more = words(of: word) else { return (result, false) }
            result += more
        }
        return (result, true)
    }

    /// Whether the script gives it a value.
    func assigns(_ name: String) -> Bool { assigned.contains(name) }

    /// nil where it is not known, or the script may set it elsewhere.
    func value(of name: String, fallback: String? = nil) -> String? {
        if unknown.contains(name) { return nil }
        if let number = Int(name) {
            guard let arguments, number < arguments.count else { return arguments == nil ? nil : fallback }
            return arguments[number]
        }
        if let value = known[name] { return value.isEmpty ? fallback ?? value : value }
        return readsMore ? nil : fallback
    }
}

/// Whether the shell looks for files by it.
private func isPattern(_ text: String) -> Bool {
    if text.contains(where: { "*?".contains($0) }) { return true }
    guard let open = text.firstIndex(of: "[") else { return false }
    return text[open...].contains("]")
}
