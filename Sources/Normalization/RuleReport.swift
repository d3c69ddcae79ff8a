internal import RootfsModel

/// What one rule changed in one tree.
public struct RuleReport: Codable, Sendable, Equatable {
    /// The rule's id.
    public var rule: String
    public var reason: String
    /// How many paths.
    public var count: Int
    /// All of them, in path order. One that ends in a slash is a directory with all that is in it.
    public var paths: [String]

    /// Nil where a change of this tree changes nothing.
    init?(of rule: any NormalizationRule, _ change: TreeChange, in tree: FileTree) {
        var isChanged = [Bool](repeating: false, count: tree.nodes.count)
        var new = [TreePath]()
        for path in change.removals {
            guard let index = tree.index(of: path) else { continue }
            for index in [index] + tree.indices(below: path) { isChanged[index] = true }
        }
        for node in change.puts {
            if let index = tree.index(of: node.path) { isChanged[index] = true } else { new.append(node.path) }
        }
        let changed = isChanged.indices.filter { isChanged[$0] }
        count = changed.count + new.count
        if count == 0 { return nil }
        self.rule = rule.id
        reason = rule.reason
        // Of the nodes before each: so many are changed.
        var before = [0]
        for flag in isChanged { before.append(before[before.count - 1] + (flag ? 1 : 0)) }
        var told = new.map { (path: $0, text: $0.description) }
        var whole = Set<TreePath>()
        for index in changed {
            let node = tree.nodes[index]
            let isTold = node.path.parent.map { whole.contains($0) } ?? false
            if !node.isDirectory {
                if !isTold { told.append((node.path, node.path.description)) }
                continue
            }
            let below = tree.indices(below: node.path)
            let isWhole = before[below.upperBound] - before[below.lowerBound] == below.count
            if isWhole { whole.insert(node.path) }
            if isTold { continue }
            let text = node.path.description
            told.append((node.path, isWhole && !node.path.isRoot ? text + "/" : text))
        }
        paths = told.sorted { $0.path < $1.path }.map(\.text)
    }
}
