public import RootfsModel

/// A pattern for paths, as fnmatch(3) with FNM_PATHNAME: `*` and `?` stay within one component, `[a-z]` and
/// `[!a-z]` are sets, `\` takes the next character as it is. `**` as a whole component stands for any number of
/// components, none too. Names that begin with a dot are no exception. `?` and sets take one character of
/// UTF-8, or one byte where a name is none.
public struct Glob: Sendable, Equatable {
    enum Element: Sendable, Equatable {
        case character(UInt32)
        case anyCharacter
        case anyRun
        case set(ranges: [ClosedRange<UInt32>], inverted: Bool)
    }

    enum Component: Sendable, Equatable {
        /// No wildcard in it: the name's bytes.
        case literal([UInt8])
        case pattern([Element])
        /// `**`.
        case anyDepth
    }

    let components: [Component]

    /// Parses a pattern; slashes in front and at the end do not count. Throws what is wrong with it.
    public init(_ text: String) throws(Failure) {
        components = try text.utf8.split(separator: TreePath.slashByte).map { (part) throws(Failure) -> Component in
            if part.elementsEqual("**".utf8) { return .anyDepth }
            return try Self.component(Array(part), of: text)
        }
    }

    /// Whether the pattern stands for this path. The root is matched by `**` alone.
    public func matches(_ path: TreePath) -> Bool {
        matches(path.components[...])
    }

    /// The leading components without wildcards, at most all but the last.
    var literalParent: [[UInt8]] {
        var result = [[UInt8]]()
        for component in components.dropLast() {
            guard case .literal(let name) = component else { break }
            result.append(name)
        }
        return result
    }

    /// The same pattern with another directory in place of its literal parent.
    func replacingLiteralParent(with directory: TreePath) -> Glob {
        let rest = components.dropFirst(literalParent.count)
        return Glob(components: directory.components.map { .literal(Array($0)) } + rest)
    }

    private init(components: [Component]) {
        self.components = components
    }

    /// Wildcard matching with one point to go back to: time is bounded by the product of the lengths.
    func matches(_ names: ArraySlice<ArraySlice<UInt8>>) -> Bool {
        var at = components.startIndex
        var name = names.startIndex
        var retry: (at: Int, name: Int)?
        while true {
            if at < components.endIndex, case .anyDepth = components[at] {
                at += 1
                retry = (at, name)
                continue
            }
            if name == names.endIndex && at == components.endIndex { return true }
            if name < names.endIndex, at < components.endIndex, Self.matches(components[at], names[name]) {
                at += 1
                name += 1
                continue
            }
            guard let last = retry, last.name < names.endIndex else { return false }
            retry = (last.at, last.name + 1)
            at = last.at
            name = last.name + 1
        }
    }

    private static func matches(_ component: Component, _ name: ArraySlice<UInt8>) -> Bool {
        switch component {
        case .literal(let bytes): bytes.elementsEqual(name)
        case .pattern(let elements): matches(elements, characters(of: name))
        case .anyDepth: true
        }
    }

    private static func matches(_ elements: [Element], _ name: [UInt32]) -> Bool {
        var at = 0
        var character = 0
        var retry: (at: Int, character: Int)?
        while true {
            if at < elements.count, elements[at] == .anyRun {
                at += 1
                retry = (at, character)
                continue
            }
            if at == elements.count && character == name.count { return true }
            if at < elements.count, character < name.count, elements[at].takes(name[character]) {
                at += 1
                character += 1
                continue
            }
            guard let last = retry, last.character < name.count else { return false }
            retry = (last.at, last.character + 1)
            at = last.at
            character = last.character + 1
        }
    }

    /// The name's characters; a byte that is no UTF-8 stands above all of Unicode.
    private static func characters(of name: some Sequence<UInt8>) -> [UInt32] {
        let bytes = Array(name)
        var result = [UInt32]()
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            let lead = bytes[index]
            let length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0
            if length > 0, index + length <= bytes.count,
                let text = String(validating: bytes[index..<index + length], as: UTF8.self),
                let scalar = text.unicodeScalars.first
            {
                result.append(scalar.value)
                index += length
            } else {
                result.append(0x11_0000 + UInt32(lead))
                index += 1
            }
        }
        return result
    }

    private static func component(_ bytes: [UInt8], of pattern: String) throws(Failure) -> Component {
        let text = characters(of: bytes)
        var elements = [Element]()
        var index = 0
        while index < text.count {
            let character = text[index]
            index += 1
            switch character {
            case UInt32(UInt8(ascii: "*")):
                if elements.last != .anyRun { elements.append(.anyRun) }
            case UInt32(UInt8(ascii: "?")):
                elements.append(.anyCharacter)
            case UInt32(UInt8(ascii: "[")):
                elements.append(try set(text, from: &index, of: pattern))
            case UInt32(UInt8(ascii: "\\")):
                guard index < text.count else {
                    throw Failure("the pattern \(quoted(pattern)) ends in a backslash with nothing to take as it is")
                }
                elements.append(.character(text[index]))
                index += 1
            default:
                elements.append(.character(character))
            }
        }
        var literal = [UInt8]()
        for element in elements {
            guard case .character(let value) = element, let scalar = Unicode.Scalar(value) else {
                return .pattern(elements)
            }
            literal += Array(String(scalar).utf8)
        }
        if literal.elementsEqual("..".utf8) || literal.elementsEqual(".".utf8) {
            throw Failure("the pattern \(quoted(pattern)) holds a '.' or '..', which no path of an image does")
        }
        return .literal(literal)
    }

    private static func set(_ text: [UInt32], from index: inout Int, of pattern: String) throws(Failure) -> Element {
        let unclosed = Failure(
            "the pattern \(quoted(pattern)) has a '[' without its ']'", hint: #"write \[ for the character itself"#)
        var inverted = false
        if index < text.count, text[index] == UInt32(UInt8(ascii: "!")) || text[index] == UInt32(UInt8(ascii: "^")) {
            inverted = true
            index += 1
        }
        var ranges = [ClosedRange<UInt32>]()
        var isFirst = true
        while true {
            guard index < text.count else { throw unclosed }
            var low = text[index]
            // A bracket that stands first is one of the set.
            if low == UInt32(UInt8(ascii: "]")) && !isFirst {
                index += 1
                return .set(ranges: ranges, inverted: inverted)
            }
            isFirst = false
            if low == UInt32(UInt8(ascii: "\\")) {
                index += 1
                guard index < text.count else { throw unclosed }
                low = text[index]
            }
            index += 1
            var high = low
            if index + 1 < text.count, text[index] == UInt32(UInt8(ascii: "-")),
                text[index + 1] != UInt32(UInt8(ascii: "]"))
            {
                index += 1
                if text[index] == UInt32(UInt8(ascii: "\\")) { index += 1 }
                guard index < text.count else { throw unclosed }
                high = text[index]
                index += 1
            }
            guard low <= high else {
                throw Failure("the pattern \(quoted(pattern)) has a range that runs backwards")
            }
            ranges.append(low...high)
        }
    }
}

extension Glob.Element {
    func takes(_ character: UInt32) -> Bool {
        switch self {
        case .character(let own): own == character
        case .anyCharacter, .anyRun: true
        case .set(let ranges, let inverted): ranges.contains { $0.contains(character) } != inverted
        }
    }
}

extension TreePath {
    static var slashByte: UInt8 { UInt8(ascii: "/") }
}
