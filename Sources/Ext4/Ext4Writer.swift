public import RootfsModel
public import SystemPackage
internal import Verity

/// Writes a tree as an ext4 image.
public enum Ext4Writer {
    /// Writes a tree to a new file. The same tree and options give the same bytes, whatever the number of jobs
    /// (threads) and wherever the content lies. On any error no file is left behind. `progress` is told of the bytes
    /// done and of all bytes, by one thread at a time.
    ///
    /// Throws where the file exists, where the disk is full, where the tree does not fit into a fixed size, where a
    /// source file has not the size that the tree says, and where ext4 cannot hold something: attributes of more than
    /// about 4 KiB on one node, links of 4,096 bytes, 65,001 names of one file.
    public static func write(
        tree: FileTree, to path: FilePath, options: Ext4Options, jobs: Int,
        progress: (_ bytesDone: UInt64, _ bytesTotal: UInt64) -> Void = { _, _ in }
    ) throws -> Ext4Image {
        var hasher = DigestHasher()
        var image = try writeBlocks(
            of: tree, to: path, options: options, jobs: jobs, inOrder: { hasher.update($0) }, progress: progress)
        image.digest = hasher.finalized()
        return image
    }

    /// The same without a digest, as other tools write an image: to be measured beside them.
    public static func writeWithoutDigest(tree: FileTree, to path: FilePath, options: Ext4Options, jobs: Int) throws {
        _ = try writeBlocks(of: tree, to: path, options: options, jobs: jobs, inOrder: { _ in }, progress: { _, _ in })
    }

    /// Writes the image; `inOrder` sees its bytes from the first to the last. The digest is left to the caller.
    private static func writeBlocks(
        of tree: FileTree, to path: FilePath, options: Ext4Options, jobs: Int,
        inOrder: (UnsafeRawBufferPointer) -> Void, progress: (UInt64, UInt64) -> Void
    ) throws -> Ext4Image {
        try options.validate()
        let data = try HoleScan.run(tree, jobs: jobs)
        let plan = try Ext4Plan(tree, options, data: data)
        let layout = try ImageLayout(plan, options)
        let fileSystem = layout.fileSystem
        let blockPlan = layout.blockPlan
        try fileSystem.take(blockPlan.taken)
        try InodeWriter(
            tree: tree, plan: plan, blockPlan: blockPlan, moment: options.moment, fs: try fileSystem.filesystem
        ).writeAll()
        let inodes = try fileSystem.inodes
        let blocks = try fileSystem.blocks
        let freeBlocks = try fileSystem.freeBlocks
        try fileSystem.close()

        var file = try ImageFile(path, size: layout.size)
        let segments = SegmentWriter(
            tree: tree, pieces: pieces(of: tree, plan, blockPlan), memory: fileSystem.memory,
            descriptor: file.descriptor, path: path.string, size: layout.size)
        let treeSize = options.verity == nil ? 0 : HashTree.size(dataBlocks: blocks)
        try file.checkRoom(for: segments.neededBytes + treeSize)
        var hashTree: HashTree?
        if let identity = options.verity {
            var leaves = [UInt8](repeating: 0, count: Int(blocks) * verityHashSize)
            try leaves.withUnsafeMutableBytes { leaves in
                // Each thread has a part of its own.
                let hash = { (offset: UInt64, bytes: UnsafeRawBufferPointer) in
                    let first = Int(offset) / blockSize * verityHashSize
                    let part = leaves[first..<first + bytes.count / blockSize * verityHashSize]
                    identity.hash(bytes, into: UnsafeMutableRawBufferPointer(rebasing: part))
                }
                try segments.run(jobs: jobs, inOrder: inOrder, filled: hash, progress: progress)
            }
            let made = try HashTree(leaves: leaves, identity: identity)
            let bytes = made.bytes
            try file.append(bytes, at: layout.size)
            bytes.withUnsafeBytes { inOrder($0) }
            hashTree = made
        } else {
            try segments.run(jobs: jobs, inOrder: inOrder, progress: progress)
        }
        file.finish()
        return Ext4Image(
            digest: Digest(hashing: ""), size: layout.size + treeSize, blocks: blocks, inodes: UInt64(inodes.all),
            freeInodes: UInt64(inodes.free), freeBytes: freeBlocks * UInt64(blockSize), hashTree: hashTree)
    }

    /// The runs of the image that are content of files, in order.
    private static func pieces(of tree: FileTree, _ plan: Ext4Plan, _ blockPlan: BlockPlan) -> [DataPiece] {
        var pieces = [DataPiece]()
        pieces.reserveCapacity(blockPlan.extents.count)
        for (position, inode) in plan.inodes.inodes.enumerated() {
            guard let node = inode.node, let blob = tree.nodes[node].blob else { continue }
            let extents = blockPlan.extents[blockPlan.ranges[position]]
            // Where holes had to be looked for, the file was compared then.
            let isScattered = !HoleScan.looks(at: blob) && !isInOrder(extents)
            for (index, extent) in extents.enumerated() {
                let isLast = index == extents.count - 1
                let most = isScattered ? UInt64(SegmentWriter.segmentBlocks) : .max
                var start = extent.physical
                let end = start + UInt64(extent.count)
                while start < end {
                    let count = min(end - start, most == .max ? .max : most - start % most)
                    pieces.append(
                        DataPiece(
                            physical: start, logical: extent.logical + UInt32(start - extent.physical),
                            count: UInt32(count), node: node, isLast: isLast && start + count == end,
                            isScattered: isScattered))
                    start += count
                }
            }
        }
        pieces.sort { $0.physical < $1.physical }
        return pieces
    }

    private static func isInOrder(_ extents: ArraySlice<PlacedExtent>) -> Bool {
        zip(extents, extents.dropFirst()).allSatisfy { $0.physical < $1.physical }
    }
}
