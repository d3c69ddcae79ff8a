public import RootfsModel

/// How a version must stand to the one in a relation (Policy 7.1).
public enum VersionOperator: UInt8, Hashable, Sendable {
    case any, less, lessOrEqual, equal, greaterOrEqual, greater

    /// Whether a version holds that stands so to the relation's (negative: it is lower).
    public func holds(_ order: Int) -> Bool {
        switch self {
        case .any: true
        case .less: order < 0
        case .lessOrEqual: order <= 0
        case .equal: order == 0
        case .greaterOrEqual: order >= 0
        case .greater: order > 0
        }
    }

    public var symbol: String {
        switch self {
        case .any: ""
        case .less: "<<"
        case .lessOrEqual: "<="
        case .equal: "="
        case .greaterOrEqual: ">="
        case .greater: ">>"
        }
    }
}

/// One package of a dependency: `name[:qualifier] [(op version)] [[architectures]]`.
public struct Relation: Hashable, Sendable, CustomStringConvertible {
    public var name: String
    /// What stands behind the name's colon: `any`, `native` or an architecture.
    public var qualifier: String?
    public var comparison: VersionOperator
    /// Empty where `comparison` is `.any`.
    public var version: DebianVersion
    /// The architecture restriction's words (`amd64`, `!hurd-any`); empty without one.
    public var architectures: [String]

    public init(
        _ name: String, qualifier: String? = nil, _ comparison: VersionOperator = .any,
        _ version: DebianVersion = DebianVersion(""), architectures: [String] = []
    ) {
        self.name = name
        self.qualifier = qualifier
        self.comparison = comparison
        self.version = version
        self.architectures = architectures
    }

    public var description: String {
        var text = name
        if let qualifier { text += ":" + qualifier }
        if comparison != .any { text += " (\(comparison.symbol) \(version))" }
        return text
    }

    /// Whether a package of this name and version is meant, provides left aside.
    public func matches(name: String, version: DebianVersion) -> Bool {
        guard name == self.name else { return false }
        if comparison == .any { return true }
        let order = version == self.version ? 0 : version < self.version ? -1 : 1
        return comparison.holds(order)
    }
}

/// One comma's worth of a dependency field: any of its alternatives satisfies it.
public struct DependencyGroup: Hashable, Sendable, CustomStringConvertible {
    public var alternatives: [Relation]

    public init(_ alternatives: [Relation]) {
        self.alternatives = alternatives
    }

    public var description: String { alternatives.map(\.description).joined(separator: " | ") }

    /// The groups of a relation field's value; `context` names it in the failure: `Depends of nodejs`.
    public static func parse(_ text: String, context: String) throws(Failure) -> [DependencyGroup] {
        var text = text
        var groups = [DependencyGroup]()
        let error = text.withUTF8 { buffer -> Int? in
            let bytes = UnsafeRawBufferPointer(buffer)
            func string(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
            var scanner = RelationScanner(bytes)
            while let slice = scanner.next() {
                let relation = Relation(
                    string(slice.name), qualifier: slice.qualifier.isEmpty ? nil : string(slice.qualifier),
                    slice.comparison, DebianVersion(string(slice.version)),
                    architectures: string(slice.architectures).split(separator: " ").map(String.init))
                if slice.startsGroup || groups.isEmpty {
                    groups.append(DependencyGroup([relation]))
                } else {
                    groups[groups.count - 1].alternatives.append(relation)
                }
            }
            return scanner.error
        }
        if let error {
            let rest = String(decoding: text.utf8.dropFirst(error).prefix(40), as: UTF8.self)
            throw Failure("cannot parse \(context): a relation was expected at `\(rest)`")
        }
        return groups
    }
}

/// One relation of a field that is read in place: ranges count in the field's bytes.
public struct RelationSlice: Sendable {
    public var name = 0..<0
    /// Without the colon; empty without one.
    public var qualifier = 0..<0
    public var comparison = VersionOperator.any
    public var version = 0..<0
    /// Between the brackets; empty without them.
    public var architectures = 0..<0
    /// False for what follows a `|`.
    public var startsGroup = true
}

/// Reads a relation field (Depends, Conflicts, Provides …) relation by relation, in place.
/// The bytes must outlive the scanner.
public struct RelationScanner {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var nextStartsGroup = true
    /// Where the text stopped being a relation field; nil while all is well.
    public private(set) var error: Int?

