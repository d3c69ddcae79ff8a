/// What one path of a tree has otherwise than that of another.
public struct TreeDifference: Hashable, Sendable {
    /// One thing that a node has: `mode`, `size`, `content`, `xattr security.capability`.
    public struct Field: Hashable, Sendable, CustomStringConvertible {
        public var name: String
        /// nil where there is none.
        public var expected: String?
        public var found: String?

        init(_ name: String, _ expected: String?, _ found: String?) {
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
    /// What this tree has otherwise than the expected one, in path order; linear in both. Contents are compared by their
    /// digests, hard links by the first of their names.
    public func differences(from expected: FileTree) -> [TreeDifference] {
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
                let fields = new.fields(differingFrom: old, links: links)
                if !fields.isEmpty { differences.append(TreeDifference(path: new.path, kind: .changed(fields))) }
                left.removeFirst()
                right.removeFirst()
            }
        }
        return differences
    }

    private var firstNames: [UInt32: TreePath] {
        Dictionary(
            nodes.lazy.filter { $0.linkGroup != 0 }.map { ($0.linkGroup, $0.path) },
            uniquingKeysWith: { first, _ in first })
    }
}

extension FileNode {
    fileprivate func fields(
        differingFrom old: FileNode, links: ([UInt32: TreePath], [UInt32: TreePath])
    ) -> [TreeDifference.Field] {
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
        compare("content", old.blob?.digest?.description, blob?.digest?.description)
        compare("target", old.targetText, targetText)
        compare("device", old.deviceText, deviceText)
        compare("first of its names", links.0[old.linkGroup]?.description, links.1[linkGroup]?.description)
        if metadata.xattrs != old.metadata.xattrs {
            let names = Set((old.metadata.xattrs + metadata.xattrs).map(\.name)).sorted()
            for name in names { compare("xattr \(name)", old.attributeText(name), attributeText(name)) }
        }
        return fields
    }

    private var typeText: String {
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

    private var modeText: String {
        let digits = String(metadata.mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

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
