import RootfsModel
import TestSupport
import Testing

@testable import Comparing

/// What is told of two trees is all that they have otherwise: applied to the old one's listing it gives the new one's.
@Suite struct PropertyTests {
    private func tree(_ random: inout SeededGenerator) throws -> FileTree {
        func pick<Value>(_ values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &random)] }
        var nodes = [FileNode]()
        var names = Set<String>()
        for _ in 0..<Int.random(in: 0...30, using: &random) {
            let name =
                pick(["a", "b", "etc", "usr"]) + "/" + pick(["x", "y", "z w", "\\"]) + pick(["", "1", "/q", "/q/r"])
            names.insert(name)
        }
        let group = UInt32(1)
        let shared = FileNode(
            path: .root, kind: .file(Blob(Array("shared".utf8)), linkGroup: group), metadata: Metadata(mode: 0o644))
        for name in names.sorted() where !names.contains(where: { name.hasPrefix($0 + "/") }) {
            let metadata = Metadata(
                mode: pick([0o644, 0o755, 0o4755]), uid: pick([0, 7]), gid: pick([0, 8]),
                mtime: Timestamp(seconds: pick([1, 2, -3]), nanoseconds: pick([0, 5])),
                xattrs: pick([[], [ExtendedAttribute(name: "user.a", value: [1, 2])]]))
            let path = try #require(TreePath(normalizing: Array(name.utf8) + pick([[], [0xFF]])))
            let kind: NodeKind = pick([
                .file(Blob(Array(pick(["", "one", "two", "eno"]).utf8)), linkGroup: 0),
                .symbolicLink(Array(pick(["x", "/y"]).utf8)),
                .fifo, .directory, .characterDevice(major: 1, minor: pick([2, 3])), shared.kind,
            ])
            let isShared = kind == shared.kind
            nodes.append(FileNode(path: path, kind: kind, metadata: isShared ? shared.metadata : metadata))
        }
        return try FileTree(nodes)
    }

    /// Puts the told changes to a tree.
    private func apply(_ changes: [PathChange], to old: FileTree) throws -> FileTree {
        var nodes = Dictionary(
            uniqueKeysWithValues: old.nodes.map { ($0.path, Described($0, firstNames: old.firstNames)) })
        for change in changes {
            switch change.change {
            case .removed: nodes[change.treePath] = nil
            case .added: nodes[change.treePath] = Described(change.fields)
            case .changed:
                var node = try #require(nodes[change.treePath])
                for field in change.fields { node.values[field.name] = field.new }
                nodes[change.treePath] = node
            }
        }
        var groups = [String: UInt32]()
        return try FileTree(nodes.map { path, node in try node.node(at: path, &groups) })
    }

    /// A node by the words of its fields.
    private struct Described {
        var values: [String: String]

        init(_ node: FileNode, firstNames: [UInt32: TreePath]) {
            values = Dictionary(
                uniqueKeysWithValues: node.fields(firstNames: firstNames).map { ($0.name, $0.found ?? "") })
        }

        init(_ fields: [PathChange.Field]) {
            values = Dictionary(uniqueKeysWithValues: fields.map { ($0.name, $0.new ?? "") })
        }

        func node(at path: TreePath, _ groups: inout [String: UInt32]) throws -> FileNode {
            let kind: NodeKind
            switch values["type"] {
            case "directory": kind = .directory
            case "file":
                var group: UInt32 = 0
                if let first = values["first of its names"] {
                    group = groups[first] ?? UInt32(groups.count + 1)
                    groups[first] = group
                }
                let digest = try #require(values["content"].flatMap { Digest(hex: $0) })
                kind = .file(
                    Blob(size: try #require(values["size"].flatMap { UInt64($0) }), digest: digest, source: .absent),
                    linkGroup: group)
            case "link": kind = .symbolicLink(Array(try #require(values["target"]).utf8))
            case "fifo": kind = .fifo
            default:
                let numbers = try #require(values["device"]).split(separator: ":").compactMap { UInt32($0) }
                kind = .characterDevice(major: numbers[0], minor: numbers[1])
            }
            let time = try #require(values["time"]).split(separator: ".")
            let attributes = values.filter { $0.key.hasPrefix("xattr ") }.map { name, text in
                let digits = Array(text)
                return ExtendedAttribute(
                    name: String(name.dropFirst("xattr ".count)),
                    value: stride(from: 0, to: digits.count, by: 2).compactMap {
                        UInt8(String(digits[$0...$0 + 1]), radix: 16)
                    })
            }
            return FileNode(
                path: path, kind: kind,
                metadata: Metadata(
                    mode: try #require(UInt16(values["mode"] ?? "", radix: 8)),
                    uid: try #require(UInt32(values["uid"] ?? "")), gid: try #require(UInt32(values["gid"] ?? "")),
                    mtime: Timestamp(
                        seconds: try #require(Int64(time[0])), nanoseconds: try #require(UInt32(time[1]))),
                    xattrs: attributes))
        }
    }

    @Test(arguments: 0..<300) func changesAppliedToTheOldListingGiveTheNew(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (old, new) = (try tree(&random), try tree(&random))
        let side = Comparison.Side(name: "x", kind: .directory)
        let result = try compare(ComparedImage(side: side, tree: old), ComparedImage(side: side, tree: new))
        let made = try apply(result.paths, to: old)
        #expect(
            String(decoding: try Listing.bytes(of: made), as: UTF8.self)
                == String(decoding: try Listing.bytes(of: new), as: UTF8.self), "seed \(seed)")
        #expect(result.isIdentical == (try Listing.bytes(of: old) == Listing.bytes(of: new)), "seed \(seed)")
        #expect(result.counts.causes.reduce(0) { $0 + $1.paths } == result.paths.count, "seed \(seed)")
        #expect(Set(result.paths.map(\.path)).count == result.paths.count, "seed \(seed)")
    }
}
