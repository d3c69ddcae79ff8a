internal import Debian
internal import RootfsModel

/// Why requests cannot be satisfied: what must be there and what cannot be, each with its reason, propagated without
/// any choice until one package is both. It looks at what the requests can reach only, and only after a failure.
struct Explanation {
    /// Why a package must be there.
    enum Need {
        case requested
        /// The last one left for a group of this package.
        case dependency(of: Int32, group: Range<Int>)
    }

    /// Why a package cannot be there.
    enum Obstacle {
        case unsatisfied(group: Range<Int>)
        /// It and a package that must be there exclude each other; `declarer` is the one whose stanza says so.
        case conflict(with: Int32, declarer: Int32)
    }

    struct Group {
        var owner: Int
        var range: Range<Int>
        var satisfiers: [Int32]
        var left: Int
    }

    let universe: Universe
    let candidates: [Int32]
    private(set) var needs: [Int32: Need] = [:]
    private(set) var obstacles: [Int32: Obstacle] = [:]
    /// The package that must be there and cannot; nil where propagation alone finds none.
    private(set) var contradiction: Int32?

    /// The packages that can be reached; numbers below index the arrays.
    private var nodes: [Int32] = []
    private var nodeOf: [Int32: Int] = [:]
    private var groups: [Group] = []
    private var groupsOf: [[Int]] = []
    private var usersOf: [[Int]] = []
    private var rivalsOf: [[(rival: Int, declarer: Int)]] = []
    private var queue: [(node: Int, isNeeded: Bool)] = []

    init(_ universe: Universe, candidates: [Int32], requests: [Int32]) {
        self.universe = universe
        self.candidates = candidates
        collect(requests)
        for group in groups where group.left == 0 { rule(out: group.owner, .unsatisfied(group: group.range)) }
        for request in requests {
            if let node = nodeOf[request] { need(node, .requested) }
        }
        propagate()
    }

    private mutating func collect(_ requests: [Int32]) {
        for request in requests where candidates[Int(request)] >= 0 { add(request) }
        var node = 0
        while node < nodes.count {
            let version = Int(candidates[Int(nodes[node])])
            for range in universe.groups(version, from: .preDepends, to: .conflicts) {
                let satisfiers = universe.satisfiers(of: range, owner: version, among: candidates)
                if satisfiers.contains(nodes[node]) { continue }
                let number = groups.count
                groups.append(Group(owner: node, range: range, satisfiers: satisfiers, left: satisfiers.count))
                groupsOf[node].append(number)
                for name in satisfiers { usersOf[add(name)].append(number) }
            }
            node += 1
        }
        for node in nodes.indices {
            let version = Int(candidates[Int(nodes[node])])
            for place in universe.relationRange(version, from: .conflicts, to: .recommends) {
                for name in universe.satisfiers(of: place, owner: version, among: candidates) {
                    guard let rival = nodeOf[name], rival != node else { continue }
                    rivalsOf[node].append((rival, node))
                    rivalsOf[rival].append((node, node))
                }
            }
        }
    }

    @discardableResult
    private mutating func add(_ name: Int32) -> Int {
        if let known = nodeOf[name] { return known }
        nodeOf[name] = nodes.count
        nodes.append(name)
        groupsOf.append([])
        usersOf.append([])
        rivalsOf.append([])
        return nodes.count - 1
    }

    private mutating func need(_ node: Int, _ reason: Need) {
        let name = nodes[node]
        if needs[name] != nil { return }
        needs[name] = reason
        if obstacles[name] != nil, contradiction == nil { contradiction = name }
        queue.append((node, true))
    }

    private mutating func rule(out node: Int, _ reason: Obstacle) {
        let name = nodes[node]
        if obstacles[name] != nil { return }
        obstacles[name] = reason
        if needs[name] != nil, contradiction == nil { contradiction = name }
        queue.append((node, false))
    }

    /// First in, first out: the shortest chains come first.
    private mutating func propagate() {
        var next = 0
        while next < queue.count, contradiction == nil {
            let (node, isNeeded) = queue[next]
            next += 1
            if isNeeded {
                for group in groupsOf[node] where groups[group].left == 1 { needLast(of: group) }
                for (rival, declarer) in rivalsOf[node] {
                    rule(out: rival, .conflict(with: nodes[node], declarer: nodes[declarer]))
                }
            } else {
                for group in usersOf[node] {
                    groups[group].left -= 1
                    let owner = groups[group].owner
                    if groups[group].left == 0 {
                        rule(out: owner, .unsatisfied(group: groups[group].range))
                    } else if groups[group].left == 1, needs[nodes[owner]] != nil {
                        needLast(of: group)
                    }
                }
            }
        }
    }

    private mutating func needLast(of group: Int) {
        guard let last = groups[group].satisfiers.first(where: { obstacles[$0] == nil }), let node = nodeOf[last]
        else { return }
        need(node, .dependency(of: nodes[groups[group].owner], group: groups[group].range))
    }
}
