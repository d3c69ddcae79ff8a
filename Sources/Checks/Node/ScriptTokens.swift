/// One word of a JavaScript text, as far as finding its modules needs them.
struct ScriptToken: Hashable {
    enum Kind: Hashable {
        case word, number, string, template, regularExpression, sign
    }

    var kind: Kind
    /// A word, a sign or a string's value; empty for what is not looked at.
    var text: String
    /// From 1.
    var line: Int
    /// Whether a new line stands before it.
    var startsLine: Bool
}

/// JavaScript's tokens (ECMA-262, 12): comments, strings, templates and regular expressions told apart, so that a
/// `require` inside one is not taken for code.
struct ScriptTokens {
    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var startsLine = true
    /// For each open brace whether it is a template's `${`.
    private var braces: [Bool] = []
    private(set) var tokens: [ScriptToken] = []
    /// Whether all of it could be read: false where something has no end.
    private(set) var isSound = true

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: Array("#!".utf8)) { skipLine() }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        while position < bytes.count { next() }
        if !braces.isEmpty { isSound = false }
    }

    private func byte(_ ahead: Int = 0) -> UInt8 { position + ahead < bytes.count ? bytes[position + ahead] : 0 }

    private mutating func add(_ kind: ScriptToken.Kind, _ text: String, line: Int) {
        tokens.append(ScriptToken(kind: kind, text: text, line: line, startsLine: startsLine))
        startsLine = false
    }

    private mutating func skipLine() {
        while position < bytes.count, bytes[position] != 0x0A { position += 1 }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x24, 0x5F, 0x80...: true
        default: false
        }
    }

    private mutating func next() {
        let first = byte()
        switch first {
        case 0x0A:
            line += 1
            startsLine = true
            position += 1
        case 0x20, 0x09, 0x0D, 0x0B, 0x0C: position += 1
        case UInt8(ascii: "/"): slash()
        case UInt8(ascii: "\""), UInt8(ascii: "'"): string(first)
        case UInt8(ascii: "`"):
            position += 1
            template()
        case UInt8(ascii: "{"):
            braces.append(false)
            sign(1)
        case UInt8(ascii: "}"):
            if braces.popLast() == true {
                position += 1
                add(.sign, ")", line: line)
                template()
            } else {
                sign(1)
            }
        case _ where Self.isWord(first): word()
        default:
            for text in ["=>", "?.", "??", "&&", "||"]
            where byte() == Array(text.utf8)[0] && byte(1) == Array(text.utf8)[1] {
                return sign(2)
            }
            sign(1)
        }
    }

    private mutating func sign(_ count: Int) {
        let text = String(decoding: bytes[position..<(position + count)], as: UTF8.self)
        position += count
        add(.sign, text, line: line)
    }

    private mutating func word() {
        let start = position
        while position < bytes.count, Self.isWord(bytes[position]) { position += 1 }
        let isNumber = (0x30...0x39).contains(bytes[start])
        add(isNumber ? .number : .word, String(decoding: bytes[start..<position], as: UTF8.self), line: line)
    }

    private mutating func slash() {
        if byte(1) == UInt8(ascii: "/") { return skipLine() }
        if byte(1) == UInt8(ascii: "*") {
            position += 2
            while position < bytes.count {
                if byte() == UInt8(ascii: "*"), byte(1) == UInt8(ascii: "/") {
                    position += 2
                    return
                }
                if byte() == 0x0A {
                    line += 1
                    startsLine = true
                }
                position += 1
            }
            isSound = false
            return
        }
        if isDivision { return sign(1) }
        regularExpression()
    }

    /// Words behind which a value begins, not an operator.
    private static let beforeValue: Set<String> = [
        "return", "typeof", "instanceof", "in", "of", "new", "delete", "void", "throw", "case", "do", "else", "await",
        "yield",
    ]

    private var isDivision: Bool {
        guard let last = tokens.last else { return false }
        switch last.kind {
        case .number, .string, .template, .regularExpression: return true
        case .word: return !Self.beforeValue.contains(last.text)
        case .sign: return [")", "]", "}"].contains(last.text)
        }
    }

    private mutating func regularExpression() {
        let start = line
        position += 1
        var isInClass = false
        while position < bytes.count {
            switch byte() {
            case UInt8(ascii: "\\"): position += 1
            case UInt8(ascii: "["): isInClass = true
            case UInt8(ascii: "]"): isInClass = false
            case 0x0A:
                isSound = false
                return
            case UInt8(ascii: "/") where !isInClass:
                position += 1
                while position < bytes.count, Self.isWord(bytes[position]) { position += 1 }
                return add(.regularExpression, "", line: start)
            default: break
            }
            position += 1
        }
        isSound = false
    }

    private mutating func string(_ quote: UInt8) {
        let start = line
        position += 1
        var value = [UInt8]()
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == quote { return add(.string, String(decoding: value, as: UTF8.self), line: start) }
            if byte == 0x0A {
                isSound = false
                line += 1
                startsLine = true
                return
            }
            guard byte == UInt8(ascii: "\\"), position < bytes.count else {
                value.append(byte)
                continue
            }
            let escaped = bytes[position]
            position += 1
            switch escaped {
            case 0x0A: line += 1
            case 0x0D where self.byte() == 0x0A:
                position += 1
                line += 1
            case UInt8(ascii: "n"): value.append(0x0A)
            case UInt8(ascii: "x"), UInt8(ascii: "u"), 0x30...0x39:
                // A name of a module that is written so is left alone: no file has a NUL in its name.
                value.append(0)
            default: value.append(escaped)
            }
        }
        isSound = false
    }

    /// From behind the backquote, or the brace that ends a part, to the next part or the end.
    private mutating func template() {
        let start = line
        while position < bytes.count {
            switch byte() {
            case UInt8(ascii: "\\"):
                if byte(1) == 0x0A { line += 1 }
                position += 1
            case UInt8(ascii: "`"):
                position += 1
                return add(.template, "", line: start)
            case UInt8(ascii: "$") where byte(1) == UInt8(ascii: "{"):
                position += 2
                braces.append(true)
                // A value follows, as behind an opening bracket.
                return add(.sign, "(", line: start)
            case 0x0A: line += 1
            default: break
            }
            position += 1
        }
        isSound = false
    }
}
