internal import RootfsModel
internal import Storage
internal import SystemPackage
internal import Verity

/// What stands in an image behind its file system.
struct ImageRest: Sendable {
    /// The tree as the data give it, and the bytes that stand for it in the image; nil where there is none.
    let hashTree: (computed: HashTree, stored: [UInt8])?
    /// The place of the first byte that is neither of a hash tree nor zero; nil where there is none.
    let other: UInt64?

    /// - Parameters:
    ///   - end: where the file system ends, in bytes.
    ///   - size: the image's.
    init(of image: FilePath, from end: UInt64, size: UInt64) throws {
        let reader = try BlobReader(Blob(file: image))
        hashTree = try Self.hashTree(reader, end, size)
        let known = end + UInt64(hashTree?.stored.count ?? 0)
        other = try Self.firstByte(reader, from: known, to: size)
    }

    private static func hashTree(
        _ reader: borrowing BlobReader, _ end: UInt64, _ size: UInt64
    ) throws -> (computed: HashTree, stored: [UInt8])? {
        let blocks = end / UInt64(verityBlockSize)
        guard end % UInt64(verityBlockSize) == 0, blocks > 1, size >= end + HashTree.size(dataBlocks: blocks) else {
            return nil
        }
        var stored = [UInt8](repeating: 0, count: Int(HashTree.size(dataBlocks: blocks)))
        try fill(&stored, from: reader, at: end)
        guard let identity = VeritySuperblock(stored)?.identity else { return nil }
        var leaves = [UInt8]()
        leaves.reserveCapacity(Int(blocks) * verityHashSize)
        var offset: UInt64 = 0
        while offset < end {
            try Task.checkCancellation()
            var piece = [UInt8](repeating: 0, count: Int(min(1 << 20, end - offset)))
            try fill(&piece, from: reader, at: offset)
            leaves += identity.hashes(of: piece)
            offset += UInt64(piece.count)
        }
        return (try HashTree(leaves: leaves, identity: identity), stored)
    }

    private static func firstByte(_ reader: borrowing BlobReader, from start: UInt64, to end: UInt64) throws -> UInt64?
    {
        var offset = start
        while offset < end {
            try Task.checkCancellation()
            var piece = [UInt8](repeating: 0, count: Int(min(1 << 20, end - offset)))
            try fill(&piece, from: reader, at: offset)
            if let index = piece.firstIndex(where: { $0 != 0 }) { return offset + UInt64(index) }
            offset += UInt64(piece.count)
        }
        return nil
    }
}

/// Fills all of the bytes from a place of the blob.
func fill(_ bytes: inout [UInt8], from reader: borrowing BlobReader, at offset: UInt64) throws(Failure) {
    var failure: Failure?
    bytes.withUnsafeMutableBytes { buffer in
        do throws(Failure) { try reader.read(into: buffer, at: offset) } catch { failure = error }
    }
    if let failure { throw failure }
}

/// A sentence about it.
///
/// - Parameter tree: the image's, where it could be read.
func words(of damage: VerityDamage, in tree: FileTree?) -> String {
    switch damage {
    case .superblock: return "hash tree: its superblock is not as it was made"
    case .tree(let level, let block): return "hash tree: block \(block) of level \(level) is damaged"
    case .rootHash(let root): return "hash tree: it fits the data, and its root is \(root.hex), not the one expected"
    case .data(let block): return "hash tree: data block \(block) was changed (\(owner(of: block, in: tree)))"
    case .dataOrHash(let block):
        return
            "hash tree: data block \(block) (\(owner(of: block, in: tree))) or its hash was changed: they do not fit each other"
    }
}

private func owner(of block: UInt64, in tree: FileTree?) -> String {
    let place = block * UInt64(verityBlockSize)
    let owner = tree?.nodes.first { node in
        guard case .extents(_, let extents)? = node.blob?.source else { return false }
        return extents.contains { $0.source <= place && place < $0.source + $0.length }
    }
    return owner.map { "a block of \($0.path)" } ?? "metadata, or free"
}
