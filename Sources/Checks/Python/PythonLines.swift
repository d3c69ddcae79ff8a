/// One statement of a Python text on its logical line: comments gone, strings emptied but for those that are kept by
/// themselves, brackets and continued lines joined.
struct PythonLine {
    /// Columns of blanks before it; a tab goes to the next multiple of eight.
    var indent: Int
    /// Where it begins, from 1.
    var number: Int
    /// Its words and signs; a string is a word that begins with a quote.
    var tokens: [String]
    /// Whether it stands behind another statement on its line (`if x: import y`, `a = 1; import y`).
    var isInline: Bool
}

/// A Python text in its statements (The Python Language Reference, 2.1 and 7), as far as finding its imports needs it.
struct PythonLines {
    private let bytes: [UInt8]
    private var position = 0
    private var number = 1
    private(set) var all: [PythonLine] = []

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        while position < bytes.count { nextLine() }
    }

    private func byte(_ ahead: Int = 0) -> UInt8 { position + ahead < bytes.count ? bytes[position + ahead] : 0 }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A, 0x80...: true
        default: false
        }
    }

    private mutating func nextLine() {
        var indent = 0
        while byte() == 0x20 || byte() == 0x09 || byte() == 0x0C {
            indent = byte() == 0x09 ? (indent / 8 + 1) * 8 : byte() == 0x0C ? 0 : indent + 1
            position += 1
        }
        var line = PythonLine(indent: indent, number: number, tokens: [], isInline: false)
        var depth = 0
        func finish(_ all: inout [PythonLine], _ line: inout PythonLine) {
            if !line.tokens.isEmpty { all.append(line) }
            line.tokens = []
            line.isInline = true
        }
        while position < bytes.count {
            let first = byte()
            switch first {
            case 0x0A:
                position += 1
                number += 1
                if depth > 0 { continue }
                return finish(&all, &line)
            case 0x23:  // #
                while position < bytes.count, byte() != 0x0A { position += 1 }
            case 0x5C where byte(1) == 0x0A || byte(1) == 0x0D:  // a backslash at the line's end
                position += byte(1) == 0x0A ? 2 : 3
                number += 1
            case 0x22, 0x27: line.tokens.append(string())
            case 0x28, 0x5B, 0x7B, 0x29, 0x5D, 0x7D:
                let opens = first == 0x28 || first == 0x5B || first == 0x7B
                depth = max(0, depth + (opens ? 1 : -1))
                line.tokens.append(String(UnicodeScalar(first)))
                position += 1
            case 0x3B where depth == 0:  // ;
                position += 1
                finish(&all, &line)
            case 0x3A where depth == 0 && Self.opensBlock(line.tokens):  // the colon of a compound statement
                position += 1
                line.tokens.append(":")
                finish(&all, &line)
            case 0x00...0x20: position += 1
            default:
                guard Self.isWord(first) else {
                    line.tokens.append(String(UnicodeScalar(first)))
                    position += 1
                    continue
                }
                let start = position
                while Self.isWord(byte()) { position += 1 }
                let word = String(decoding: bytes[start..<position], as: UTF8.self)
                let isPrefix = word.count < 3 && word.lowercased().allSatisfy { "rbuft".contains($0) }
                if isPrefix, byte() == 0x22 || byte() == 0x27 {
                    line.tokens.append(string())
                } else {
                    line.tokens.append(word)
                }
            }
        }
        finish(&all, &line)
    }

    private static let compound: Set<String> = [
        "if", "elif", "else", "for", "while", "try", "except", "finally", "with", "def", "class", "async", "match",
        "case",
    ]

    private static func opensBlock(_ tokens: [String]) -> Bool {
        // The colon of a lambda is none of the statement's.
        guard let first = tokens.first, compound.contains(first) else { return false }
        return tokens.lastIndex(of: "lambda").map { tokens[$0...].contains(":") } ?? true
    }

    /// A string's value with a quote before it; escapes stay as they are.
    private mutating func string() -> String {
        let quote = byte()
        let isLong = byte(1) == quote && byte(2) == quote
        position += isLong ? 3 : 1
        let start = position
        while position < bytes.count {
            if byte() == 0x5C {
                if byte(1) == 0x0A { number += 1 }
                position += 2
                continue
            }
            if byte() == 0x0A {
                // It has no end: what follows is code again.
                if !isLong { return "\"" }
                number += 1
            }
            if byte() == quote, !isLong || byte(1) == quote && byte(2) == quote {
                let value = String(decoding: bytes[start..<position], as: UTF8.self)
                position += isLong ? 3 : 1
                return "\"" + value
            }
            position += 1
        }
        return "\""
    }
}
