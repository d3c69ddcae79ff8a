/// What one path of a tree has otherwise than that of another.
public struct TreeDifference: Hashable, Sendable {
    /// One thing that a node has: `mode`, `size`, `content`, `xattr security.capability`.
    public struct Field: Hashable, Sendable, CustomStringConvertible {
        public var name: String
        /// nil where there is none.
        public var expected: String?
        public var found: String?

        public init(_ name: String, _ expected: String?, _ found: String?) {
            self.name = name
            self.expected = expected
            self.found = found
        }

        public var description: String { "\(name) \(found ?? "none") instead of \(expected ?? "none")" }
    }

    public enum Kind: Hashable, Sendable {
        /// Only the expected tree has it.
        case missing
        /// The expected tree has none.
        case added
        case changed([Field])
    }

    public var path: TreePath
    public var kind: Kind

    public var description: String {
        switch kind {
        case .missing: "\(path): missing"
        case .added: "\(path): not in what was expected"
        case .changed(let fields): "\(path): \(fields.map(\.description).joined(separator: ", "))"
        }
    }
}

extension FileTree {
    /// What this tree has otherwise than the expected one, in path order; linear in both. Hard links are compared by the
    /// first of their names, contents by their digests or as the caller knows: the expected file comes first.
    public func differences(
        from expected: FileTree,
        hasOtherContent: (FileNode, FileNode) -> Bool = { $0.blob?.digest != $1.blob?.digest }
    ) -> [TreeDifference] {
        var differences = [TreeDifference]()
        let links = (expected.firstNames, firstNames)
        var left = expected.nodes[...]
        var right = nodes[...]
        while let old = left.first ?? right.first, let new = right.first ?? left.first {
            if left.isEmpty || (!right.isEmpty && new.path < old.path) {
                differences.append(TreeDifference(path: new.path, kind: .added))
                right.removeFirst()
            } else if right.isEmpty || old.path < new.path {
                differences.append(TreeDifference(path: old.path, kind: .missing))
                left.removeFirst()
            } else {
                let fields = new.fields(differingFrom: old, links: links, hasOtherContent)
                if !fields.isEmpty { differences.append(TreeDifference(path: new.path, kind: .changed(fields))) }
                left.removeFirst()
                right.removeFirst()
            }
        }
        return differences
    }

    /// The first of the names of each group of hard links.
    public var firstNames: [UInt32: TreePath] {
        Dictionary(
            nodes.lazy.filter { $0.linkGroup != 0 }.map { ($0.linkGroup, $0.path) },
            uniquingKeysWith: { first, _ in first })
    }
}

extension FileNode {
    /// All that the node has, as the fields of a difference from nothing. `firstNames` are its tree's.
    public func fields(firstNames: [UInt32: TreePath]) -> [TreeDifference.Field] {
        let single: [(String, String?)] = [
            ("type", typeText), ("mode", modeText), ("uid", String(metadata.uid)), ("gid", String(metadata.gid)),
            ("size", blob.map { String($0.size) }), ("time", timeText), ("content", blob?.digest?.description),
            ("target", targetText), ("device", deviceText), ("first of its names", firstNames[linkGroup]?.description),
        ]
        let attributes = metadata.xattrs.map { ("xattr \($0.name)", Optional(hexText($0.value))) }
        return (single + attributes).compactMap { name, value in value.map { .init(name, nil, $0) } }
    }

    /// Whether nothing can be otherwise but what contents and hard links are.
    private func looksLike(_ old: FileNode) -> Bool {
        guard metadata == old.metadata else { return false }
        switch (kind, old.kind) {
        case (.file(let now, 0), .file(let before, 0)): return now.size == before.size
        case (.file, _), (_, .file): return false
        default: return kind == old.kind
        }
    }

    fileprivate func fields(
        differingFrom old: FileNode, links: ([UInt32: TreePath], [UInt32: TreePath]),
        _ hasOtherContent: (FileNode, FileNode) -> Bool
    ) -> [TreeDifference.Field] {
        let isOtherFile = blob != nil && old.blob != nil && hasOtherContent(old, self)
        // Most nodes of two images are the same: no texts are made of them.
        if !isOtherFile, looksLike(old) { return [] }
        var fields = [TreeDifference.Field]()
        func compare(_ name: String, _ expected: String?, _ found: String?) {
            if expected != found { fields.append(.init(name, expected, found)) }
        }
        compare("type", old.typeText, typeText)
        compare("mode", old.modeText, modeText)
        compare("uid", String(old.metadata.uid), String(metadata.uid))
        compare("gid", String(old.metadata.gid), String(metadata.gid))
        compare("size", old.blob.map { String($0.size) }, blob.map { String($0.size) })
        compare("time", old.timeText, timeText)
        if isOtherFile {
            fields.append(.init("content", old.blob?.digest?.description, blob?.digest?.description))
        } else if (blob == nil) != (old.blob == nil) {
            compare("content", old.blob?.digest?.description, blob?.digest?.description)
        }
        compare("target", old.targetText, targetText)
        compare("device", old.deviceText, deviceText)
        compare("first of its names", links.0[old.linkGroup]?.description, links.1[linkGroup]?.description)
        if metadata.xattrs != old.metadata.xattrs {
            let names = Set((old.metadata.xattrs + metadata.xattrs).map(\.name)).sorted()
            for name in names { compare("xattr \(name)", old.attributeText(name), attributeText(name)) }
        }
        return fields
    }

    /// `directory`, `file`, `link`, `character device`, `block device`, `fifo`, `socket`.
    public var typeText: String {
        switch kind {
        case .directory: "directory"
        case .file: "file"
        case .symbolicLink: "link"
        case .characterDevice: "character device"
        case .blockDevice: "block device"
        case .fifo: "fifo"
        case .socket: "socket"
        }
    }

    /// Four octal digits.
    private var modeText: String { octal(metadata.mode) }

    private var timeText: String {
        let digits = String(metadata.mtime.nanoseconds)
        return "\(metadata.mtime.seconds)." + String(repeating: "0", count: max(0, 9 - digits.count)) + digits
    }

    private var targetText: String? { linkTarget.map { String(decoding: $0, as: UTF8.self) } }

    private var deviceText: String? {
        switch kind {
        case .characterDevice(let major, let minor), .blockDevice(let major, let minor): "\(major):\(minor)"
        default: nil
        }
    }

    private func attributeText(_ name: String) -> String? {
        metadata.xattrs.first { $0.name == name }.map { hexText($0.value) }
    }
}
