import RootfsModel

extension Sizes {
    /// Where the bytes of both trees are, by folders at most `depth` deep; nil where a side has none.
    init?(from old: ComparedImage, to new: ComparedImage, owners: (old: Ownership, new: Ownership), depth: Int) {
        guard old.tree != nil, new.tree != nil else { return nil }
        let before = Measured(old, owners.old, depth)
        let after = Measured(new, owners.new, depth)
        func parts(_ left: [String: UInt64], _ right: [String: UInt64]) -> [Part] {
            Set(left.keys).union(right.keys).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map {
                Part(name: $0, old: left[$0] ?? 0, new: right[$0] ?? 0)
            }
        }
        self.init(
            old: before.sum, new: after.sum,
            packages: old.knowsOwners && new.knowsOwners ? parts(before.packages, after.packages) : nil,
            folders: parts(before.folders, after.folders))
    }
}

/// The sizes of one tree's files.
private struct Measured {
    var sum: UInt64 = 0
    var packages: [String: UInt64] = [:]
    var folders: [String: UInt64] = [:]

    init(_ image: ComparedImage, _ owners: Ownership, _ depth: Int) {
        var seen = Set<UInt32>()
        var bytes = [UInt64](repeating: 0, count: owners.packages.count + 1)
        // Neighbours are mostly in the same folder.
        var last: (folder: TreePath, name: String, bytes: UInt64)?
        for (index, node) in (image.tree?.nodes ?? []).enumerated() {
            guard case .file(let blob, let group) = node.kind, blob.size > 0 else { continue }
            if group != 0, !seen.insert(group).inserted { continue }
            sum += blob.size
            bytes[owners.firstOwner(at: index) ?? owners.packages.count] += blob.size
            if let known = last, known.folder.components.count == depth, node.path.isWithin(known.folder),
                node.path != known.folder
            {
                last?.bytes += blob.size
                continue
            }
            if let last { folders[last.name, default: 0] += last.bytes }
            let folder = folder(of: node.path, depth)
            last = (folder, shownPath(folder), blob.size)
        }
        if let last { folders[last.name, default: 0] += last.bytes }
        for (number, count) in bytes.enumerated() where count > 0 {
            packages[number < owners.packages.count ? owners.packages[number] : "", default: 0] += count
        }
    }

    /// The folder, at most `depth` deep, that a path is in.
    private func folder(of path: TreePath, _ depth: Int) -> TreePath {
        let above = path.components.dropLast().prefix(depth)
        return above.reduce(.root) { $0.appending($1) }
    }
}
