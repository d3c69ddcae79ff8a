/// One word of a shell's text: what it says literally, and where it takes values.
struct ShellWord: Hashable, Sendable {
    enum Part: Hashable, Sendable {
        case literal(String, isQuoted: Bool)
        /// `$NAME` and `${NAME}`, and what `${NAME:-…}` gives where there is no value.
        case variable(String, default: String?, isQuoted: Bool)
        /// What cannot be told from the text: a command's output, arithmetic, other expansions.
        case opaque
    }

    var parts: [Part] = []
    var line: Int

    mutating func append(_ byte: UInt8, isQuoted: Bool) {
        pending.append(byte)
        if pendingIsQuoted != isQuoted {
            pending.removeLast()
            flush()
            pending = [byte]
            pendingIsQuoted = isQuoted
        }
    }

    mutating func append(_ part: Part) {
        flush()
        parts.append(part)
    }

    /// An empty quoted part, which makes a word of nothing.
    mutating func appendEmpty() {
        if pending.isEmpty { append(.literal("", isQuoted: true)) }
    }

    mutating func flush() {
        if !pending.isEmpty {
            parts.append(.literal(String(decoding: pending, as: UTF8.self), isQuoted: pendingIsQuoted))
        }
        pending = []
    }

    private var pending: [UInt8] = []
    private var pendingIsQuoted = false

    init(line: Int) { self.line = line }

    /// The text where it is nothing but literal; `isQuoted` parts too.
    var literal: String? {
        var text = ""
        for part in parts {
            guard case .literal(let more, _) = part else { return nil }
            text += more
        }
        return text
    }

    /// The text where it is literal and nothing of it quoted: only such a word is a reserved one.
    var plain: String? {
        guard parts.count == 1, case .literal(let text, isQuoted: false) = parts[0] else { return nil }
        return text
    }

    /// The name and the value, where it is an assignment.
    var assignment: (name: String, value: ShellWord)? {
        guard case .literal(let text, isQuoted: false)? = parts.first, let equals = text.firstIndex(of: "=") else {
            return nil
        }
        let name = String(text[..<equals])
        guard isShellName(name) else { return nil }
        var value = ShellWord(line: line)
        let rest = String(text[text.index(after: equals)...])
        value.parts = (rest.isEmpty ? [] : [.literal(rest, isQuoted: false)]) + parts.dropFirst()
        return (name, value)
    }
}

func isShellName(_ text: String) -> Bool {
    guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
    return text.utf8.allSatisfy(isNameByte)
}

/// A letter, a digit or `_`.
func isNameByte(_ byte: UInt8) -> Bool {
    byte == 0x5f || (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
}
