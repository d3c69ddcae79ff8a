import RootfsModel
import TestSupport

extension SeededGenerator {
    mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 24) } }

    mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }
}

/// Trees of everything that ext4 can hold and people forget.
enum NastyTree {
    static func make(seed: UInt64, nodes count: Int = 120) throws -> FileTree {
        var random = SeededGenerator(seed: seed)
        var nodes = [FileNode(path: .root, kind: .directory, metadata: metadata(&random, mode: 0o755))]
        var directories: [TreePath] = [.root]
        var taken = Set<TreePath>([.root])
        var group: UInt32 = 0
        while nodes.count < count {
            let path = random.pick(directories).appending(name(&random))
            if path.bytes.count > 2000 || !taken.insert(path).inserted { continue }
            var kind = kind(&random)
            if case .file(let blob, _) = kind, random.below(4) == 0 {
                group += 1
                kind = .file(blob, linkGroup: group)
            }
            var node = FileNode(
                path: path, kind: kind, metadata: metadata(&random, mode: UInt16(random.below(0o10000))))
            // The kernel gives user attributes and access control lists to files and directories alone.
            if node.blob == nil && !node.isDirectory {
                node.metadata.xattrs.removeAll { $0.name.hasPrefix("user.") || $0.name.hasPrefix("system.") }
            }
            nodes.append(node)
            if node.isDirectory { directories.append(path) }
            if node.linkGroup != 0 {
                for _ in 0..<random.below(4) + 1 {
                    let other = random.pick(directories).appending(name(&random))
                    if taken.insert(other).inserted {
                        nodes.append(FileNode(path: other, kind: kind, metadata: node.metadata))
                    }
                }
            }
        }
        return try FileTree(nodes)
    }

