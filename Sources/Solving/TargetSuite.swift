internal import Debian

// What a request from one suite (`nodejs/bookworm-backports`) brings along from there.
extension Universe {
    /// Takes from the suite of a request what its package needs and no candidate satisfies, and so on for what comes
    /// so: apt-get(8)'s `name/suite`. Whatever comes from there brings the candidates of its source package along, for
    /// siblings often want each other in one version. What is in `fixed` (asked for in a version or a suite of its
    /// own), is pinned or excluded stays.
    func follow(_ suite: String, from name: Int32, _ candidates: inout [Int32], fixed: Set<Int32>) {
        let isOfSuite = sources.map { $0.pocket == suite }
        let mayMove = { (name: Int32) in
            !fixed.contains(name) && !excluded.contains(name) && held[name] == nil
        }
        var movedSources = Set<MadeFrom>()
        /// Moves a version's siblings; those alone that the suite has in the same source version.
        func moveSiblings(of version: Int) {
            let source = madeFrom(version)
            guard movedSources.insert(source).inserted else { return }
            let bytes = Array(source.name.utf8)
            for sibling in versions.indices
            where isOfSuite[Int(versions[sibling].source)] && isMade(sibling, from: bytes) {
                if mayMove(versions[sibling].name), madeFrom(sibling) == source {
                    candidates[Int(versions[sibling].name)] = Int32(sibling)
                }
            }
        }
        let start = Int(candidates[Int(name)])
        moveSiblings(of: start)
        var moved = Set<Int32>()
        var seen = Set<Int>()
        var pending = [start]
        while let version = pending.popLast() {
            guard seen.insert(version).inserted else { continue }
            for group in groups(version, from: .preDepends, to: .conflicts) {
                // One way through what is satisfied already is enough to meet the siblings that moved.
                if let met = satisfiers(of: group, owner: version, among: candidates).first {
                    pending.append(Int(candidates[Int(met)]))
                    continue
                }
                guard isOfSuite[Int(versions[version].source)] else { continue }
                for place in group {
                    let found = offers(for: place, owner: version).filter {
                        let name = versions[$0].name
                        return isOfSuite[Int(versions[$0].source)] && mayMove(name) && !moved.contains(name)
                    }
                    guard let best = best(of: found, wanted: relations[place].name) else { continue }
                    moved.insert(versions[best].name)
                    candidates[Int(versions[best].name)] = Int32(best)
                    moveSiblings(of: best)
                    pending.append(best)
                    break
                }
            }
        }
    }

    /// All versions that satisfy a relation, candidates or not.
    private func offers(for place: Int, owner: Int) -> [Int] {
        let wanted = Int(relations[place].name)
        return providers[Int(providerStarts[wanted])..<Int(providerStarts[wanted + 1])]
            .filter { holds(relations[place], owner: owner, provider: $0) }.map { Int($0.version) }
    }

    /// One of that very name first, then the highest.
    private func best(of found: [Int], wanted: Int32) -> Int? {
        found.max { left, right in
            let (a, b) = (versions[left].name, versions[right].name)
            if a != b { return a == wanted ? false : b == wanted ? true : a < b }
            return compare(left, right) < 0
        }
    }
}
