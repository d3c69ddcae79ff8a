internal import RootfsModel

/// One of the account files (passwd(5), group(5), shadow(5), gshadow(5)): lines of fields between colons. What
/// is not changed keeps its bytes, lines that are no accounts too.
struct AccountTable {
    let path: TreePath
    private(set) var lines: [[UInt8]]
    private let metadata: Metadata
    private(set) var isChanged = false

    /// The file of a tree; nil when it has none.
    init?(_ path: TreePath, in tree: FileTree, read: (Blob) throws -> [UInt8]) throws {
        guard let resolved = tree.resolve(path), let node = tree[resolved], let blob = node.blob else { return nil }
        self.path = resolved
        self.metadata = node.metadata
        var lines = try read(blob).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(
            Array.init)
        if lines.last?.isEmpty == true { lines.removeLast() }
        self.lines = lines
    }

    /// Every account's fields.
    var rows: [[ArraySlice<UInt8>]] {
        lines.compactMap { line in
            let fields = Self.fields(line)
            return fields.count > 1 && line.first != UInt8(ascii: "#") ? fields : nil
        }
    }

    func row(named name: String) -> [ArraySlice<UInt8>]? {
        rows.first { $0[0].elementsEqual(name.utf8) }
    }

    /// The account whose third field is this number.
    func row(numbered number: UInt32) -> [ArraySlice<UInt8>]? {
        rows.first { Self.number($0, 2) == number }
    }

    var numbers: Set<UInt32> {
        Set(rows.compactMap { Self.number($0, 2) })
    }

    /// The accounts' names, in the order of the file.
    var names: [String] {
        rows.map { String(decoding: $0[0], as: UTF8.self) }
    }

    static func number(_ row: [ArraySlice<UInt8>], _ field: Int) -> UInt32? {
        row.count > field ? UInt32(String(decoding: row[field], as: UTF8.self)) : nil
    }

    static func text(_ row: [ArraySlice<UInt8>], _ field: Int) -> String {
        row.count > field ? String(decoding: row[field], as: UTF8.self) : ""
    }

    mutating func append(_ fields: [String]) {
        lines.append(Array(fields.joined(separator: ":").utf8))
        isChanged = true
    }

    /// Adds a member to the comma-separated list that is the account's last field; one who is there stays once.
    mutating func addMember(_ member: String, to name: String) {
        for index in lines.indices {
            let fields = Self.fields(lines[index])
            guard fields.count > 3, fields[0].elementsEqual(name.utf8), let list = fields.last else { continue }
            if list.split(separator: UInt8(ascii: ",")).contains(where: { $0.elementsEqual(member.utf8) }) { return }
            if !list.isEmpty { lines[index].append(UInt8(ascii: ",")) }
            lines[index] += Array(member.utf8)
            isChanged = true
            return
        }
    }

    /// The file as it is now, with the owner and mode it had.
    func node(moment: Timestamp) -> FileNode {
        var metadata = metadata
        metadata.mtime = moment
        return FileNode(
            path: path, kind: .file(Blob(lines.flatMap { $0 + [UInt8(ascii: "\n")] }), linkGroup: 0), metadata: metadata
        )
    }

    private static func fields(_ line: [UInt8]) -> [ArraySlice<UInt8>] {
        line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    }
}
