internal import Debian
internal import RootfsModel

/// Which changes have to be made together, and in which order: after each group the packages that are there are
/// complete, as far as their dependencies and conflicts say.
struct BisectGroups: Sendable {
    /// Indices of changes; any first few of these groups may be made.
    let groups: [[Int]]

    /// A package of either side: as it is while a change is not made, or once it is.
    private struct Candidate {
        var stanza: PackageStanza
        /// nil for one that is the same on both sides.
        var change: Int?
        var isNew: Bool
        var layer: Int
    }

    /// - Parameter stanza: the control file of a package.
    init(_ pair: BisectPair, stanza: (Lock.Package) throws -> PackageStanza) throws {
        let changes = pair.changes
        let layers = Dictionary(
            pair.bad.lock.layerNames.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        func layer(_ package: Lock.Package) -> Int {
            guard case .layer(let name) = package.purpose else { return 0 }
            return pair.hasOtherLayers ? 0 : layers[name] ?? 0
        }
        var candidates = [Candidate]()
        let changed = Set(changes.filter(\.isPackage).map(\.name))
        for package in pair.bad.lock.layers.flatMap(\.packages) where !changed.contains("package \(package.name)") {
            candidates.append(
                Candidate(stanza: try stanza(package), change: nil, isNew: true, layer: layer(package)))
        }
        for (index, change) in changes.enumerated() where change.isPackage {
            for (package, isNew) in [(change.old, false), (change.new, true)] {
                guard let package else { continue }
                candidates.append(
                    Candidate(stanza: try stanza(package), change: index, isNew: isNew, layer: layer(package)))
            }
        }
        var needs = [Set<Int>](repeating: [], count: changes.count)
        Self.addDependencies(of: candidates, to: &needs)
        Self.addConflicts(of: candidates, to: &needs)
        if pair.hasOtherLayers {
            // A circle through all of them.
            let all = changes.indices.filter { changes[$0].isPackage }
            for (index, next) in zip(all, all.dropFirst() + all.prefix(1)) { needs[index].insert(next) }
        }
        let ranks = changes.map { change in (change.new ?? change.old).map(layer) ?? 0 }
        groups = Self.ordered(needs, ranks: zip(changes, ranks).map { $0.isPackage ? $1 : Int.max })
    }

    /// A change that needs another is never made without it.
    private static func addDependencies(of candidates: [Candidate], to needs: inout [Set<Int>]) {
        var named = [String: [Int]]()
        for (index, candidate) in candidates.enumerated() {
            for name in Set([candidate.stanza.name] + candidate.stanza.provides.map(\.name)) {
                named[name, default: []].append(index)
            }
        }
        for package in candidates {
            for group in package.stanza.preDepends + package.stanza.depends {
                var satisfiers = [Candidate]()
                for relation in group.alternatives {
                    satisfiers += (named[relation.name] ?? []).map { candidates[$0] }.filter {
                        $0.layer <= package.layer && $0.stanza.satisfies(relation)
                    }
                }
                // What is always there, or is with the package itself.
                if satisfiers.contains(where: { $0.change == nil }) { continue }
                let old = satisfiers.filter { !$0.isNew }.compactMap(\.change)
                let new = satisfiers.filter(\.isNew).compactMap(\.change)
                if new.contains(where: old.contains) { continue }
                switch (package.change, package.isNew) {
                case (let change?, true):
                    // It needs one that only another change brings.
                    if let other = new.first, !new.contains(change) { needs[change].insert(other) }
                case (let change?, false):
                    // What another change takes it still needs.
                    if let other = old.first, !old.contains(change) { needs[other].insert(change) }
                case (nil, _):
                    // What one change takes another brings.
                    if let taken = old.first, let brought = new.first { needs[taken].insert(brought) }
                }
            }
        }
    }

    private static func addConflicts(of candidates: [Candidate], to needs: inout [Set<Int>]) {
        for package in candidates {
            for relation in package.stanza.conflicts + package.stanza.breaks {
                for other in candidates where other.stanza.name != package.stanza.name {
                    guard let mine = package.change, let its = other.change, package.isNew != other.isNew,
                        other.stanza.satisfies(relation)
                    else { continue }
                    // The newer of the two never comes without the older one's change.
                    if package.isNew { needs[mine].insert(its) } else { needs[its].insert(mine) }
                }
            }
        }
    }

    /// The groups that need each other, each behind what it needs; of those that may be next the lowest layer's first,
    /// so that the layers below stay as they are for long, then in the order of the changes.
    static func ordered(_ needs: [Set<Int>], ranks: [Int]) -> [[Int]] {
        // Whatever is reached both ways is one group. Some hundreds of changes at most.
        let reach = needs.indices.map { start in
            var seen = Set([start])
            var pending = [start]
            while let next = pending.popLast() {
                for other in needs[next] where seen.insert(other).inserted { pending.append(other) }
            }
            return seen
        }
        var left = [[Int]]()
        var isPlaced = Set<Int>()
        for index in needs.indices where !isPlaced.contains(index) {
            let group = reach[index].filter { reach[$0].contains(index) }.sorted()
            isPlaced.formUnion(group)
            left.append(group)
        }
        var made = Set<Int>()
        var result = [[Int]]()
        while !left.isEmpty {
            let ready = left.indices.filter { place in
                left[place].allSatisfy { needs[$0].subtracting(left[place]).isSubset(of: made) }
            }
            func key(_ place: Int) -> (Int, Int) { (left[place].map { ranks[$0] }.min() ?? 0, left[place][0]) }
            guard let next = ready.min(by: { key($0) < key($1) }) else { break }
            made.formUnion(left[next])
            result.append(left.remove(at: next))
        }
        return result
    }
}

extension PackageStanza {
    /// Whether it is what a relation means, by its name or by what it provides (Policy 7.5).
    fileprivate func satisfies(_ relation: Relation) -> Bool {
        if relation.matches(name: name, version: version) { return true }
        return provides.contains { provided in
            guard provided.name == relation.name else { return false }
            if provided.comparison != .equal { return relation.comparison == .any }
            return relation.matches(name: relation.name, version: provided.version)
        }
    }
}

/// Halves the groups between the last that is known to be good and the first that is known to be bad.
struct BisectSearch: Sendable {
    /// How many groups are made in the one that is good, and in the one that is bad.
    private(set) var good = 0
    private(set) var bad: Int
    /// Those that cannot be tested.
    private(set) var skipped = Set<Int>()

    init(groups: Int) { bad = groups }

    enum Verdict: String, Encodable, Sendable {
        case good, bad
        case skipped = "cannot be tested"
    }

    /// How many groups to make next: the middle of what is left, or what can be tested nearest to it; nil where nothing
    /// is left.
    var next: Int? {
        let middle = (good + bad) / 2
        return (good + 1..<max(bad, good + 1)).filter { !skipped.contains($0) }
            .min { (abs($0 - middle), $0) < (abs($1 - middle), $1) }
    }

    mutating func note(_ verdict: Verdict, of count: Int) {
        switch verdict {
        case .good: good = count
        case .bad: bad = count
        case .skipped: skipped.insert(count)
        }
    }

    /// How many more there are at most, if all can be tested.
    var most: Int {
        var (left, count) = (bad - good, 0)
        while left > 1 {
            left = (left + 1) / 2
            count += 1
        }
        return count
    }
}
