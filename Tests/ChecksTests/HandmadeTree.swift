import Checks
import RootfsModel
import Testing

/// A tree written down: `path` → what is there.
struct HandmadeTree {
    enum Entry {
        case file(String, mode: UInt16, uid: UInt32 = 0)
        case bytes([UInt8], mode: UInt16)
        case directory(mode: UInt16, uid: UInt32 = 0)
        case link(String)

        static func text(_ text: String) -> Entry { .file(text, mode: 0o644) }
        static func script(_ text: String) -> Entry { .file(text, mode: 0o755) }
    }

    var entries: [String: Entry]

    init(_ entries: [String: Entry]) { self.entries = entries }

    /// With these instead.
    func with(_ changes: [String: Entry?]) -> HandmadeTree {
        var result = self
        for (path, entry) in changes { result.entries[path] = entry }
        return result
    }

    func tree() throws -> FileTree {
        try FileTree(
            entries.sorted { $0.key < $1.key }.map { path, entry in
                let path = try #require(TreePath(normalizing: path))
                switch entry {
                case .file(let text, let mode, let uid):
                    return FileNode(
                        path: path, kind: .file(Blob(Array(text.utf8)), linkGroup: 0),
                        metadata: Metadata(mode: mode, uid: uid, gid: uid))
                case .bytes(let bytes, let mode):
                    return FileNode(path: path, kind: .file(Blob(bytes), linkGroup: 0), metadata: Metadata(mode: mode))
                case .directory(let mode, let uid):
                    return FileNode(path: path, kind: .directory, metadata: Metadata(mode: mode, uid: uid, gid: uid))
                case .link(let target):
                    return FileNode(
                        path: path, kind: .symbolicLink(Array(target.utf8)), metadata: Metadata(mode: 0o777))
                }
            })
    }

    /// The tree as a subject, with the services that it starts.
    func subject(
        architecture: String = "amd64", services: [Service]? = nil, kernel: CheckSubject.Kernel? = nil,
        machine: CheckSubject.Machine = CheckSubject.Machine()
    ) throws -> CheckSubject {
        let tree = try tree()
        return CheckSubject(
            tree: tree, architecture: architecture,
            services: try services ?? discoverServices(in: tree, arguments: kernel?.arguments ?? [], read: readMemory),
            kernel: kernel, machine: machine, read: readMemory)
    }
}

/// The bytes of a blob that is in memory.
@Sendable func readMemory(_ blob: Blob, _ range: Range<UInt64>) throws -> [UInt8] {
    guard case .bytes(let bytes) = blob.source else { throw Failure("not in memory") }
    return Array(bytes[Int(min(range.lowerBound, blob.size))..<Int(min(range.upperBound, blob.size))])
}
