internal import RootfsModel

extension FileTree {
    /// What is in a directory, links to it followed, in path order.
    func resolvedChildren(of directory: TreePath) -> [FileNode] {
        resolve(directory).map(children(of:)) ?? []
    }
}

extension FileNode {
    /// The last component as text.
    var name: String { String(decoding: path.name, as: UTF8.self) }
}

extension CheckSubject {
    /// A file's lines as text; none where there is no such file.
    func lines(of path: TreePath, limit: UInt64 = 16 << 20) throws -> [Substring] {
        guard let bytes = try content(of: path, limit: limit) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// Some of the first bytes of a file.
    func beginning(of blob: Blob, count: UInt64) throws -> [UInt8] {
        try read(blob, 0..<min(count, blob.size))
    }

    /// Those of these paths that a package brings, by dpkg's own lists; a path may be there by its name of before /usr
    /// was merged.
    func packaged(_ paths: Set<TreePath>) throws -> Set<TreePath> {
        if paths.isEmpty { return [] }
        var wanted = [ArraySlice<UInt8>: TreePath]()
        for path in paths {
            wanted[([UInt8(ascii: "/")] + path.bytes)[...]] = path
            if path.isWithin("usr") { wanted[path.bytes.dropFirst("usr".utf8.count)] = path }
        }
        var found = Set<TreePath>()
        for node in tree.resolvedChildren(of: "var/lib/dpkg/info") where node.name.hasSuffix(".list") {
            for line in try content(of: node.path)?.split(separator: UInt8(ascii: "\n")) ?? [] {
                if let path = wanted[line] { found.insert(path) }
            }
        }
        return found
    }
}
