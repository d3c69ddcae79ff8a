import Debian
import RootfsModel

/// One thing in which two trees are not the same.
struct Difference: Equatable {
    enum Field: String, CaseIterable {
        /// The path is in one tree alone.
        case oursOnly = "ours-only"
        case theirsOnly = "theirs-only"
        case kind, mode, owner, group, device, target, content
        /// The same lines in another order.
        case order
        /// One field of one entry of dpkg's status database.
        case entry
        case xattr
        /// The names of one file that has several.
        case names
    }

    var path: TreePath
    var field: Field
    var ours: String
    var theirs: String

    var text: String { "\(path): \(field.rawValue): ours \(ours), theirs \(theirs)" }
}

/// Compares all but times.
struct TreeComparison {
    private let read: (Blob) throws -> [UInt8]
    private(set) var differences: [Difference] = []

    static func differences(
        _ ours: FileTree, _ theirs: FileTree, read: @escaping (Blob) throws -> [UInt8]
    ) throws -> [Difference] {
        var comparison = TreeComparison(read: read)
        try comparison.compare(ours, theirs)
        return comparison.differences
    }

    private init(read: @escaping (Blob) throws -> [UInt8]) {
        self.read = read
    }

    private mutating func compare(_ ours: FileTree, _ theirs: FileTree) throws {
        let names = (ours: Self.names(ours), theirs: Self.names(theirs))
        for node in ours.nodes {
            guard let other = theirs[node.path] else {
                add(node.path, .oursOnly, Self.kind(node), "nothing")
                continue
            }
            try compare(node, other)
            add(node.path, .names, names.ours[node.path] ?? "one", names.theirs[node.path] ?? "one")
        }
        for node in theirs.nodes where ours.index(of: node.path) == nil {
            add(node.path, .theirsOnly, "nothing", Self.kind(node))
        }
        differences.sort { $0.path < $1.path }
    }

    private static func names(_ tree: FileTree) -> [TreePath: String] {
        var all = [TreePath: String]()
        for names in tree.hardLinks {
            let text = names.map(\.description).joined(separator: " ")
            for name in names { all[name] = text }
        }
        return all
    }

    private mutating func compare(_ ours: FileNode, _ theirs: FileNode) throws {
        let path = ours.path
        add(path, .kind, Self.kind(ours), Self.kind(theirs))
        add(path, .mode, String(ours.metadata.mode, radix: 8), String(theirs.metadata.mode, radix: 8))
        add(path, .owner, "\(ours.metadata.uid)", "\(theirs.metadata.uid)")
        add(path, .group, "\(ours.metadata.gid)", "\(theirs.metadata.gid)")
        add(path, .xattr, Self.attributes(ours), Self.attributes(theirs))
        switch (ours.kind, theirs.kind) {
        case (.file(let left, _), .file(let right, _)):
            if left.size != right.size || left.digest == nil || left.digest != right.digest {
                try compare(path, try read(left), try read(right))
            }
        case (.symbolicLink(let left), .symbolicLink(let right)):
            add(path, .target, String(decoding: left, as: UTF8.self), String(decoding: right, as: UTF8.self))
        case (.characterDevice(let major, let minor), .characterDevice(let other, let otherMinor)),
            (.blockDevice(let major, let minor), .blockDevice(let other, let otherMinor)):
            add(path, .device, "\(major):\(minor)", "\(other):\(otherMinor)")
        default: break
        }
    }

    private mutating func compare(_ path: TreePath, _ ours: [UInt8], _ theirs: [UInt8]) throws {
        if ours == theirs { return }
        if path == "var/lib/dpkg/status", try compareEntries(path, ours, theirs) { return }
        let (field, left, right) = Self.telling(ours, theirs)
        differences.append(Difference(path: path, field: field, ours: left, theirs: right))
    }

    /// What two contents differ in: of texts a line each.
    private static func telling(_ ours: [UInt8], _ theirs: [UInt8]) -> (Difference.Field, String, String) {
        func size(_ bytes: [UInt8]) -> String { "\(bytes.count) bytes \(Digest(hashing: bytes).hex.prefix(12))" }
        if ours.contains(0) || theirs.contains(0) { return (.content, size(ours), size(theirs)) }
        func text(_ line: ArraySlice<UInt8>) -> String { "`\(String(decoding: line.prefix(200), as: UTF8.self))`" }
        let left = ours.split(separator: 10, omittingEmptySubsequences: false)
        let right = theirs.split(separator: 10, omittingEmptySubsequences: false)
        func sorted(_ lines: [ArraySlice<UInt8>]) -> [ArraySlice<UInt8>] {
            lines.sorted { $0.lexicographicallyPrecedes($1) }
        }
        if sorted(left) == sorted(right), let place = left.indices.first(where: { left[$0] != right[$0] }) {
            return (.order, text(left[place]), text(right[place]))
        }
        let (known, others) = (Set(left), Set(right))
        let mine = left.first { !others.contains($0) }
        let other = right.first { !known.contains($0) }
        // The same lines, but not as often.
        if mine == nil && other == nil { return (.content, size(ours), size(theirs)) }
        return (.content, mine.map(text) ?? "no line more", other.map(text) ?? "no line more")
    }

    /// Compares dpkg's database by package and field; gives whether that told all.
    private mutating func compareEntries(_ path: TreePath, _ ours: [UInt8], _ theirs: [UInt8]) throws -> Bool {
        func entries(_ bytes: [UInt8]) throws -> [String: Stanza] {
            let stanzas = try Stanza.parse(bytes, file: path.description)
            return Dictionary(stanzas.map { ("\($0["Package"] ?? ""):\($0["Architecture"] ?? "")", $0) }) { $1 }
        }
        let (left, right) = (try entries(ours), try entries(theirs))
        let before = differences.count
        for name in Set(left.keys).union(right.keys).sorted() {
            guard let mine = left[name], let other = right[name] else {
                add(
                    path, .entry, "\(name) \(left[name] == nil ? "absent" : "there")",
                    "\(name) \(right[name] == nil ? "absent" : "there")")
                continue
            }
            for field in Set(mine.fields.map(\.name)).union(other.fields.map(\.name)).sorted()
            where mine[field] != other[field] {
                add(path, .entry, "\(name) \(field) `\(mine[field] ?? "")`", "\(name) \(field) `\(other[field] ?? "")`")
            }
        }
        return differences.count > before
    }

    private mutating func add(_ path: TreePath, _ field: Difference.Field, _ ours: String, _ theirs: String) {
        if ours != theirs { differences.append(Difference(path: path, field: field, ours: ours, theirs: theirs)) }
    }

    private static func attributes(_ node: FileNode) -> String {
        let all = node.metadata.xattrs.map { attribute in
            attribute.name + "=" + attribute.value.map { String($0, radix: 16) }.joined(separator: ".")
        }
        return all.isEmpty ? "none" : all.joined(separator: " ")
    }

    private static func kind(_ node: FileNode) -> String {
        switch node.kind {
        case .directory: "a directory"
        case .file: "a file"
        case .symbolicLink: "a link"
        case .characterDevice: "a character device"
        case .blockDevice: "a block device"
        case .fifo: "a fifo"
        case .socket: "a socket"
        }
    }
}
