internal import Debian

/// One run of the greedy rules. Packages are name numbers; every array is indexed by them.
///
/// Only the candidates of the run's start are ever selected; a candidate that was taken away does not come back.
struct Solver {
    /// Why a package lost its candidate or could not be expanded.
    enum Setback {
        case unsatisfied(group: Range<Int>)
        case conflict(with: Int32)
        /// Taken away by a protected package that conflicts with it.
        case displaced(by: Int32)
    }

    let universe: Universe
    let candidates: [Int32]
    private(set) var isSelected: [Bool]
    private(set) var setbacks: [Int32: Setback] = [:]
    /// For whom a package was last tried, and for which of its groups.
    private(set) var choosers: [Int32: (owner: Int32, group: Range<Int>)] = [:]
    /// Names in the order in which they were first selected.
    private var selectionOrder: [Int32] = []
    private var isAlive: [Bool]
    private var isMarked: [Bool]
    private var isExpanding: [Bool]
    /// 0 not expanded, 1 expanded, 2 expanded as a protected one.
    private var depth: [UInt8]
    private var stack: [Frame] = []

    private struct Frame {
        var package: Int32
        var wasProtected: Bool
        /// The relations of Pre-Depends and Depends that are still to do.
        var rest: Range<Int>
        var group = 0..<0
        var possibilities: [Int32] = []
        var tried = 0
        var isTrying = false
    }

    init(_ universe: Universe, candidates: [Int32]) {
        self.universe = universe
        self.candidates = candidates
        let count = candidates.count
        isAlive = candidates.map { $0 >= 0 }
        isSelected = [Bool](repeating: false, count: count)
        isMarked = isSelected
        isExpanding = isSelected
        depth = [UInt8](repeating: 0, count: count)
    }

    /// Selects all requests, then expands them in order. The first that fails; nil when none does.
    ///
    /// What is there already is selected too, so that it is chosen before what is as good, and given up where it cannot
    /// be.
    mutating func run(_ requests: [Int32], present: [Int32] = []) -> Int32? {
        for request in requests where isAlive[Int(request)] {
            select(request)
            isMarked[Int(request)] = true
        }
        for package in present where isAlive[Int(package)] { select(package) }
        for request in requests where !expand(request) { return request }
        for package in present where isSelected[Int(package)] { _ = expand(package) }
        return nil
    }

    /// The selected packages that something keeps, sorted by number: what the roots, Essential and Protected packages
    /// reach.
    func kept(_ requests: [Int32]) -> [Int32] {
        var isKept = [Bool](repeating: false, count: isSelected.count)
        var pending = [Int32]()
        func keep(_ package: Int32) {
            guard isSelected[Int(package)], !isKept[Int(package)] else { return }
            isKept[Int(package)] = true
            pending.append(package)
        }
        requests.forEach(keep)
        for package in selectionOrder where universe.isEssential[Int(package)] || universe.isProtected[Int(package)] {
            keep(package)
        }
        while let package = pending.popLast() {
            let version = Int(candidates[Int(package)])
            let strong = universe.relationRange(version, from: .preDepends, to: .conflicts)
            let weak = universe.relationRange(version, from: .recommends, to: .provides)
            for place in [Array(strong), Array(weak)].joined() {
                universe.forEachSatisfier(of: place, owner: version, among: candidates) { name in
                    keep(name)
                    return true
                }
            }
        }
        return isKept.indices.filter { isKept[$0] }.map(Int32.init)
    }

    /// A selected package with a group that nothing selected satisfies, or with a conflict among the selected.
    mutating func firstViolation() -> Int32? {
        for package in selectionOrder where isSelected[Int(package)] {
            let version = Int(candidates[Int(package)])
            for group in universe.groups(version, from: .preDepends, to: .conflicts)
            where !isSatisfied(group, owner: version) {
                setbacks[package] = .unsatisfied(group: group)
                return package
            }
            for victim in victims(of: package) where isSelected[Int(victim)] {
                setbacks[package] = .conflict(with: victim)
                return package
            }
        }
        return nil
    }

    private mutating func select(_ package: Int32) {
        if !isSelected[Int(package)] { selectionOrder.append(package) }
        isSelected[Int(package)] = true
    }

    private mutating func drop(_ package: Int32, because setback: Setback) {
        isSelected[Int(package)] = false
        isAlive[Int(package)] = false
        depth[Int(package)] = 0
        if setbacks[package] == nil { setbacks[package] = setback }
    }

    /// Depth first, with a stack of its own: a chain of dependencies may be as long as an archive likes.
    private mutating func expand(_ package: Int32) -> Bool {
        var result = begin(package)
        while let top = stack.indices.last {
            if let outcome = result {
                result = nil
                if stack[top].isTrying {
                    stack[top].isTrying = !outcome
                    stack[top].tried += 1
                }
            }
            if stack[top].isTrying || nextGroup(top) {
                let frame = stack[top]
                guard frame.tried < frame.possibilities.count else {
                    result = end(top, failing: frame.group)
                    continue
                }
                let child = frame.possibilities[frame.tried]
                if frame.wasProtected && frame.possibilities.count == 1 { isMarked[Int(child)] = true }
                if !isSelected[Int(child)] { choosers[child] = (frame.package, frame.group) }
                result = begin(child)
            } else {
                result = end(top, failing: nil)
            }
        }
        return result ?? true
    }