    /// A tree that depends on nothing but this text, for pinned digests.
    static func pinned() throws -> FileTree {
        let plain = Metadata(
            mode: 0o644, uid: 1, gid: 2, mtime: Timestamp(seconds: 1_600_000_000, nanoseconds: 123_456_789))
        var nasty = Metadata(
            mode: 0o4755, uid: 70_000, gid: 65_536, mtime: Timestamp(seconds: -1, nanoseconds: 999_999_999))
        nasty.xattrs = [
            ExtendedAttribute(
                name: "security.capability", value: [1, 0, 0, 2, 0, 32, 0, 0] + [UInt8](repeating: 0, count: 12)),
            ExtendedAttribute(name: "system.posix_acl_access", value: accessControlList),
            ExtendedAttribute(name: "trusted.large", value: (0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 7) }),
            ExtendedAttribute(name: "user.empty", value: []),
        ]
        var sparse = [UInt8](repeating: 0, count: (1 << 20) + 5000)
        for block in stride(from: 0, to: 250, by: 20) { sparse[block * 4096 + 11] = UInt8(block + 1) }
        let content = Blob((0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) })
        var nodes = [
            FileNode(path: .root, kind: .directory, metadata: Metadata(mode: 0o755, mtime: plain.mtime)),
            FileNode(path: "dir", kind: .directory, metadata: Metadata(mode: 0o1777, mtime: plain.mtime)),
            FileNode(path: "dir/nasty", kind: .file(content, linkGroup: 0), metadata: nasty),
            FileNode(path: "dir/first", kind: .file(Blob([1, 2, 3]), linkGroup: 9), metadata: plain),
            FileNode(path: "second", kind: .file(Blob([1, 2, 3]), linkGroup: 9), metadata: plain),
            FileNode(path: "sparse", kind: .file(Blob(sparse), linkGroup: 0), metadata: plain),
            FileNode(path: "empty", kind: .file(Blob([]), linkGroup: 0), metadata: plain),
            FileNode(path: "short", kind: .symbolicLink([UInt8](repeating: 120, count: 59)), metadata: plain),
            FileNode(path: "long", kind: .symbolicLink([UInt8](repeating: 120, count: 60)), metadata: plain),
            FileNode(path: "null", kind: .characterDevice(major: 1, minor: 3), metadata: plain),
            FileNode(path: "disk", kind: .blockDevice(major: 300, minor: 70_000), metadata: plain),
            FileNode(path: "fifo", kind: .fifo, metadata: plain),
            FileNode(path: "socket", kind: .socket, metadata: plain),
            FileNode(path: "many", kind: .directory, metadata: plain),
        ]
        for number in 0..<500 {
            let name = Array("\(number)-é\(number * 7919)".utf8) + [0xff]
            nodes.append(
                FileNode(path: TreePath("many").appending(name), kind: .file(Blob([]), linkGroup: 0), metadata: plain))
        }
        return try FileTree(nodes)
    }

    private static func name(_ random: inout SeededGenerator) -> [UInt8] {
        switch random.below(8) {
        case 0: return (0..<255).map { _ in UInt8.random(in: 1...255, using: &random) }.map { $0 == 47 ? 48 : $0 }
        case 1: return [0xff, 0xfe, 10, UInt8(1 + random.below(30))]
        case 2: return Array("é\u{301}.e\u{301}\(random.below(100))".utf8)
        case 3: return Array("... \(random.below(1000))\n".utf8)
        default: return Array("name-\(random.below(100_000))".utf8)
        }
    }

    private static func kind(_ random: inout SeededGenerator) -> NodeKind {
        switch random.below(12) {
        case 0, 1, 2: return .directory
        case 3:
            let length = random.pick([1, 58, 59, 60, 61, 255, 1000, 4095])
            return .symbolicLink((0..<length).map { _ in UInt8.random(in: 1...255, using: &random) })
        case 4:
            let device = random.pick([(0, 0), (1, 3), (8, 255), (255, 255), (256, 0), (300, 70_000), (4095, 0xf_ffff)])
            return .characterDevice(major: UInt32(device.0), minor: UInt32(device.1))
        case 5: return .blockDevice(major: UInt32(random.below(4096)), minor: UInt32(random.below(1 << 20)))
        case 6: return random.below(2) == 0 ? .fifo : .socket
        default: return .file(Blob(content(&random)), linkGroup: 0)
        }
    }

    private static func content(_ random: inout SeededGenerator) -> [UInt8] {
        switch random.below(12) {
        case 0: return []
        case 1: return [UInt8](repeating: 0, count: random.below(20_000))
        case 2: return sparse(&random)
        default: return random.bytes(random.pick([1, 100, 4095, 4096, 4097, 12_288, random.below(50_000)]))
        }
    }

    /// Over the threshold from which blocks of zeros become holes.
    static func sparse(_ random: inout SeededGenerator) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: (1 << 20) + random.below(1 << 19))
        for _ in 0..<random.below(20) { bytes[random.below(bytes.count)] = UInt8(1 + random.below(255)) }
        return bytes
    }

    private static func metadata(_ random: inout SeededGenerator, mode: UInt16) -> Metadata {
        let times: [Int64] = [
            0, -1, 1_700_000_000, -(1 << 31), (1 << 31) - 1, 1 << 31, (1 << 32) + 5, (1 << 34) - (1 << 31) - 1,
        ]
        let owners: [UInt32] = [0, 0, 1000, 65_535, 65_536, 70_000, .max - 1]
        return Metadata(
            mode: mode, uid: random.pick(owners), gid: random.pick(owners),
            mtime: Timestamp(seconds: random.pick(times), nanoseconds: UInt32(random.pick([0, 1, 999_999_999]))),
            xattrs: attributes(&random))
    }

    private static func attributes(_ random: inout SeededGenerator) -> [ExtendedAttribute] {
        var result = [ExtendedAttribute]()
        switch random.below(10) {
        case 0:
            let capability: [UInt8] = [1, 0, 0, 2, 0, 32, 0, 0] + [UInt8](repeating: 0, count: 12)
            result.append(ExtendedAttribute(name: "security.capability", value: capability))
        case 1: result.append(ExtendedAttribute(name: "user.empty", value: []))
        case 2:
            result = (0..<60).map { ExtendedAttribute(name: "user.n\($0)", value: [UInt8]("value \($0)".utf8)) }
        case 3: result.append(ExtendedAttribute(name: "trusted.large", value: random.bytes(3000)))
        case 4: result.append(ExtendedAttribute(name: "user.limit", value: random.bytes(4060 - 16 - 8)))
        case 5:
            result.append(ExtendedAttribute(name: "system.posix_acl_access", value: accessControlList))
            result.append(ExtendedAttribute(name: "user.ünï", value: [1, 2, 3]))
        default: break
        }
        return result.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    /// user::rw-, user:1000:r--, group::r--, mask::r--, other::---
    static let accessControlList: [UInt8] =
        [2, 0, 0, 0] + entry(0x01, 6, .max) + entry(0x02, 4, 1000) + entry(0x04, 4, .max) + entry(0x10, 4, .max)
        + entry(0x20, 0, .max)

    private static func entry(_ tag: UInt8, _ permissions: UInt8, _ id: UInt32) -> [UInt8] {
        [tag, 0, permissions, 0] + (0..<4).map { UInt8(truncatingIfNeeded: id >> UInt32($0 * 8)) }
    }
}

extension FileTree {
    /// The same tree with digests for contents and link groups counted from 1 in path order: what two trees of the same
    /// root file system have in common wherever their bytes are.
    var canonical: FileTree {
        var counts = [UInt32: Int]()
        var groups = [UInt32: UInt32]()
        for node in nodes where node.linkGroup != 0 { counts[node.linkGroup, default: 0] += 1 }
        var result = self
        result.updateEach { node in
            guard case .file(let blob, let old) = node.kind else { return }
            var group: UInt32 = 0
            if old != 0, counts[old, default: 0] > 1 {
                group = groups[old] ?? UInt32(groups.count + 1)
                groups[old] = group
            }
            node.kind = .file(Blob(size: blob.size, digest: blob.digest, source: .absent), linkGroup: group)
        }
        return result
    }
}

/// The first nodes in which two trees differ.
func differences(_ left: FileTree, _ right: FileTree) -> [String] {
    let a = Dictionary(left.nodes.map { ($0.path, $0) }) { $1 }
    let b = Dictionary(right.nodes.map { ($0.path, $0) }) { $1 }
    return Set(a.keys).union(b.keys).sorted().filter { a[$0] != b[$0] }.prefix(3).map { path in
        "\(path):\n  \(a[path].map { "\($0.kind) \($0.metadata)" } ?? "nothing")\n  \(b[path].map { "\($0.kind) \($0.metadata)" } ?? "nothing")"
    }
}
