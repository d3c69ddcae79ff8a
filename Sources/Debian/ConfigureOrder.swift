/// The order in which unpacked packages are configured: each after what it (pre-)depends on, ties by name.
///
/// Each batch is one run of dpkg: packages in order, ending with one dependency cycle (the last batch may end
/// without one). dpkg keeps the given order but postpones a cycle to the end of its run, so every cycle ends
/// one. Dependencies that no package of the list satisfies are taken to be configured already.
public func configureBatches(_ packages: [PackageStanza]) -> [[String]] {
    let packages = packages.sorted { ($0.name, $0.architecture) < ($1.name, $1.architecture) }
    let edges = dependencyEdges(packages)
    let components = stronglyConnectedComponents(edges)

    var componentOf = [Int](repeating: 0, count: packages.count)
    for (number, members) in components.enumerated() {
        for member in members { componentOf[member] = number }
    }
    var waitingFor = [Int](repeating: 0, count: components.count)
    var dependents = [[Int]](repeating: [], count: components.count)
    for (number, members) in components.enumerated() {
        let needs = Set(members.flatMap { edges[$0].map { componentOf[$0] } }).subtracting([number])
        waitingFor[number] = needs.count
        for need in needs { dependents[need].append(number) }
    }

    // Packages are sorted by name, so the smallest member's index is the tie-break.
    var ready = MinimumHeap()
    let keys = components.map { $0.min() ?? 0 }
    for number in components.indices where waitingFor[number] == 0 { ready.insert(keys[number]) }
    var batches = [[String]]()
    var batch = [String]()
    while let key = ready.removeMinimum() {
        let number = componentOf[key]
        batch += components[number].sorted().map { packages[$0].name }
        if components[number].count > 1 {
            batches.append(batch)
            batch = []
        }
        for dependent in dependents[number] {
            waitingFor[dependent] -= 1
            if waitingFor[dependent] == 0 { ready.insert(keys[dependent]) }
        }
    }
    if !batch.isEmpty { batches.append(batch) }
    return batches
}

/// For each package, the packages of the list that satisfy its groups: of each group the first alternative that
/// is there, the package of that name before one that provides it.
func dependencyEdges(_ packages: [PackageStanza]) -> [[Int]] {
    let set = PackageSet(packages)
    return packages.enumerated().map { index, package in
        let satisfiers = (package.preDepends + package.depends).compactMap { group in
            group.alternatives.lazy.compactMap(set.satisfier).first
        }
        return Set(satisfiers).subtracting([index]).sorted()
    }
}

/// Tarjan's algorithm with its own stack: a long chain of dependencies must not exhaust the thread's.
private func stronglyConnectedComponents(_ edges: [[Int]]) -> [[Int]] {
    var components = [[Int]]()
    var number = [Int](repeating: -1, count: edges.count)
    var low = [Int](repeating: 0, count: edges.count)
    var isOpen = [Bool](repeating: false, count: edges.count)
    var open = [Int]()
    var next = 0
    for root in edges.indices where number[root] < 0 {
        var path = [(node: Int, edge: Int)]()
        func enter(_ node: Int) {
            number[node] = next
            low[node] = next
            next += 1
            open.append(node)
            isOpen[node] = true
            path.append((node, 0))
        }
        enter(root)
        while let (node, edge) = path.last {
            if edge < edges[node].count {
                path[path.count - 1].edge += 1
                let target = edges[node][edge]
                if number[target] < 0 {
                    enter(target)
                } else if isOpen[target] {
                    low[node] = min(low[node], number[target])
                }
                continue
            }
            path.removeLast()
            if let above = path.last?.node { low[above] = min(low[above], low[node]) }
            if low[node] == number[node] {
                var members = [Int]()
                while let member = open.popLast() {
                    isOpen[member] = false
                    members.append(member)
                    if member == node { break }
                }
                components.append(members)
            }
        }
    }
    return components
}

private struct MinimumHeap {
    private var items = [Int]()

    mutating func insert(_ item: Int) {
        items.append(item)
        var index = items.count - 1
        while index > 0, items[index] < items[(index - 1) / 2] {
            items.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    mutating func removeMinimum() -> Int? {
        guard let minimum = items.first else { return nil }
        items[0] = items[items.count - 1]
        items.removeLast()
        var index = 0
        while true {
            var smallest = index
            for child in [2 * index + 1, 2 * index + 2] where child < items.count && items[child] < items[smallest] {
                smallest = child
            }
            if smallest == index { return minimum }
            items.swapAt(index, smallest)
            index = smallest
        }
    }
}
