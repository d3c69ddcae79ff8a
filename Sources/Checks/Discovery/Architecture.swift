public import RootfsModel

/// Debian's name of the architecture that a tree is for: dpkg's own, else that of its shell or its init; nil where
/// neither tells it. Throws only what `read` does.
public func debianArchitecture(
    of tree: FileTree, read: @escaping @Sendable (_ blob: Blob, _ range: Range<UInt64>) throws -> [UInt8]
) throws -> String? {
    let subject = CheckSubject(tree: tree, architecture: "", read: read)
    let field = "Architecture: "
    for line in try subject.lines(of: "var/lib/dpkg/status", limit: 256 << 20) where line.hasPrefix(field) {
        let name = String(line.dropFirst(field.count))
        if name != "all" { return name }
    }
    for path: TreePath in ["/bin/sh", "/sbin/init"] {
        guard let blob = tree.resolvedNode(path)?.blob else { continue }
        let head = try subject.beginning(of: blob, count: 20)
        guard head.count == 20, head.starts(with: [0x7f, 0x45, 0x4c, 0x46, 2, 1]) else { continue }
        switch (head[18], head[19]) {
        case (62, 0): return "amd64"
        case (183, 0): return "arm64"
        default: continue
        }
    }
    return nil
}
