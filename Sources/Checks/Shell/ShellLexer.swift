/// A shell's text as words and operators (POSIX, Shell Command Language 2.3, and bash's additions where these change
/// what is a word). Nothing is expanded. Any bytes give tokens; what is not closed ends with the text.
struct ShellLexer {
    enum Token: Hashable, Sendable {
        case word(ShellWord)
        /// `;`, `&`, `&&`, `||`, `|`, `(`, `)`, `;;` or a line's end, as `\n`.
        case control(String, line: Int)
        /// `>`, `>>`, `<`, `&>`, `>&` …; the word that follows is its target. nil: the operator's own descriptor.
        case redirection(String, descriptor: Int?)
    }

    private let bytes: [UInt8]
    private var place = 0
    private var line = 1
    private var tokens: [Token] = []
    /// Here-documents whose text begins after the line's end.
    private var pendingDocuments: [(end: String, dropsTabs: Bool)] = []
    /// Between bash's `[[` and `]]`, where operators are words.
    private var isInTest = false

    static func tokens(of text: [UInt8]) -> [Token] {
        var lexer = ShellLexer(bytes: text)
        lexer.run()
        return lexer.tokens
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func byte(_ ahead: Int = 0) -> UInt8? {
        place + ahead < bytes.count ? bytes[place + ahead] : nil
    }

    private mutating func run() {
        while let next = byte() {
            switch next {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): place += 1
            case UInt8(ascii: "\\") where byte(1) == 10:
                place += 2
                line += 1
            case UInt8(ascii: "#"):
                place = bytes[place...].firstIndex(of: 10) ?? bytes.count
            case 10 where isInTest:
                place += 1
                line += 1
            case 10:
                tokens.append(.control("\n", line: line))
                place += 1
                line += 1
                skipDocuments()
            case UInt8(ascii: ";"), UInt8(ascii: "&"), UInt8(ascii: "|"), UInt8(ascii: "("), UInt8(ascii: ")"),
                UInt8(ascii: "<"), UInt8(ascii: ">"):
                if isInTest { place += 1 } else { takeOperator() }
            default: takeWord()
            }
        }
    }

    private mutating func takeOperator() {
        for text in ["&>>", "&>", "<<<", "<<-", "<<", "<>", "<&", ">>", ">&", ">|"] where starts(with: text) {
            place += text.utf8.count
            takeRedirection(text, descriptor: nil)
            return
        }
        // ((…)) is arithmetic.
        if starts(with: "((") {
            var word = ShellWord(line: line)
            skipParentheses()
            word.append(.opaque)
            tokens.append(.word(word))
            return
        }
        // <(…) and >(…) are words.
        if (byte() == UInt8(ascii: "<") || byte() == UInt8(ascii: ">")) && byte(1) == UInt8(ascii: "(") {
            var word = ShellWord(line: line)
            place += 1
            skipParentheses()
            word.append(.opaque)
            tokens.append(.word(word))
            return
        }
        for text in [";;&", ";;", ";&", "&&", "||", "|&"] where starts(with: text) {
            place += text.utf8.count
            tokens.append(.control(text == "|&" ? "|" : text.hasPrefix(";") ? ";;" : text, line: line))
            return
        }
        let text = String(decoding: bytes[place...place], as: UTF8.self)
        place += 1
        if text == "<" || text == ">" {
            takeRedirection(text, descriptor: nil)
        } else {
            tokens.append(.control(text, line: line))
        }
    }

    private mutating func takeRedirection(_ text: String, descriptor: Int?) {
        tokens.append(.redirection(text, descriptor: descriptor))
        guard text.hasPrefix("<<"), text != "<<<" else { return }
        while byte() == UInt8(ascii: " ") || byte() == UInt8(ascii: "\t") { place += 1 }
        let count = tokens.count
        takeWord()
        if tokens.count > count, case .word(let word)? = tokens.last {
            pendingDocuments.append((word.literal ?? "", text == "<<-"))
        }
    }

    private mutating func skipDocuments() {
        for document in pendingDocuments {
            while place < bytes.count {
                let end = bytes[place...].firstIndex(of: 10) ?? bytes.count
                var text = bytes[place..<end]
                if document.dropsTabs { text = text.drop { $0 == 9 } }
                place = min(end + 1, bytes.count)
                line += 1
                if text.elementsEqual(document.end.utf8) { break }
            }
        }
        pendingDocuments = []
    }

    private func starts(with text: String) -> Bool { bytes[place...].starts(with: text.utf8) }

