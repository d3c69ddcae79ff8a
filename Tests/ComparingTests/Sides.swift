import Foundation
import RootfsModel
import Testing

@testable import Comparing

/// A tree written down, as a side of a comparison.
struct HandmadeSide {
    enum Entry {
        case file(
            String, mode: UInt16 = 0o644, uid: UInt32 = 0, gid: UInt32 = 0, capability: [UInt8]? = nil,
            time: Int64 = 1000)
        case bytes([UInt8])
        case directory(mode: UInt16 = 0o755, uid: UInt32 = 0)
        case link(String)
    }

    var entries: [String: Entry]
    var packages: [ComparedImage.Package] = []
    /// By package; dpkg's own paths.
    var lists: [String: [String]] = [:]
    var changelogs: [String: String] = [:]
    var services: [ComparedImage.Service]?
    var kernel: ComparedImage.Kernel?
    var inputs: ComparedImage.Inputs?
    var moment: Int64?
    var hasContents = true

    func tree() throws -> FileTree {
        try FileTree(
            entries.map { path, entry in
                let path = try #require(TreePath(normalizing: path))
                switch entry {
                case .file(let text, let mode, let uid, let gid, let capability, let time):
                    let attributes =
                        capability.map { [ExtendedAttribute(name: "security.capability", value: $0)] } ?? []
                    return FileNode(
                        path: path, kind: .file(Blob(Array(text.utf8)), linkGroup: 0),
                        metadata: Metadata(
                            mode: mode, uid: uid, gid: gid, mtime: Timestamp(seconds: time), xattrs: attributes))
                case .bytes(let bytes):
                    return FileNode(
                        path: path, kind: .file(Blob(bytes), linkGroup: 0),
                        metadata: Metadata(mode: 0o644, mtime: Timestamp(seconds: 1000)))
                case .directory(let mode, let uid):
                    return FileNode(
                        path: path, kind: .directory,
                        metadata: Metadata(mode: mode, uid: uid, mtime: Timestamp(seconds: 1000)))
                case .link(let target):
                    return FileNode(
                        path: path, kind: .symbolicLink(Array(target.utf8)),
                        metadata: Metadata(mode: 0o777, mtime: Timestamp(seconds: 1000)))
                }
            })
    }

    func image(_ name: String) throws -> ComparedImage {
        var side = Comparison.Side(name: name, kind: .directory)
        let tree = try tree()
        side.moment = moment
        side.paths = tree.nodes.count
        side.contentSize = tree.contentSize
        var image = ComparedImage(side: side, tree: tree)
        image.packages = packages
        image.packageFiles = lists.sorted { $0.key < $1.key }.map { name, paths in
            (name, paths.compactMap { TreePath(normalizing: $0) })
        }
        image.services = services
        image.kernel = kernel
        image.inputs = inputs
        if hasContents {
            image.read = { blob in
                guard case .bytes(let bytes) = blob.source else { throw Failure("no content") }
                return bytes
            }
            let texts = changelogs
            image.changelog = { texts[$0].map { Array($0.utf8) } }
        }
        return image
    }

    /// With these instead.
    func with(_ changes: [String: Entry?]) -> HandmadeSide {
        var result = self
        for (path, entry) in changes { result.entries[path] = entry }
        return result
    }
}

func comparison(
    _ old: HandmadeSide, _ new: HandmadeSide, options: ComparisonOptions = ComparisonOptions()
) throws -> Comparison {
    try compare(old.image("old"), new.image("new"), options: options)
}

/// Compares with a golden file; with UPDATE_GOLDEN=1 in the environment it is written instead.
func expectGolden(_ text: String, _ name: String, sourceLocation: Testing.SourceLocation = #_sourceLocation) throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden/\(name)")
    if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
        try Data(text.utf8).write(to: file)
        return
    }
    let golden = String(decoding: try Data(contentsOf: file), as: UTF8.self)
    #expect(text == golden, "differs from Golden/\(name)", sourceLocation: sourceLocation)
}
