public import RootfsModel

/// One stanza of a deb822 text (deb822(5), Policy 5.1): fields in the order of the text, each name once.
public struct Stanza: Hashable, Sendable {
    public struct Field: Hashable, Sendable {
        /// As written; names are compared without regard to case.
        public var name: String
        /// Verbatim without the blanks after the colon: trailing blanks stay, continuation lines follow with
        /// their line feed and leading blank.
        public var value: [UInt8]
        /// The line of the text it begins on, from 1; 0 for a field made in memory.
        public var line: Int

        public init(_ name: String, _ value: [UInt8], line: Int = 0) {
            self.name = name
            self.value = value
            self.line = line
        }

        public static func == (left: Field, right: Field) -> Bool {
            left.name == right.name && left.value == right.value
        }

        public func hash(into hasher: inout Hasher) {
            hasher.combine(name)
            hasher.combine(value)
        }
    }

    public private(set) var fields: [Field]

    public init(_ fields: [Field] = []) {
        self.fields = fields
    }

    /// The stanza's first line in the text it was parsed from; 0 for one made in memory.
    public var line: Int { fields.first?.line ?? 0 }

    public func field(_ name: String) -> Field? {
        fields.first { equalIgnoringCase($0.name, name) }
    }

    /// A field's value as text, without trailing blanks; nil where the stanza has no such field.
    public subscript(_ name: String) -> String? {
        guard let value = field(name)?.value else { return nil }
        var end = value.count
        while end > 0, isBlank(value[end - 1]) { end -= 1 }
        return String(decoding: value[..<end], as: UTF8.self)
    }

    /// The lines of a field with several, without their leading blanks, empty ones left out.
    public func lines(_ name: String) -> [Substring] {
        guard let text = self[name] else { return [] }
        return text.split(separator: "\n").compactMap {
            let line = $0.drop { $0 == " " || $0 == "\t" }
            return line.isEmpty ? nil : line
        }
    }

    /// Replaces the field's value, or appends the field.
    public mutating func set(_ name: String, to value: String) {
        let field = Field(name, Array(value.utf8))
        if let index = fields.firstIndex(where: { equalIgnoringCase($0.name, name) }) {
            fields[index] = field
        } else {
            fields.append(field)
        }
    }

    /// The stanza as text, a line feed after each line, without the empty line between stanzas.
    public var bytes: [UInt8] {
        var result = [UInt8]()
        for field in fields {
            result.append(contentsOf: field.name.utf8)
            result.append(Byte.colon)
            if let first = field.value.first, first != Byte.lineFeed { result.append(Byte.space) }
            result.append(contentsOf: field.value)
            result.append(Byte.lineFeed)
        }
        return result
    }

    /// Parses a text of stanzas separated by empty lines. Lines that begin with `#` are comments.
    /// `file` names the text in failures: a line that is neither field nor continuation, a field twice, CR LF.
    public static func parse(_ bytes: [UInt8], file: String) throws(Failure) -> [Stanza] {
        var stanzas = [Stanza]()
        var fields = [Field]()
        var position = 0
        var number = 0
        while position < bytes.count {
            let end = bytes[position...].firstIndex(of: Byte.lineFeed) ?? bytes.count
            let line = bytes[position..<end]
            position = end + 1
            number += 1
            func failure(_ message: String, column: Int, length: Int = 1) -> Failure {
                Failure(message, at: location(file: file, line: number, column: column, length: length, of: line))
            }
            if line.last == Byte.carriageReturn {
                throw failure("a line ends in CR LF where LF alone belongs", column: line.count)
            }
            if line.first == Byte.hash { continue }
            if line.allSatisfy(isBlank) {
                if !fields.isEmpty { stanzas.append(Stanza(fields)) }
                fields = []
                continue
            }
            if let first = line.first, isBlank(first) {
                guard !fields.isEmpty else { throw failure("a continuation line without a field before it", column: 1) }
                fields[fields.count - 1].value.append(Byte.lineFeed)
                fields[fields.count - 1].value.append(contentsOf: line)
                continue
            }
            guard let colon = line.firstIndex(of: Byte.colon), colon > line.startIndex else {
                throw failure("expected a field (Name: value)", column: 1, length: line.count)
            }
            let name = String(decoding: line[..<colon], as: UTF8.self)
            guard line[..<colon].allSatisfy({ $0 > Byte.space && $0 < 127 }) else {
                throw failure("a field's name has a character that is not allowed", column: 1, length: name.count)
            }
            if fields.contains(where: { equalIgnoringCase($0.name, name) }) {
                throw failure("field \(name) stands twice in one stanza", column: 1, length: name.count)
            }
            fields.append(Field(name, Array(line[(colon + 1)...].drop(while: isBlank)), line: number))
        }
        if !fields.isEmpty { stanzas.append(Stanza(fields)) }
        return stanzas
    }

    /// Stanzas as one text, an empty line between them.
    public static func write(_ stanzas: [Stanza]) -> [UInt8] {
        var result = [UInt8]()
        for (index, stanza) in stanzas.enumerated() {
            if index > 0 { result.append(Byte.lineFeed) }
            result.append(contentsOf: stanza.bytes)
        }
        return result
    }
}

/// A place in a line of bytes, for a Failure. Columns count characters.
func location(file: String, line: Int, column: Int, length: Int, of bytes: some Collection<UInt8>) -> SourceLocation {
    SourceLocation(
        file: file, line: line, column: max(1, column), length: max(1, length),
        text: String(decoding: bytes, as: UTF8.self))
}

/// ASCII. Computed, not stored: the loops over whole indexes read them, and unoptimized code pays for a stored global.
enum Byte {
    static var lineFeed: UInt8 { 10 }
    static var carriageReturn: UInt8 { 13 }
    static var space: UInt8 { 32 }
    static var hash: UInt8 { 35 }
    static var openParenthesis: UInt8 { 40 }
    static var closeParenthesis: UInt8 { 41 }
    static var plus: UInt8 { 43 }
    static var comma: UInt8 { 44 }
    static var hyphen: UInt8 { 45 }
    static var dot: UInt8 { 46 }
    static var zero: UInt8 { 48 }
    static var nine: UInt8 { 57 }
    static var colon: UInt8 { 58 }
    static var less: UInt8 { 60 }
    static var equals: UInt8 { 61 }
    static var greater: UInt8 { 62 }
    static var openBracket: UInt8 { 91 }
    static var closeBracket: UInt8 { 93 }
    static var underscore: UInt8 { 95 }
    static var bar: UInt8 { 124 }
    static var tilde: UInt8 { 126 }
}

func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 }

func equalIgnoringCase(_ left: String, _ right: String) -> Bool {
    left == right || (left.utf8.count == right.utf8.count && left.lowercased() == right.lowercased())
}
