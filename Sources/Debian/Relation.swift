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
            func string(_ range: Range<Int>) -> String { String(decoding: buffer[range], as: UTF8.self) }
            var scanner = RelationScanner(buffer)
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
    private let base: UnsafePointer<UInt8>?
    private let count: Int
    private var position = 0
    private var nextStartsGroup = true
    /// Where the text stopped being a relation field; nil while all is well.
    public private(set) var error: Int?

    public init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.base = bytes.baseAddress
        self.count = bytes.count
    }

    /// The next relation; nil at the end and at a mistake.
    public mutating func next() -> RelationSlice? {
        guard let base, error == nil else { return nil }
        skipSeparators(base)
        if position >= count { return nil }
        var slice = RelationSlice()
        slice.startsGroup = nextStartsGroup

        let nameStart = position
        skipName(base)
        if position == nameStart { return fail() }
        slice.name = nameStart..<position
        if position < count, base[position] == Byte.colon {
            position += 1
            let start = position
            skipName(base)
            if position == start { return fail() }
            slice.qualifier = start..<position
        }
        skipWhite(base)
        if position < count, base[position] == Byte.openParenthesis {
            position += 1
            skipWhite(base)
            slice.comparison = comparison(base)
            skipWhite(base)
            let start = position
            while position < count, base[position] > 32, base[position] != Byte.closeParenthesis { position += 1 }
            slice.version = start..<position
            skipWhite(base)
            guard position < count, base[position] == Byte.closeParenthesis, !slice.version.isEmpty,
                slice.comparison != .any
            else { return fail() }
            position += 1
            skipWhite(base)
        }
        while position < count, base[position] == Byte.openBracket || base[position] == Byte.less {
            let isArchitectures = base[position] == Byte.openBracket
            let close: UInt8 = isArchitectures ? Byte.closeBracket : Byte.greater
            position += 1
            let start = position
            while position < count, base[position] != close { position += 1 }
            if position == count { return fail() }
            if isArchitectures { slice.architectures = start..<position }
            position += 1
            skipWhite(base)
        }
        if position < count {
            guard base[position] == Byte.comma || base[position] == Byte.bar else { return fail() }
            nextStartsGroup = base[position] == Byte.comma
            position += 1
        }
        return slice
    }

    /// `<` and `>` alone are the old way to write `<=` and `>=`.
    private mutating func comparison(_ base: UnsafePointer<UInt8>) -> VersionOperator {
        guard position < count else { return .any }
        let first = base[position]
        guard first == Byte.less || first == Byte.equals || first == Byte.greater else { return .any }
        position += 1
        if first == Byte.equals { return .equal }
        guard position < count else { return .any }
        if base[position] == first {
            position += 1
            return first == Byte.less ? .less : .greater
        }
        if base[position] == Byte.equals { position += 1 }
        return first == Byte.less ? .lessOrEqual : .greaterOrEqual
    }

    private mutating func fail() -> RelationSlice? {
        error = position
        return nil
    }

    private mutating func skipWhite(_ base: UnsafePointer<UInt8>) {
        while position < count, base[position] == 32 || (base[position] >= 9 && base[position] <= 13) { position += 1 }
    }

    private mutating func skipSeparators(_ base: UnsafePointer<UInt8>) {
        while position < count {
            let byte = base[position]
            if byte == Byte.comma {
                nextStartsGroup = true
            } else if byte != 32 && !(byte >= 9 && byte <= 13) {
                return
            }
            position += 1
        }
    }

    /// Letters, digits and `+-._~`: wider than Policy 5.6.7, as third-party archives are.
    private mutating func skipName(_ base: UnsafePointer<UInt8>) {
        while position < count {
            let byte = base[position]
            let isName =
                (byte >= 97 && byte <= 122) || (byte >= 48 && byte <= 57) || byte == Byte.hyphen || byte == Byte.dot
                || byte == Byte.plus
                || (byte >= 65 && byte <= 90) || byte == Byte.underscore || byte == Byte.tilde
            if !isName { return }
            position += 1
        }
    }
}