    public init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// The next relation; nil at the end and at a mistake.
    public mutating func next() -> RelationSlice? {
        skipSeparators()
        let count = bytes.count
        if position >= count || error != nil { return nil }
        var slice = RelationSlice()
        slice.startsGroup = nextStartsGroup

        let nameStart = position
        while position < count, Self.isNameByte(bytes[position]) { position += 1 }
        if position == nameStart { return fail() }
        slice.name = nameStart..<position
        if position < count, bytes[position] == Byte.colon {
            let start = position + 1
            position = start
            while position < count, Self.isNameByte(bytes[position]) { position += 1 }
            if position == start { return fail() }
            slice.qualifier = start..<position
        }
        skipWhite()
        if position < count, bytes[position] == UInt8(ascii: "(") {
            position += 1
            skipWhite()
            slice.comparison = comparison()
            skipWhite()
            let start = position
            while position < count, !Self.isWhite(bytes[position]), bytes[position] != UInt8(ascii: ")") { position += 1 }
            slice.version = start..<position
            skipWhite()
            guard position < count, bytes[position] == UInt8(ascii: ")"), !slice.version.isEmpty, slice.comparison != .any
            else { return fail() }
            position += 1
            skipWhite()
        }
        while position < count, bytes[position] == UInt8(ascii: "[") || bytes[position] == UInt8(ascii: "<") {
            let isArchitectures = bytes[position] == UInt8(ascii: "[")
            let close = isArchitectures ? UInt8(ascii: "]") : UInt8(ascii: ">")
            let start = position + 1
            while position < count, bytes[position] != close { position += 1 }
            if position == count { return fail() }
            if isArchitectures { slice.architectures = start..<position }
            position += 1
            skipWhite()
        }
        if position < count {
            guard bytes[position] == Byte.comma || bytes[position] == Byte.bar else { return fail() }
            nextStartsGroup = bytes[position] == Byte.comma
            position += 1
        }
        return slice
    }

    /// `<` and `>` alone are the old way to write `<=` and `>=`.
    private mutating func comparison() -> VersionOperator {
        guard position < bytes.count else { return .any }
        let first = bytes[position]
        guard first == UInt8(ascii: "<") || first == UInt8(ascii: ">") || first == UInt8(ascii: "=") else { return .any }
        position += 1
        if first == UInt8(ascii: "=") { return .equal }
        let isLess = first == UInt8(ascii: "<")
        guard position < bytes.count else { return .any }
        if bytes[position] == first {
            position += 1
            return isLess ? .less : .greater
        }
        if bytes[position] == UInt8(ascii: "=") { position += 1 }
        return isLess ? .lessOrEqual : .greaterOrEqual
    }

    private mutating func fail() -> RelationSlice? {
        error = position
        return nil
    }

    private mutating func skipWhite() {
        while position < bytes.count, Self.isWhite(bytes[position]) { position += 1 }
    }

    private mutating func skipSeparators() {
        while position < bytes.count {
            let byte = bytes[position]
            if byte == Byte.comma {
                nextStartsGroup = true
            } else if !Self.isWhite(byte) {
                return
            }
            position += 1
        }
    }

    private static func isWhite(_ byte: UInt8) -> Bool { byte == 32 || (byte >= 9 && byte <= 13) }

    /// Wider than Policy 5.6.7: letters of either case and `_` occur in third-party archives.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), Byte.zero...Byte.nine,
            UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
