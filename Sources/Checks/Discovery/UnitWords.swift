/// The words of a value by systemd.syntax(7), Quoting: parted by white space, quotes taken off anywhere in a word, C
/// escapes undone; an unknown escape stays as it is. nil where a quote is not closed: systemd ignores such a line.
func unitWords(_ value: String) -> [String]? {
    var words = [String]()
    var scanner = UnitWordScanner(value)
    while true {
        switch scanner.next() {
        case .word(let word, _): words.append(word)
        case .end: return words
        case .unbalanced: return nil
        }
    }
}

/// The command lines of an Exec value: a lone `;` parts them, `\;` is a word. nil where a quote is not closed.
func unitCommandLines(_ value: String) -> [[String]]? {
    var lines: [[String]] = [[]]
    var scanner = UnitWordScanner(value)
    while true {
        switch scanner.next() {
        case .word(";", raw: ";"): lines.append([])
        case .word(_, raw: "\\;"): lines[lines.count - 1].append(";")
        case .word(let word, _): lines[lines.count - 1].append(word)
        case .end: return lines.filter { !$0.isEmpty }
        case .unbalanced: return nil
        }
    }
}

/// One word after the other.
private struct UnitWordScanner {
    enum Token {
        case word(String, raw: String)
        case end, unbalanced
    }

    private let bytes: [UInt8]
    private var place = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    mutating func next() -> Token {
        while place < bytes.count, isBlank(bytes[place]) { place += 1 }
        if place == bytes.count { return .end }
        let start = place
        var word = [UInt8]()
        var quote: UInt8?
        while place < bytes.count {
            let byte = bytes[place]
            if byte == UInt8(ascii: "\\"), place + 1 < bytes.count {
                place += 1
                unescape(into: &word)
                continue
            }
            if let open = quote {
                if byte == open { quote = nil } else { word.append(byte) }
            } else if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                quote = byte
            } else if isBlank(byte) {
                break
            } else {
                word.append(byte)
            }
            place += 1
        }
        if quote != nil { return .unbalanced }
        return .word(String(decoding: word, as: UTF8.self), raw: String(decoding: bytes[start..<place], as: UTF8.self))
    }

    /// Undoes the escape whose letter is at the place.
    private mutating func unescape(into word: inout [UInt8]) {
        let letter = bytes[place]
        place += 1
        switch letter {
        case UInt8(ascii: "a"): word.append(7)
        case UInt8(ascii: "b"): word.append(8)
        case UInt8(ascii: "t"): word.append(9)
        case UInt8(ascii: "n"): word.append(10)
        case UInt8(ascii: "v"): word.append(11)
        case UInt8(ascii: "f"): word.append(12)
        case UInt8(ascii: "r"): word.append(13)
        case UInt8(ascii: "s"): word.append(32)
        case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "'"): word.append(letter)
        case UInt8(ascii: "x"): number(digits: 2, radix: 16, letter: letter, into: &word)
        case UInt8(ascii: "u"): number(digits: 4, radix: 16, letter: letter, into: &word)
        case UInt8(ascii: "U"): number(digits: 8, radix: 16, letter: letter, into: &word)
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            place -= 1
            number(digits: 3, radix: 8, letter: nil, into: &word)
        default: word += [UInt8(ascii: "\\"), letter]
        }
    }

    private mutating func number(digits: Int, radix: Int, letter: UInt8?, into word: inout [UInt8]) {
        let text = String(decoding: bytes[place..<min(place + digits, bytes.count)], as: UTF8.self)
        let plain = text.utf8.count == digits && text.allSatisfy(\.isHexDigit)
        guard plain, let value = UInt32(text, radix: radix), value != 0, digits > 3 || value < 256,
            let scalar = Unicode.Scalar(value)
        else {
            word.append(UInt8(ascii: "\\"))
            if let letter { word.append(letter) }
            return
        }
        place += digits
        if digits <= 3 { word.append(UInt8(value)) } else { word += Array(String(scalar).utf8) }
    }
}

private func isBlank(_ byte: UInt8) -> Bool {
    byte == 32 || byte == 9 || byte == 10 || byte == 13
}
