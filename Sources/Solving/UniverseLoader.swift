internal import Debian
internal import RootfsModel

/// Reads indexes into a universe's tables, names in the order that decides apt's ties: source by source, and in
/// each stanza Package, Pre-Depends, Depends, Conflicts, Breaks, Recommends, Suggests, Replaces, Enhances, Provides.
struct UniverseLoader {
    let architecture: String
    var names: NameTable
    var versions: [Universe.Version] = []
    var relations: [Universe.Relation] = []
    var firstVersion: [Int32] = []
    var isEssential: [Bool] = []
    var isProtected: [Bool] = []
    var provisions: [(name: Int32, provider: Universe.Provider)] = []

    private let architectureBytes: [UInt8]

    init(architecture: String, capacity: Int) {
        self.architecture = architecture
        self.architectureBytes = Array(architecture.utf8)
        self.names = NameTable(capacity: capacity)
        versions.reserveCapacity(capacity / 2)
        relations.reserveCapacity(capacity * 6)
    }

    mutating func load(_ source: Universe.Source, number: Int32) throws(Failure) {
        let index = source.index
        let mistake = index.bytes.withUnsafeBufferPointer { text -> (stanza: Int, field: PackageIndex.Field)? in
            for stanza in 0..<index.count {
                if let field = load(index, stanza, text, source: number) { return (stanza, field) }
            }
            return nil
        }
        // A field is pointed at by package, not by line: a stanza of an archive is nobody's to edit.
        if let (stanza, field) = mistake {
            let package = index.text(of: .package, in: stanza)
            throw Failure(
                "cannot parse \(index.file): \(field) of \(package) \(index.text(of: .version, in: stanza)) is no "
                    + "relation field: `\(index.text(of: field, in: stanza).prefix(80))`")
        }
    }

    /// One stanza; the field that cannot be parsed, or nil. Stanzas of other architectures are passed over.
    private mutating func load(
        _ index: PackageIndex, _ stanza: Int, _ text: UnsafeBufferPointer<UInt8>, source: Int32
    ) -> PackageIndex.Field? {
        func value(_ field: PackageIndex.Field) -> UnsafeBufferPointer<UInt8> {
            UnsafeBufferPointer(rebasing: text[index.range(of: field, in: stanza)])
        }
        let architecture = value(.architecture)
        guard Self.isEqual(architecture, architectureBytes) || Self.isEqual(architecture, Self.all) else { return nil }

        let name = intern(value(.package))
        let multiArch = value(.multiArch)
        let isAllowed = Self.isEqual(multiArch, Self.allowed)
        let number = Int32(versions.count)
        let isEssential = Self.isEqual(value(.essential), Self.yes)
        let isProtected = Self.isEqual(value(.protected), Self.yes) || Self.isEqual(value(.important), Self.yes)
        if isEssential { self.isEssential[Int(name)] = true }
        if isProtected { self.isProtected[Int(name)] = true }

        var starts = SIMD8<Int32>()
        func begin(_ kind: Universe.Kind) { starts[kind.rawValue] = Int32(relations.count) }
        begin(.preDepends)
        if !append(value(.preDepends), in: text) { return .preDepends }
        begin(.depends)
        if !append(value(.depends), in: text) { return .depends }
        begin(.conflicts)
        if !append(value(.conflicts), in: text) { return .conflicts }
        begin(.breaks)
        if !append(value(.breaks), in: text) { return .breaks }
        begin(.recommends)
        if !append(value(.recommends), in: text) { return .recommends }
        begin(.suggests)
        if !append(value(.suggests), in: text) { return .suggests }
        begin(.provides)
        // Replaces and Enhances count as mentions only.
        let kept = relations.count
        if !append(value(.replaces), in: text) { return .replaces }
        if !append(value(.enhances), in: text) { return .enhances }
        relations.removeLast(relations.count - kept)
        if !append(value(.provides), in: text) { return .provides }
        begin(.end)

        provisions.append((name, Universe.Provider(version: number, relation: -1)))
        if isAllowed { provisions.append((internAny(name), Universe.Provider(version: number, relation: -1))) }
        for place in kept..<relations.count {
            let provider = Universe.Provider(version: number, relation: Int32(place))
            provisions.append((relations[place].name, provider))
            if isAllowed { provisions.append((internAny(relations[place].name), provider)) }
        }
        versions.append(
            Universe.Version(
                name: name, source: source, stanza: Int32(stanza), next: firstVersion[Int(name)], starts: starts,
                isEssential: isEssential, rank: Self.rank(value(.priority))))
        firstVersion[Int(name)] = number
        return nil
    }

