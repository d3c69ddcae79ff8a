/// A root file system as a value: nodes sorted by path bytes, each path once, the root directory included,
/// every parent present. One array and no object per node: a million nodes parse, change, sort and write in
/// linear or n log n time.
public struct FileTree: Sendable, Equatable {
    public private(set) var nodes: [FileNode]

    /// A tree that is only its root directory.
    public init(root: Metadata = Metadata(mode: 0o755)) {
        self.nodes = [FileNode(path: .root, kind: .directory, metadata: root)]
    }

    /// A tree of these nodes, in any order. A parent that is missing is made with mode 0755, owner 0:0 and the
    /// time of its first child. Throws where a path comes twice or stands below something that is no directory.
    public init(_ nodes: consuming [FileNode]) throws(Failure) {
        for index in nodes.indices.dropFirst() where !(nodes[index - 1].path < nodes[index].path) {
            nodes.sort { $0.path < $1.path }
            break
        }
        let missing = try Self.missingParents(nodes)
        if !missing.isEmpty {
            nodes += missing
            nodes.sort { $0.path < $1.path }
        }
        self.nodes = nodes
        numberLinkGroups()
    }

    /// Numbers the hard-link groups from 1 in path order; a group of one name is none. So equal trees are equal
    /// whatever numbers their sources gave.
    private mutating func numberLinkGroups() {
        var names = [UInt32: UInt32]()
        for node in nodes where node.linkGroup != 0 { names[node.linkGroup, default: 0] += 1 }
        if names.isEmpty { return }
        var numbers = [UInt32: UInt32]()
        for index in nodes.indices {
            guard case .file(let blob, let group) = nodes[index].kind, group != 0 else { continue }
            if numbers[group] == nil, let count = names[group], count > 1 {
                numbers[group] = UInt32(numbers.count + 1)
            }
            nodes[index].kind = .file(blob, linkGroup: numbers[group] ?? 0)
        }
    }

    /// Nodes that are known to be a tree already.
    init(trusted nodes: [FileNode]) {
        self.nodes = nodes
    }

    public subscript(path: TreePath) -> FileNode? {
        guard let index = index(of: path) else { return nil }
        return nodes[index]
    }

    /// Where a path stands in `nodes`.
    public func index(of path: TreePath) -> Int? {
        let index = insertionIndex(of: path)
        return index < nodes.count && nodes[index].path == path ? index : nil
    }

    /// The first index whose path is not before this one.
    func insertionIndex(of path: TreePath) -> Int {
        var low = 0
        var high = nodes.count
        while low < high {
            let middle = (low + high) / 2
            if nodes[middle].path < path { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Where all that is below a directory stands in `nodes`: without the directory itself, which may stand apart.
    public func indices(below directory: TreePath) -> Range<Int> {
        if directory.isRoot { return min(1, nodes.count)..<nodes.count }
        let start = insertionIndex(of: TreePath(trusted: directory.bytes + [TreePath.slash]))
        return start..<insertionIndex(of: TreePath(trusted: directory.bytes + [TreePath.slash + 1]))
    }

    /// What is in a directory, in path order.
    public func children(of directory: TreePath) -> [FileNode] {
        nodes[indices(below: directory)].filter { $0.path.isChild(of: directory) }
    }

    /// The highest hard-link group in use.
    public var highestLinkGroup: UInt32 {
        nodes.reduce(0) { max($0, $1.linkGroup) }
    }

    /// The names of each file that has several, in path order.
    public var hardLinks: [[TreePath]] {
        var names = [[TreePath]]()
        var positions = [UInt32: Int]()
        for node in nodes where node.linkGroup != 0 {
            if let position = positions[node.linkGroup] {
                names[position].append(node.path)
            } else {
                positions[node.linkGroup] = names.count
                names.append([node.path])
            }
        }
        return names
    }

    /// The sum of the regular files' sizes, hard links counted once, in bytes.
    public var contentSize: UInt64 {
        var seen = Set<UInt32>()
        var sum: UInt64 = 0
        for node in nodes {
            guard case .file(let blob, let group) = node.kind else { continue }
            if group == 0 || seen.insert(group).inserted { sum += blob.size }
        }
        return sum
    }

    /// Changes every node in place without touching its path.
    public mutating func updateEach(_ body: (inout FileNode) throws -> Void) rethrows {
        for index in nodes.indices {
            let path = nodes[index].path
            try body(&nodes[index])
            precondition(nodes[index].path == path, "updateEach keeps paths")
        }
    }

    /// The children's indices of each directory, by the directory's index, in path order. Linear in the nodes.
    public func childIndices() -> [[Int]] {
        var children = [[Int]](repeating: [], count: nodes.count)
        var directories = [TreePath: Int]()
        // Neighbours are mostly in the same directory.
        var last: (path: TreePath, index: Int)?
        for index in nodes.indices {
            let path = nodes[index].path
            if nodes[index].isDirectory { directories[path] = index }
            if let last, path.isChild(of: last.path) {
                children[last.index].append(index)
            } else if let parent = path.parent, let parentIndex = directories[parent] {
                children[parentIndex].append(index)
                last = (parent, parentIndex)
            }
        }
        return children
    }

    /// The directories that nodes in path order have none of; throws where a path comes twice or stands below what is
    /// no directory.
    private static func missingParents(_ sorted: [FileNode]) throws(Failure) -> [FileNode] {
        var missing = [FileNode]()
        var directories = Set<TreePath>()
        // Neighbours are mostly in the same directory, which then need not be looked for.
        var known: TreePath?
        if sorted.first?.path.isRoot != true {
            let mtime = sorted.first?.metadata.mtime ?? Timestamp(seconds: 0)
            missing.append(FileNode(path: .root, kind: .directory, metadata: Metadata(mode: 0o755, mtime: mtime)))
            directories.insert(.root)
        }
        for index in sorted.indices {
            let path = sorted[index].path
            if index > 0, sorted[index - 1].path == path { throw Failure("\(path) comes twice in one tree") }
            if sorted[index].isDirectory { directories.insert(path) }
            if let known, path.isChild(of: known) { continue }
            guard var ancestor = path.parent else { continue }
            known = ancestor
            while directories.insert(ancestor).inserted, let above = ancestor.parent {
                if let there = FileTree(trusted: sorted)[ancestor] {
                    throw Failure("\(path) stands below \(there.path), which is no directory")
                }
                let metadata = Metadata(mode: 0o755, mtime: sorted[index].metadata.mtime)
                missing.append(FileNode(path: ancestor, kind: .directory, metadata: metadata))
                ancestor = above
            }
        }
        return missing
    }
}
