import CExt2FS
import RootfsModel

/// What the blocks of an image are for: runs of blocks with what has them, found by walking the tree.
struct BlockOwners {
    enum Owner: Hashable {
        case superblock(group: UInt32)
        /// All groups' descriptors, as this group has them.
        case groupDescriptors(group: UInt32)
        case blockBitmap(group: UInt32)
        case inodeBitmap(group: UInt32)
        case inodeTable(group: UInt32)
        case journal
        case directory(TreePath)
        case content(TreePath)
        case attributes(TreePath)
        /// In use, and none of the above: blocks of extent trees.
        case mapping
        case free
    }

    struct Run {
        var start: UInt64
        var count: UInt64
        /// What the run's first block is of its owner: a file's or a directory's logical block.
        var logical: UInt64
        var owner: Owner
    }

    /// Sorted by place.
    private var runs: [Run] = []
    /// The first path of each inode that has one.
    private(set) var paths: [UInt32: TreePath] = [:]

    init(of reader: Ext4Reader) throws {
        addGroups(reader)
        try addReserved(reader)
        try addTree(reader)
        runs.sort { $0.start < $1.start }
    }

    /// The run that a block is in; free and mapping blocks are runs of one block.
    func run(at block: UInt64, in reader: Ext4Reader) -> Run {
        var low = 0
        var high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].start + runs[middle].count <= block { low = middle + 1 } else { high = middle }
        }
        if low < runs.count, runs[low].start <= block { return runs[low] }
        let isUsed = ext2fs_test_block_bitmap2(reader.fs.pointee.block_map, block) != 0
        return Run(start: block, count: 1, logical: 0, owner: isUsed ? .mapping : .free)
    }

    private mutating func add(_ start: UInt64, _ count: UInt64, logical: UInt64 = 0, _ owner: Owner) {
        if count > 0 { runs.append(Run(start: start, count: count, logical: logical, owner: owner)) }
    }

    private mutating func addGroups(_ reader: Ext4Reader) {
        let fs = reader.fs
        for group in 0..<fs.pointee.group_desc_count {
            var (superblock, old, new): (blk64_t, blk64_t, blk64_t) = (0, 0, 0)
            var used: blk_t = 0
            ext2fs_super_and_bgd_loc2(fs, group, &superblock, &old, &new, &used)
            if superblock != 0 || group == 0 { add(superblock, 1, .superblock(group: group)) }
            if old != 0 { add(old, UInt64(fs.pointee.desc_blocks), .groupDescriptors(group: group)) }
            add(ext2fs_block_bitmap_loc(fs, group), 1, .blockBitmap(group: group))
            add(ext2fs_inode_bitmap_loc(fs, group), 1, .inodeBitmap(group: group))
            add(
                ext2fs_inode_table_loc(fs, group), UInt64(fs.pointee.inode_blocks_per_group), .inodeTable(group: group))
        }
    }

    private mutating func addReserved(_ reader: Ext4Reader) throws {
        guard ext2fs_has_feature_journal(reader.fs.pointee.`super`) != 0 else { return }
        let journal = reader.fs.pointee.`super`.pointee.s_journal_inum
        guard journal == 8 else { return }
        paths[journal] = "<journal>"
        for run in try reader.runs(of: try reader.inode(journal), at: "<journal>") {
            add(run.physical, UInt64(run.count), logical: UInt64(run.logical), .journal)
        }
    }

    private mutating func addTree(_ reader: Ext4Reader) throws {
        reader.resetBudgets()
        var seen = Set<UInt32>()
        var pending = [(TreePath.root, InodePlan.root)]
        while let (path, number) = pending.popLast() {
            guard seen.insert(number).inserted else { continue }
            try Task.checkCancellation()
            paths[number] = path
            let inode = try reader.inode(number)
            if inode.attributeBlock != 0 { add(inode.attributeBlock, 1, .attributes(path)) }
            if inode.isDirectory {
                for (name, below) in try reader.names(in: inode, at: path) {
                    pending.append((path.appending(name), below))
                }
            }
            guard inode.isDirectory || inode.isFile || (inode.type == 0o120000 && inode.hasExtents),
                !inode.hasInlineData
            else { continue }
            let owner: Owner = inode.isDirectory ? .directory(path) : .content(path)
            for run in try reader.runs(of: inode, at: path) {
                add(run.physical, UInt64(run.count), logical: UInt64(run.logical), owner)
            }
        }
    }
}