    /// Starts to expand a package: its outcome where it is known at once, else nil and a frame on the stack.
    private mutating func begin(_ package: Int32) -> Bool? {
        let index = Int(package)
        if isExpanding[index] { return true }
        guard isSelected[index] || isAlive[index] else { return false }
        let wasProtected = isMarked[index]
        if isSelected[index], depth[index] >= (wasProtected ? 2 : 1) { return true }
        let version = Int(candidates[index])
        if !wasProtected, let group = unsatisfiableGroup(of: version) {
            drop(package, because: .unsatisfied(group: group))
            return false
        }
        select(package)
        for victim in victims(of: package) {
            if isSelected[Int(victim)], isMarked[Int(victim)] || isExpanding[Int(victim)] {
                drop(package, because: .conflict(with: victim))
                return false
            }
            if wasProtected {
                drop(victim, because: .displaced(by: package))
            } else if isSelected[Int(victim)] {
                isSelected[Int(victim)] = false
                depth[Int(victim)] = 0
            }
        }
        isExpanding[index] = true
        stack.append(
            Frame(
                package: package, wasProtected: wasProtected,
                rest: universe.relationRange(version, from: .preDepends, to: .conflicts)))
        return nil
    }

    /// Ends the frame on top of the stack.
    private mutating func end(_ top: Int, failing group: Range<Int>?) -> Bool {
        let frame = stack.removeLast()
        isExpanding[Int(frame.package)] = false
        if let group {
            drop(frame.package, because: .unsatisfied(group: group))
            return false
        }
        depth[Int(frame.package)] = frame.wasProtected ? 2 : 1
        return true
    }

    /// Moves a frame to its next group that asks for anything; false when there is none.
    private mutating func nextGroup(_ top: Int) -> Bool {
        var rest = stack[top].rest
        let owner = Int(candidates[Int(stack[top].package)])
        let wasProtected = stack[top].wasProtected
        while !rest.isEmpty {
            var end = rest.lowerBound + 1
            while end < rest.upperBound, !universe.relations[end].startsGroup { end += 1 }
            let group = rest.lowerBound..<end
            rest = end..<rest.upperBound
            let satisfied = isSatisfied(group, owner: owner)
            if satisfied && !wasProtected { continue }
            let possibilities = self.possibilities(group, owner: owner)
            if satisfied && possibilities.count != 1 { continue }
            stack[top].rest = rest
            stack[top].group = group
            stack[top].possibilities = possibilities
            stack[top].tried = 0
            stack[top].isTrying = true
            return true
        }
        stack[top].rest = rest
        return false
    }

    /// What can satisfy a group now: alternatives left to right, in each the best first; selected ones before all.
    private func possibilities(_ group: Range<Int>, owner: Int) -> [Int32] {
        var result = [Int32]()
        var seen = Set<Int32>()
        for place in group {
            var found = universe.satisfiers(of: place, owner: owner, among: candidates).filter {
                (isAlive[Int($0)] || isSelected[Int($0)]) && seen.insert($0).inserted
            }
            let wanted = universe.relations[place].name
            if found.count > 1 {
                found.sort { left, right in
                    let a = Int(left)
                    let b = Int(right)
                    let leftProtected = isMarked[a] || isExpanding[a]
                    let rightProtected = isMarked[b] || isExpanding[b]
                    if leftProtected != rightProtected { return leftProtected }
                    if isSelected[a] != isSelected[b] { return isSelected[a] }
                    return universe.isBetter(left, right, wanted: wanted, among: candidates)
                }
            }
            result += found
        }
        return result.filter { isSelected[Int($0)] } + result.filter { !isSelected[Int($0)] }
    }

    private func isSatisfied(_ group: Range<Int>, owner: Int) -> Bool {
        for place in group {
            var found = false
            universe.forEachSatisfier(of: place, owner: owner, among: candidates) { name in
                found = isSelected[Int(name)]
                return !found
            }
            if found { return true }
        }
        return false
    }

    /// The first group that no candidate of the run's start satisfies.
    private func unsatisfiableGroup(of version: Int) -> Range<Int>? {
        universe.groups(version, from: .preDepends, to: .conflicts).first { group in
            !group.contains { place in
                var found = false
                universe.forEachSatisfier(of: place, owner: version, among: candidates) { _ in
                    found = true
                    return false
                }
                return found
            }
        }
    }

    /// What a package's Conflicts and Breaks match, itself left out.
    private func victims(of package: Int32) -> [Int32] {
        let version = Int(candidates[Int(package)])
        var found = [Int32]()
        for place in universe.relationRange(version, from: .conflicts, to: .recommends) {
            universe.forEachSatisfier(of: place, owner: version, among: candidates) { name in
                if name != package, isAlive[Int(name)] || isSelected[Int(name)] { found.append(name) }
                return true
            }
        }
        return found
    }
}
