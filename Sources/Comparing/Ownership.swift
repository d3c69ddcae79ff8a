import RootfsModel

/// Whose each path of a tree is, by dpkg's lists.
struct Ownership {
    /// The packages that have lists.
    let packages: [String]
    /// By node: the first package that has it; -1 for none.
    private var first: [Int32]
    /// The others, of what several have: mostly directories.
    private var others: [Int: [Int32]] = [:]
    private let tree: FileTree

    init(_ image: ComparedImage) {
        tree = image.tree ?? FileTree()
        packages = image.packageFiles.map(\.package)
        first = [Int32](repeating: -1, count: tree.nodes.count)
        if packages.isEmpty { return }
        var indices = [TreePath: Int](minimumCapacity: tree.nodes.count)
        for (index, node) in tree.nodes.enumerated() { indices[node.path] = index }
        let links = Self.topLinks(of: tree)
        for (number, package) in image.packageFiles.enumerated() {
            for path in package.paths {
                guard let index = indices[path] ?? links.place(of: path).flatMap({ indices[$0] }) else { continue }
                if first[index] < 0 {
                    first[index] = Int32(number)
                } else if first[index] != Int32(number) {
                    others[index, default: []].append(Int32(number))
                }
            }
        }
    }

    /// The names of the packages that have a path; none where nobody knows or it is nobody's.
    func owners(of path: TreePath) -> [String] {
        guard !packages.isEmpty, let index = tree.index(of: path) else { return [] }
        return owners(at: index)
    }

    /// Likewise of a node.
    func owners(at index: Int) -> [String] {
        if first[index] < 0 { return [] }
        return [packages[Int(first[index])]] + (others[index] ?? []).map { packages[Int($0)] }
    }

    /// The number of the first package that has a node, in `packages`; nil for none.
    func firstOwner(at index: Int) -> Int? { first[index] < 0 ? nil : Int(first[index]) }

    /// The links of the root directory to others: dpkg lists `/bin/sh` for what is in `/usr/bin`.
    private static func topLinks(of tree: FileTree) -> TopLinks {
        var targets = [TreePath: TreePath]()
        for node in tree.children(of: .root) where node.linkTarget != nil {
            if let place = tree.resolve(node.path), !place.isRoot { targets[node.path] = place }
        }
        return TopLinks(targets: targets)
    }

    private struct TopLinks {
        var targets: [TreePath: TreePath]

        func place(of path: TreePath) -> TreePath? {
            guard let top = path.components.first.flatMap({ TreePath(normalizing: $0) }), let target = targets[top],
                let rest = path.relative(to: top)
            else { return nil }
            return target.appending(rest)
        }
    }
}
