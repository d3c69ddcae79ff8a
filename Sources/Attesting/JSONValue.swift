/// A JSON value, written with its keys sorted: equal values are equal bytes.
public indirect enum JSONValue: Hashable, Sendable {
    case text(String)
    case number(Int64)
    case boolean(Bool)
    case list([JSONValue])
    /// What is nil is left out.
    case object([String: JSONValue?])

    /// A list of texts.
    static func texts(_ texts: [String]) -> JSONValue { .list(texts.map { .text($0) }) }

    /// A text, where there is one.
    static func text(ifAny text: String?) -> JSONValue? { text.map { .text($0) } }

    /// A list, unless it is empty.
    static func list(ifAny values: [JSONValue]) -> JSONValue? { values.isEmpty ? nil : .list(values) }

    /// UTF-8, indented by two blanks, with a line feed at the end.
    public var bytes: [UInt8] {
        var result = [UInt8]()
        write(into: &result, indent: 0)
        result.append(UInt8(ascii: "\n"))
        return result
    }

    private func write(into result: inout [UInt8], indent: Int) {
        func line(_ indent: Int) {
            result.append(UInt8(ascii: "\n"))
            result.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * indent))
        }
        switch self {
        case .text(let text): Self.write(text, into: &result)
        case .number(let number): result.append(contentsOf: String(number).utf8)
        case .boolean(let isTrue): result.append(contentsOf: (isTrue ? "true" : "false").utf8)
        case .list(let values):
            result.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { result.append(UInt8(ascii: ",")) }
                line(indent + 1)
                value.write(into: &result, indent: indent + 1)
            }
            if !values.isEmpty { line(indent) }
            result.append(UInt8(ascii: "]"))
        case .object(let members):
            result.append(UInt8(ascii: "{"))
            var isFirst = true
            for key in members.keys.sorted() {
                guard let value = members[key] ?? nil else { continue }
                if !isFirst { result.append(UInt8(ascii: ",")) }
                isFirst = false
                line(indent + 1)
                Self.write(key, into: &result)
                result.append(contentsOf: ": ".utf8)
                value.write(into: &result, indent: indent + 1)
            }
            if !isFirst { line(indent) }
            result.append(UInt8(ascii: "}"))
        }
    }

    /// RFC 8259, section 7.
    private static func write(_ text: String, into result: inout [UInt8]) {
        result.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                result.append(UInt8(ascii: "\\"))
                result.append(byte)
            case UInt8(ascii: "\n"): result.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\t"): result.append(contentsOf: "\\t".utf8)
            case 0..<0x20, 0x7F:
                let digits = String(byte, radix: 16)
                result.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
            default: result.append(byte)
            }
        }
        result.append(UInt8(ascii: "\""))
    }
}
