internal import Debian
internal import RootfsModel

// Which candidates satisfy a relation, and which of them is tried first.
extension Universe {
    /// The groups of a version's relations of some kinds, each a range of `relations`.
    func groups(_ version: Int, from first: Kind, to end: Kind) -> [Range<Int>] {
        let range = relationRange(version, from: first, to: end)
        var groups = [Range<Int>]()
        var start = range.lowerBound
        for place in range where place > start && relations[place].startsGroup {
            groups.append(start..<place)
            start = place
        }
        if start < range.upperBound { groups.append(start..<range.upperBound) }
        return groups
    }

    /// Calls `body` with the name of each candidate that satisfies a relation of `owner`; a name may come twice
    /// (itself and through a Provides). Ends when `body` says false.
    func forEachSatisfier(
        of place: Int, owner: Int, among candidates: [Int32], _ body: (Int32) -> Bool
    ) {
        let relation = relations[place]
        var index = Int(providerStarts[Int(relation.name)])
        let end = Int(providerStarts[Int(relation.name) + 1])
        while index < end {
            let provider = providers[index]
            index += 1
            let name = versions[Int(provider.version)].name
            guard candidates[Int(name)] == provider.version, holds(relation, owner: owner, provider: provider)
            else { continue }
            if !body(name) { return }
        }
    }

    /// The candidates that satisfy a relation, each once, in the order of the sources.
    func satisfiers(of place: Int, owner: Int, among candidates: [Int32]) -> [Int32] {
        // A version's provisions of one name stand together.
        var found = [Int32]()
        forEachSatisfier(of: place, owner: owner, among: candidates) { name in
            if found.last != name { found.append(name) }
            return true
        }
        return found
    }

    /// The candidates that satisfy a group, each once, alternative by alternative.
    func satisfiers(of group: Range<Int>, owner: Int, among candidates: [Int32]) -> [Int32] {
        if group.count == 1 { return satisfiers(of: group.lowerBound, owner: owner, among: candidates) }
        var seen = Set<Int32>()
        return group.flatMap { satisfiers(of: $0, owner: owner, among: candidates) }.filter { seen.insert($0).inserted }
    }

    /// apt's order of two packages that satisfy the same relation, all else being equal: the one that bears the
    /// wanted name, Essential, Protected, the higher priority, the one whose name was first mentioned last.
    func isBetter(_ left: Int32, _ right: Int32, wanted: Int32, among candidates: [Int32]) -> Bool {
        if left == right { return false }
        if left == wanted || right == wanted { return left == wanted }
        let a = Int(left)
        let b = Int(right)
        if isEssential[a] != isEssential[b] { return isEssential[a] }
        if isProtected[a] != isProtected[b] { return isProtected[a] }
        let leftRank = versions[Int(candidates[a])].rank
        let rightRank = versions[Int(candidates[b])].rank
        if leftRank != rightRank { return leftRank < rightRank }
        return left > right
    }

    /// A relation as the stanza has it: `libqt5gui5 (>= 5.15)`.
    func text(of place: Int, owner: Int) -> String {
        let relation = relations[place]
        let name = names[relation.name]
        if relation.comparison == .any { return name }
        let start = Int(relation.versionStart)
        let bytes = sources[Int(versions[owner].source)].index.bytes[start..<start + Int(relation.versionCount)]
        return "\(name) (\(relation.comparison.symbol) \(String(decoding: bytes, as: UTF8.self)))"
    }

    func text(of group: Range<Int>, owner: Int) -> String {
        group.map { text(of: $0, owner: owner) }.joined(separator: " | ")
    }
}
