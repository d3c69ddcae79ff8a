// Which layer each package of a solution belongs to.
extension Universe {
    /// For each name the number of its layer, -1 for what was not kept.
    ///
    /// A package belongs to the first layer whose requests reach it through Depends and Pre-Depends. A group that
    /// something of this or an earlier layer satisfies reaches nothing more; any other reaches its first alternative's
    /// best package. What is only kept through Recommends, Suggests or a further alternative goes to the first layer
    /// that reaches it so and has, with the layers before, all that it depends on.
    func attribute(_ kept: [Int32], layers: [[Int32]], candidates: [Int32]) -> [Int] {
        var layerOf = [Int](repeating: -1, count: candidates.count)
        var isKept = [Bool](repeating: false, count: candidates.count)
        for name in kept { isKept[Int(name)] = true }
        for (number, requests) in layers.enumerated() {
            var pending = [Int32]()
            for request in requests where isKept[Int(request)] && layerOf[Int(request)] < 0 {
                layerOf[Int(request)] = number
                pending.append(request)
            }
            pending.reverse()
            while let package = pending.popLast() {
                for next in unmetChoices(of: package, isKept, layerOf, candidates) {
                    layerOf[Int(next)] = number
                    pending.append(next)
                }
            }
        }
        placeLeftovers(kept, layerCount: layers.count, isKept, &layerOf, candidates)
        return layerOf
    }

    /// For each group of a package that nothing with a layer satisfies, the kept package to satisfy it.
    private func unmetChoices(
        of package: Int32, _ isKept: [Bool], _ layerOf: [Int], _ candidates: [Int32]
    ) -> [Int32] {
        let version = Int(candidates[Int(package)])
        var choices = [Int32]()
        for group in groups(version, from: .preDepends, to: .conflicts) {
            var choice: Int32?
            var isMet = false
            for place in group where !isMet {
                let wanted = relations[place].name
                let found = satisfiers(of: place, owner: version, among: candidates).filter { isKept[Int($0)] }
                isMet = found.contains { layerOf[Int($0)] >= 0 || choices.contains($0) }
                if choice == nil {
                    choice = found.min { isBetter($0, $1, wanted: wanted, among: candidates) }
                }
            }
            if let choice, !isMet { choices.append(choice) }
        }
        return choices
    }

    private func placeLeftovers(
        _ kept: [Int32], layerCount: Int, _ isKept: [Bool], _ layerOf: inout [Int], _ candidates: [Int32]
    ) {
        var leftovers = kept.filter { layerOf[Int($0)] < 0 }
        for layer in 0..<layerCount where !leftovers.isEmpty {
            // Reached in any way from this layer or one before.
            var isReached = [Bool](repeating: false, count: candidates.count)
            var pending = kept.filter { layerOf[Int($0)] >= 0 && layerOf[Int($0)] <= layer }
            for name in pending { isReached[Int(name)] = true }
            while let package = pending.popLast() {
                let version = Int(candidates[Int(package)])
                for (from, to) in [(Kind.preDepends, Kind.conflicts), (.recommends, .provides)] {
                    for place in relationRange(version, from: from, to: to) {
                        for name in satisfiers(of: place, owner: version, among: candidates)
                        where isKept[Int(name)] && layerOf[Int(name)] < 0 && !isReached[Int(name)] {
                            isReached[Int(name)] = true
                            pending.append(name)
                        }
                    }
                }
            }
            // Without those that lack something, until none does.
            var fitting = Set(leftovers.filter { isReached[Int($0)] })
            while true {
                let complete = fitting.filter { package in
                    let version = Int(candidates[Int(package)])
                    return groups(version, from: .preDepends, to: .conflicts).allSatisfy { group in
                        group.contains { place in
                            satisfiers(of: place, owner: version, among: candidates).contains {
                                (layerOf[Int($0)] >= 0 && layerOf[Int($0)] <= layer) || fitting.contains($0)
                            }
                        }
                    }
                }
                if complete.count == fitting.count { break }
                fitting = complete
            }
            for name in fitting { layerOf[Int(name)] = layer }
            leftovers = leftovers.filter { layerOf[Int($0)] < 0 }
        }
        // An Essential or Protected package that nothing requested leads to.
        for name in leftovers { layerOf[Int(name)] = max(0, layerCount - 1) }
    }
}
