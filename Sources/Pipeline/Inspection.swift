internal import Ext4
internal import RootfsModel
internal import Storage
public import SystemPackage

/// A tree to look into: an ext4 image read from the file itself, or a directory.
public struct InspectedTree {
    private let tree: FileTree
    private let path: FilePath
    private let information: Ext4Information?
    /// What has to be known of an image that was not unmounted; nil for any other, and for a directory.
    public let leftMounted: String?

    public init(at path: FilePath) throws {
        self.path = path
        if isDirectory(path) {
            tree = try scanDirectory(path, digesting: false)
            information = nil
            leftMounted = nil
        } else {
            let reader = try Ext4Reader(path)
            tree = try reader.tree(digesting: false)
            information = reader.information
            leftMounted = reader.leftMounted?.text
        }
    }

    /// The listing of this path and all below it.
    public func listing(of path: String) throws -> [UInt8] {
        let start = try node(path).path
        return try Listing.bytes(of: try digested(within: start), within: start)
    }

    /// The file system and the number of paths, as JSON.
    public func description(of path: String) throws -> String {
        struct Description: Encodable {
            struct FileSystem: Encodable {
                var label: String
                var uuid: String
                var blockSize: Int
                var blocks: UInt64
                var freeBlocks: UInt64
                var features: [String]
            }
            var path: String
            var contentHash: String
            var paths: Int
            var contentSize: UInt64
            var fileSystem: FileSystem?
            var leftMounted: String?
        }
        let start = try node(path).path
        let tree = try digested(within: start)
        let part = subtree(start)
        let text = try recordBytes(
            Description(
                path: self.path.string,
                contentHash: Digest(hashing: try Listing.bytes(of: tree, within: start)).description,
                paths: part.count, contentSize: try FileTree(part).contentSize,
                fileSystem: information.map {
                    .init(
                        label: $0.label, uuid: $0.uuidText, blockSize: $0.blockSize, blocks: $0.blocks,
                        freeBlocks: $0.freeBlocks, features: $0.features)
                }, leftMounted: leftMounted))
        return String(decoding: text.dropLast(), as: UTF8.self)
    }

    /// Gives a file's bytes in pieces; symbolic links are followed inside the tree.
    public func readFile(_ path: String, _ body: ([UInt8]) throws -> Void) throws {
        let node = try node(path)
        guard let blob = node.blob else {
            throw Failure("\(node.path) is no regular file in \(self.path)")
        }
        let reader = try BlobReader(blob)
        var offset: UInt64 = 0
        while offset < blob.size {
            try Task.checkCancellation()
            var piece = [UInt8](repeating: 0, count: Int(min(1 << 20, blob.size - offset)))
            var failure: Failure?
            piece.withUnsafeMutableBytes { buffer in
                do throws(Failure) { try reader.read(into: buffer, at: offset) } catch { failure = error }
            }
            if let failure { throw failure }
            try body(piece)
            offset += UInt64(piece.count)
        }
    }

    /// Copies a path and all below it to the host; gives the number of paths copied and of those that only root can
    /// make.
    public func extract(_ path: String, to destination: FilePath?) throws -> (copied: Int, leftOut: Int) {
        let node = try node(path)
        guard let name = destination ?? FilePath.Component(hostName(node.path)).map({ FilePath(root: nil, [$0]) })
        else {
            throw Failure("the root of \(self.path) has no name", hint: "say where to put it with -o")
        }
        guard !exists(name) else {
            throw Failure("\(name) exists", hint: "remove it, or name another place with -o")
        }
        let part = subtree(node.path)
        do {
            let leftOut = try writeTree(part, at: node.path, to: name)
            return (part.count - leftOut, leftOut)
        } catch {
            try? removeTree(at: name)
            throw error
        }
    }

    private func hostName(_ path: TreePath) -> String {
        String(decoding: path.name, as: UTF8.self)
    }

    private func node(_ text: String) throws -> FileNode {
        guard let path = TreePath(normalizing: text), let found = tree.resolvedNode(path) else {
            let names = tree.nodes.lazy.map { String(decoding: $0.path.bytes, as: UTF8.self) }
            let wanted = String(text.drop { $0 == "/" })
            throw Failure(
                "\(self.path) has no \(text)",
                hint: nearestName(to: wanted, among: names).map { "did you mean /\($0)?" })
        }
        return found
    }

    private func subtree(_ start: TreePath) -> [FileNode] {
        tree.nodes.filter { $0.path.isWithin(start) }
    }

    private func digested(within start: TreePath) throws -> FileTree {
        var tree = tree
        try tree.updateEach { node in
            guard node.path.isWithin(start), case .file(var blob, let group) = node.kind, blob.digest == nil else {
                return
            }
            try Task.checkCancellation()
            blob.digest = try blob.takeDigest()
            node.kind = .file(blob, linkGroup: group)
        }
        return tree
    }
}
