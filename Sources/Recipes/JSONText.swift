/// A JSON value to be written; objects keep their order.
indirect enum JSONText: Hashable, Sendable {
    case null
    case bool(Bool)
    case number(Int64)
    case string(String)
    case array([JSONText])
    case object([Member])

    struct Member: Hashable, Sendable {
        var name: String
        var value: JSONText

        init(_ name: String, _ value: JSONText) {
            self.name = name
            self.value = value
        }
    }

    /// On one line, without blanks.
    var compact: String {
        var text = ""
        write(to: &text, indent: nil)
        return text
    }

    /// Over lines, indented by two; an array of scalars stands on one line.
    var pretty: String {
        var text = ""
        write(to: &text, indent: 0)
        return text + "\n"
    }

    private var isScalar: Bool {
        switch self {
        case .array, .object: false
        default: true
        }
    }

    private func write(to text: inout String, indent: Int?) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .number(let value): text += String(value)
        case .string(let value): Self.write(value, to: &text)
        case .array(let items):
            let inner = items.allSatisfy(\.isScalar) ? nil : indent.map { $0 + 1 }
            let separator = indent != nil && inner == nil ? ", " : ","
            text += "["
            for (index, item) in items.enumerated() {
                if index > 0 { text += separator }
                Self.newLine(inner, to: &text)
                item.write(to: &text, indent: inner)
            }
            if !items.isEmpty { Self.newLine(inner.map { $0 - 1 }, to: &text) }
            text += "]"
        case .object(let members):
            let inner = indent.map { $0 + 1 }
            text += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { text += "," }
                Self.newLine(inner, to: &text)
                Self.write(member.name, to: &text)
                text += indent == nil ? ":" : ": "
                member.value.write(to: &text, indent: inner)
            }
            if !members.isEmpty { Self.newLine(indent, to: &text) }
            text += "}"
        }
    }

    private static func newLine(_ indent: Int?, to text: inout String) {
        if let indent { text += "\n" + String(repeating: "  ", count: indent) }
    }

    /// What JSON or YAML does not allow as it is goes out as `\uXXXX`, so the text reads the same as either.
    private static func write(_ value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _
            where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value == 0xFEFF
                || (0x2028...0x2029).contains(scalar.value) || (0xFFFE...0xFFFF).contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