    /// Appends a field's relations; false where it cannot be parsed.
    private mutating func append(_ field: UnsafeBufferPointer<UInt8>, in text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let base = field.baseAddress, let textBase = text.baseAddress, !field.isEmpty else { return true }
        let offset = base - textBase
        var scanner = RelationScanner(field)
        var startsGroup = false
        while let slice = scanner.next() {
            startsGroup = startsGroup || slice.startsGroup
            if !slice.architectures.isEmpty, !applies(field, slice.architectures) { continue }
            guard slice.version.count <= Int(UInt16.max) else { return false }
            relations.append(
                Universe.Relation(
                    name: name(field, slice), versionStart: UInt32(offset + slice.version.lowerBound),
                    versionCount: UInt16(slice.version.count), comparison: slice.comparison,
                    startsGroup: startsGroup))
            startsGroup = false
        }
        return scanner.error == nil
    }

    /// `n`, `n:native` and `n:<our architecture>` are n; any other qualifier makes a name of its own.
    private mutating func name(_ field: UnsafeBufferPointer<UInt8>, _ slice: RelationSlice) -> Int32 {
        if slice.qualifier.isEmpty { return intern(UnsafeBufferPointer(rebasing: field[slice.name])) }
        let qualifier = UnsafeBufferPointer(rebasing: field[slice.qualifier])
        if Self.isEqual(qualifier, Self.native) || Self.isEqual(qualifier, architectureBytes) {
            return intern(UnsafeBufferPointer(rebasing: field[slice.name]))
        }
        return intern(UnsafeBufferPointer(rebasing: field[slice.name.lowerBound..<slice.qualifier.upperBound]))
    }

    private mutating func internAny(_ name: Int32) -> Int32 {
        intern(names[name] + ":any")
    }

    private mutating func intern(_ name: String) -> Int32 {
        var name = name
        return name.withUTF8 { intern($0) }
    }

    private mutating func intern(_ name: UnsafeBufferPointer<UInt8>) -> Int32 {
        let number = names.intern(name)
        if Int(number) == firstVersion.count {
            firstVersion.append(-1)
            isEssential.append(false)
            isProtected.append(false)
        }
        return number
    }

    /// An architecture restriction: `amd64 arm64` or `!hurd-any`; wildcards are `any` and `linux-any`.
    private func applies(_ field: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Bool {
        let words = String(decoding: field[range], as: UTF8.self).split(separator: " ")
        let mine: Set<Substring> = [Substring(architecture), "any", "linux-any", "any-\(architecture)"]
        let isNegative = words.first?.hasPrefix("!") ?? false
        let isNamed = words.contains { mine.contains($0.hasPrefix("!") ? $0.dropFirst() : $0) }
        return isNamed != isNegative
    }

    private static let all = Array("all".utf8)
    private static let yes = Array("yes".utf8)
    private static let allowed = Array("allowed".utf8)
    private static let native = Array("native".utf8)

    private static func isEqual(_ bytes: UnsafeBufferPointer<UInt8>, _ other: [UInt8]) -> Bool {
        guard bytes.count == other.count, let base = bytes.baseAddress else { return false }
        var index = 0
        while index < other.count {
            if base[index] != other[index] { return false }
            index += 1
        }
        return true
    }

    /// required 1 … extra 5; what has none or an unknown one comes last.
    private static func rank(_ priority: UnsafeBufferPointer<UInt8>) -> UInt8 {
        guard let first = priority.first else { return 6 }
        switch first {
        case UInt8(ascii: "r"): return 1
        case UInt8(ascii: "i"): return 2
        case UInt8(ascii: "s"): return 3
        case UInt8(ascii: "o"): return 4
        case UInt8(ascii: "e"): return 5
        default: return 6
        }
    }
}
