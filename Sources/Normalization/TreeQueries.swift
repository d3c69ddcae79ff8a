internal import RootfsModel

extension FileTree {
    /// Those of these paths at which there is something.
    func present(_ paths: [TreePath]) -> [TreePath] {
        paths.filter { index(of: $0) != nil }
    }
}

extension FileNode {
    func nameHasPrefix(_ prefix: String) -> Bool { path.name.starts(with: prefix.utf8) }

    func nameHasSuffix(_ suffix: String) -> Bool {
        path.name.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
    }

    /// The same file with other content, and one name.
    func with(content: [UInt8]) -> FileNode {
        FileNode(path: path, kind: .file(Blob(content), linkGroup: 0), metadata: metadata)
    }
}