    private mutating func takeWord() {
        var word = ShellWord(line: line)
        let start = place
        loop: while let next = byte() {
            switch next {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), 10, 13, UInt8(ascii: ";"), UInt8(ascii: "&"),
                UInt8(ascii: "|"), UInt8(ascii: ")"):
                break loop
            case UInt8(ascii: "<"), UInt8(ascii: ">"):
                // A number right before it is a descriptor.
                let digits = String(decoding: bytes[start..<place], as: UTF8.self)
                if place > start, let descriptor = Int(digits), descriptor < 1024 {
                    takeOperator()
                    for index in tokens.indices.reversed() {
                        guard case .redirection(let text, nil) = tokens[index] else { continue }
                        tokens[index] = .redirection(text, descriptor: descriptor)
                        break
                    }
                    return
                }
                break loop
            case UInt8(ascii: "("):
                // `name()` is a function; `name=(…)` an array.
                if place > start, bytes[place - 1] == UInt8(ascii: "=") {
                    skipParentheses()
                    word.append(.opaque)
                    continue
                }
                break loop
            case UInt8(ascii: "\\"):
                if let escaped = byte(1) {
                    if escaped == 10 { line += 1 } else { word.append(escaped, isQuoted: true) }
                    place += 2
                } else {
                    place += 1
                }
            case UInt8(ascii: "'"):
                place += 1
                word.appendEmpty()
                while let inner = byte(), inner != UInt8(ascii: "'") {
                    if inner == 10 { line += 1 }
                    word.append(inner, isQuoted: true)
                    place += 1
                }
                place += 1
            case UInt8(ascii: "\""): takeQuoted(into: &word)
            case UInt8(ascii: "`"):
                skipBackquotes()
                word.append(.opaque)
            case UInt8(ascii: "$"): takeExpansion(into: &word, isQuoted: false)
            default:
                word.append(next, isQuoted: false)
                place += 1
            }
        }
        word.flush()
        if place == start { place += 1 }
        if word.parts.isEmpty { return }
        tokens.append(.word(word))
        if word.plain == "[[" { isInTest = true } else if word.plain == "]]" { isInTest = false }
    }

    private mutating func takeQuoted(into word: inout ShellWord) {
        place += 1
        word.appendEmpty()
        while let next = byte(), next != UInt8(ascii: "\"") {
            switch next {
            case UInt8(ascii: "\\"):
                if let escaped = byte(1), "$`\"\\\n".utf8.contains(escaped) {
                    if escaped == 10 { line += 1 } else { word.append(escaped, isQuoted: true) }
                    place += 2
                } else {
                    word.append(next, isQuoted: true)
                    place += 1
                }
            case UInt8(ascii: "`"):
                skipBackquotes()
                word.append(.opaque)
            case UInt8(ascii: "$"): takeExpansion(into: &word, isQuoted: true)
            default:
                if next == 10 { line += 1 }
                word.append(next, isQuoted: true)
                place += 1
            }
        }
        place += 1
    }

    private mutating func takeExpansion(into word: inout ShellWord, isQuoted: Bool) {
        place += 1
        guard let next = byte() else { return word.append(UInt8(ascii: "$"), isQuoted: isQuoted) }
        if next == UInt8(ascii: "(") {
            skipParentheses()
            word.append(.opaque)
        } else if next == UInt8(ascii: "{") {
            let start = place + 1
            skipBraces()
            let text = String(decoding: bytes[start..<max(start, min(place - 1, bytes.count))], as: UTF8.self)
            word.append(Self.expansion(text, isQuoted: isQuoted))
        } else if next == UInt8(ascii: "'") || next == UInt8(ascii: "\""), !isQuoted {
            // $'…' has escapes of its own, $"…" a translation.
            word.append(.opaque)
        } else if "@*#?-$!0123456789".utf8.contains(next) {
            place += 1
            word.append(.variable(String(UnicodeScalar(next)), default: nil, isQuoted: isQuoted))
        } else {
            let start = place
            while let inner = byte(), isNameByte(inner) { place += 1 }
            if place == start { return word.append(UInt8(ascii: "$"), isQuoted: isQuoted) }
            word.append(
                .variable(String(decoding: bytes[start..<place], as: UTF8.self), default: nil, isQuoted: isQuoted))
        }
    }

    /// What is between the braces of `${…}`.
    private static func expansion(_ text: String, isQuoted: Bool) -> ShellWord.Part {
        let name = String(text.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "@") })
        let rest = text.dropFirst(name.count)
        if name.isEmpty { return .opaque }
        if rest.isEmpty { return .variable(name, default: nil, isQuoted: isQuoted) }
        for sign in [":-", ":=", "-", "="] where rest.hasPrefix(sign) {
            let value = String(rest.dropFirst(sign.count))
            let plain =
                value.count > 1 && value.hasPrefix("\"") && value.hasSuffix("\"")
                ? String(value.dropFirst().dropLast()) : value
            if plain.contains(where: { "$`\\\"'".contains($0) }) { return .opaque }
            return .variable(name, default: plain, isQuoted: isQuoted)
        }
        return .opaque
    }

    private mutating func skipBackquotes() {
        place += 1
        while let next = byte(), next != UInt8(ascii: "`") {
            if next == 10 { line += 1 }
            place += next == UInt8(ascii: "\\") ? 2 : 1
        }
        place += 1
    }

    private mutating func skipParentheses() { skip(UInt8(ascii: "("), UInt8(ascii: ")")) }
    private mutating func skipBraces() { skip(UInt8(ascii: "{"), UInt8(ascii: "}")) }

    /// From an opening sign to behind the one that closes it; quotes hide both.
    private mutating func skip(_ open: UInt8, _ close: UInt8) {
        var depth = 0
        var quote: UInt8?
        while let next = byte() {
            place += 1
            if next == 10 { line += 1 }
            if next == UInt8(ascii: "\\"), quote != UInt8(ascii: "'") {
                if byte() == 10 { line += 1 }
                place += 1
            } else if let open = quote {
                if next == open { quote = nil }
            } else if next == UInt8(ascii: "'") || next == UInt8(ascii: "\"") {
                quote = next
            } else if next == open {
                depth += 1
            } else if next == close {
                depth -= 1
                if depth == 0 { return }
            }
        }
    }
}
