import CExt2FS
import RootfsModel

/// Where the content of a file, a directory or a long link is: extents and the older block map.
extension Ext4Reader {
    /// The runs of blocks with data, sorted, without those allocated but never written. Throws where a run is outside
    /// of the image, where runs overlap, and where there are more of them than the image has blocks.
    func runs(of inode: DiskInode, at path: TreePath) throws(Failure) -> [PlacedExtent] {
        var found = FoundRuns(next: 0, runs: [])
        if inode.hasExtents {
            let map = Array(inode.blockMap)
            // An inode without any content may have no tree.
            if map.allSatisfy({ $0 == 0 }) { return [] }
            try readExtents(map, of: inode, at: path, depth: nil, into: &found)
        } else {
            try readBlockMap(of: inode, at: path, into: &found)
        }
        return found.runs
    }

    struct FoundRuns {
        /// The first logical block that nothing covers yet.
        var next: UInt64
        var runs: [PlacedExtent]
    }

    private func add(
        _ logical: UInt64, _ physical: UInt64, _ count: UInt64, isWritten: Bool, at path: TreePath,
        to found: inout FoundRuns
    ) throws(Failure) {
        guard logical >= found.next, logical + count <= 1 << 32 else {
            throw failure("the blocks of \(path) overlap")
        }
        guard physical >= UInt64(fs.pointee.`super`.pointee.s_first_data_block), physical < blocks,
            count <= blocks - physical
        else {
            throw failure("\(path) has blocks from \(physical) on, beyond the end")
        }
        guard count <= blockBudget || ext2fs_has_feature_shared_blocks(fs.pointee.`super`) != 0 else {
            throw failure("its files have more blocks than it has")
        }
        blockBudget -= min(blockBudget, count)
        found.next = logical + count
        if !isWritten { return }
        if let last = found.runs.last, UInt64(last.logical) + UInt64(last.count) == logical,
            last.physical + UInt64(last.count) == physical, UInt64(last.count) + count < 1 << 32
        {
            found.runs[found.runs.count - 1].count += UInt32(count)
        } else {
            found.runs.append(PlacedExtent(logical: UInt32(logical), count: UInt32(count), physical: physical))
        }
    }

    /// One node of an extent tree: `depth` is what the node above demands.
    private func readExtents(
        _ node: [UInt8], of inode: DiskInode, at path: TreePath, depth: Int?, into found: inout FoundRuns
    ) throws(Failure) {
        func half(_ offset: Int) -> UInt64 { UInt64(node[offset]) | UInt64(node[offset + 1]) << 8 }
        func word(_ offset: Int) -> UInt64 { half(offset) | half(offset + 2) << 16 }
        let entries = Int(half(2))
        let capacity = Int(half(4))
        let ownDepth = Int(half(6))
        guard half(0) == UInt64(ExtentTree.magic), entries <= capacity, 12 + capacity * 12 <= node.count,
            ownDepth <= 5, depth == nil || depth == ownDepth
        else { throw failure("the extent tree of \(path) is damaged") }
        for entry in stride(from: 12, to: 12 + entries * 12, by: 12) {
            if ownDepth == 0 {
                let length = half(entry + 4)
                // Lengths beyond 32,768 mark blocks that were never written: they read as zeros.
                let isWritten = length <= 32_768
                let count = isWritten ? length : length - 32_768
                let physical = word(entry + 8) | half(entry + 6) << 32
                if count == 0 { throw failure("the extent tree of \(path) is damaged") }
                try add(word(entry), physical, count, isWritten: isWritten, at: path, to: &found)
            } else {
                guard word(entry) >= found.next || entry == 12 else { throw failure("the blocks of \(path) overlap") }
                let number = word(entry + 4) | half(entry + 8) << 32
                try spend(at: path)
                let before = found.next
                let below = try extentBlock(number, of: inode, at: path)
                try readExtents(below, of: inode, at: path, depth: ownDepth - 1, into: &found)
                // Each node must lead on: else the same one could stand in its place for ever.
                if found.next == before { throw failure("the extent tree of \(path) is damaged") }
            }
        }
    }

    /// Counts a block that tells where others are.
    private func spend(at path: TreePath) throws(Failure) {
        guard blockBudget > 0 else { throw failure("its files have more blocks than it has") }
        blockBudget -= 1
    }

    private func extentBlock(_ number: UInt64, of inode: DiskInode, at path: TreePath) throws(Failure) -> [UInt8] {
        var bytes = try block(number, "the extent tree of \(path)")
        let capacity = Int(bytes[4]) | Int(bytes[5]) << 8
        // The checksum stands behind the capacity: only then may the library look for it.
        guard 12 + capacity * 12 + 4 <= bytes.count || 12 + capacity * 12 <= bytes.count && !hasChecksums else {
            throw failure("the extent tree of \(path) is damaged")
        }
        if hasChecksums {
            let isValid = bytes.withUnsafeMutableBytes { buffer in
                ext2fs_extent_block_csum_verify(
                    fs, inode.number, buffer.baseAddress?.assumingMemoryBound(to: ext3_extent_header.self))
            }
            if isValid == 0 { throw failure("the extent tree of \(path) does not match its checksum") }
        }
        return bytes
    }

    private var hasChecksums: Bool { ext2fs_has_feature_metadata_csum(fs.pointee.`super`) != 0 }

    /// Twelve blocks, then one of block numbers, one of such blocks, and one of those.
    private func readBlockMap(of inode: DiskInode, at path: TreePath, into found: inout FoundRuns) throws(Failure) {
        let end = inode.size / UInt64(blockSize) + (inode.size % UInt64(blockSize) == 0 ? 0 : 1)
        var logical: UInt64 = 0
        for index in 0..<15 where logical < end {
            let number = UInt64(inode.word(0x28 + index * 4))
            try readBlockMap(number, level: max(0, index - 11), of: path, end: end, &logical, &found)
        }
    }

    private func readBlockMap(
        _ number: UInt64, level: Int, of path: TreePath, end: UInt64, _ logical: inout UInt64,
        _ found: inout FoundRuns
    ) throws(Failure) {
        let perBlock = UInt64(blockSize / 4)
        if number == 0 {
            // A hole of all that would stand below.
            logical += (0..<level).reduce(UInt64(1)) { count, _ in count * perBlock }
            return
        }
        if level == 0 {
            try add(logical, number, 1, isWritten: true, at: path, to: &found)
            logical += 1
            return
        }
        try spend(at: path)
        let bytes = try block(number, "the block map of \(path)")
        for entry in stride(from: 0, to: blockSize, by: 4) where logical < end {
            let below = (0..<4).reduce(UInt64(0)) { $0 | UInt64(bytes[entry + $1]) << UInt64($1 * 8) }
            try readBlockMap(below, level: level - 1, of: path, end: end, &logical, &found)
        }
    }
}
