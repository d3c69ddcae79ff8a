extension FileTree {
    /// Follows symbolic links inside the tree, as the kernel would with the tree as its root: absolute targets
    /// start at the tree's root and `..` stops there. With `followingLast` false the last component is not
    /// followed. nil when a component is missing, is no directory where one is needed, or links run in a circle.
    public func resolve(_ path: TreePath, followingLast: Bool = true) -> TreePath? {
        resolve(bytes: path.bytes, followingLast: followingLast)
    }

    /// Likewise for a path as programs write it, with `.` and `..`; a relative one begins at the directory unless it
    /// has a leading slash, which the root does not need.
    public func resolve(
        bytes: some Collection<UInt8>, from directory: TreePath = .root, followingLast: Bool = true
    ) -> TreePath? {
        var pending = Array(Array(bytes).split(separator: TreePath.slash).reversed())
        var current = bytes.first == TreePath.slash ? TreePath.root : directory
        var linksLeft = 40
        while let component = pending.popLast() {
            if component.elementsEqual(".".utf8) { continue }
            if component.elementsEqual("..".utf8) {
                current = current.parent ?? .root
                continue
            }
            if component.contains(0) { return nil }
            let next = current.appending(component)
            guard let node = self[next] else { return nil }
            if case .symbolicLink(let target) = node.kind, followingLast || !pending.isEmpty {
                linksLeft -= 1
                if linksLeft == 0 { return nil }
                if target.first == TreePath.slash { current = .root }
                pending.append(contentsOf: target.split(separator: TreePath.slash).reversed())
                continue
            }
            if !pending.isEmpty && !node.isDirectory { return nil }
            current = next
        }
        return current
    }

    /// The node a path leads to, through symbolic links.
    public func resolvedNode(_ path: TreePath) -> FileNode? {
        resolve(path).flatMap { self[$0] }
    }

    /// Where a new node of this path belongs: its nearest existing ancestor with links followed, and the rest
    /// below it. `bin/x` becomes `usr/bin/x` in a tree whose `bin` is a link to `usr/bin`.
    public func placement(of path: TreePath) -> TreePath {
        guard let parent = path.parent, !parent.isRoot else { return path }
        var rest = [path.name]
        var ancestor = parent
        while true {
            if let resolved = resolve(ancestor) {
                return rest.reversed().reduce(resolved) { $0.appending($1) }
            }
            guard let above = ancestor.parent else { return path }
            rest.append(ancestor.name)
            ancestor = above
        }
    }
}
