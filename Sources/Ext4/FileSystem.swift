import CExt2FS
import Glibc
import RootfsModel

/// A new file system on a memory image: the owner of libext2fs' handle. Everything that the library would take from
/// the clock, the environment, the host's `char` or chance is set here.
final class FileSystem {
    let memory: MemoryImage
    private var handle: ext2_filsys?

    /// What to make.
    struct Geometry {
        var blocks: UInt64
        var inodes: UInt32
    }

    /// Why a geometry is none: `tooSmall` asks for more blocks.
    enum Obstacle: Error {
        case tooSmall
    }

    /// A file system with its tables, reserved inodes and journal, without anything in it.
    init(_ geometry: Geometry, _ options: Ext4Options) throws {
        // Room for the last group that the library may cut off or fill.
        let memory = try MemoryImage(blocks: geometry.blocks)
        self.memory = memory
        self.handle = try Self.initialize(geometry, options, on: memory)
        let fs = try filesystem
        Self.setIdentity(of: fs, options)
        try Self.allocate(fs)
        try Self.writeReservedInodes(fs)
        if let journal = options.journal { try Self.addJournal(fs, mebibytes: journal) }
    }

    deinit {
        if let handle { ext2fs_free(handle) }
    }

    var filesystem: ext2_filsys {
        get throws(Failure) {
            guard let handle else { throw Failure("the file system is closed already") }
            return handle
        }
    }

    private static func initialize(
        _ geometry: Geometry, _ options: Ext4Options, on memory: MemoryImage
    ) throws -> ext2_filsys {
        var parameters = ext2_super_block()
        parameters.s_rev_level = UInt32(EXT2_DYNAMIC_REV)
        parameters.s_log_block_size = 2
        parameters.s_inode_size = 256
        parameters.s_inodes_count = geometry.inodes
        parameters.s_log_groups_per_flex = 4
        parameters.s_max_mnt_count = -1
        parameters.s_default_mount_opts = UInt32(EXT2_DEFM_ACL | EXT2_DEFM_XATTR_USER)
        ext2fs_blocks_count_set(&parameters, geometry.blocks)
        ext2fs_set_feature_sparse_super(&parameters)
        ext2fs_set_feature_large_file(&parameters)
        ext2fs_set_feature_huge_file(&parameters)
        ext2fs_set_feature_dir_nlink(&parameters)
        ext2fs_set_feature_extra_isize(&parameters)
        ext2fs_set_feature_metadata_csum(&parameters)
        ext2fs_set_feature_filetype(&parameters)
        ext2fs_set_feature_extents(&parameters)
        ext2fs_set_feature_64bit(&parameters)
        ext2fs_set_feature_flex_bg(&parameters)
        ext2fs_set_feature_dir_index(&parameters)
        ext2fs_set_feature_xattr(&parameters)
        if !options.isReadOnly {
            ext2fs_set_feature_resize_inode(&parameters)
            parameters.s_reserved_gdt_blocks = reservedDescriptorBlocks(geometry.blocks)
        }
        // Else every inode and directory would change with the UUID, which changes with the content.
        ext2fs_set_feature_csum_seed(&parameters)
        var result: ext2_filsys?
        let code = ext2fs_initialize(
            memory.name, EXT2_FLAG_64BITS, &parameters, memory.manager, &result)
        if code == errcode_t(EXT2_ET_TOOSMALL) || code == errcode_t(EXT2_ET_TOO_MANY_INODES) { throw Obstacle.tooSmall }
        try check(code, "cannot lay out a file system of \(geometry.blocks) blocks and \(geometry.inodes) inodes")
        guard let result else { throw Failure("cannot lay out a file system: the library gave none") }
        return result
    }

    /// Room for descriptors of a file system 1,024 times as large, as the library has it, but the same for all sizes up
    /// to the next power of two: what comes behind it must not move with the size.
    private static func reservedDescriptorBlocks(_ blocks: UInt64) -> UInt16 {
        func descriptorBlocks(_ blocks: UInt64) -> UInt64 { (blocks + (32_768 * 64 - 1)) / (32_768 * 64) }
        let rounded = UInt64(1) << UInt64(64 - (max(blocks, 2) - 1).leadingZeroBitCount)
        let most = descriptorBlocks(min(rounded * 1024, 1 << 32))
        return UInt16(min(1024, max(most, descriptorBlocks(rounded)) - descriptorBlocks(rounded)))
    }

    private static func setIdentity(of fs: ext2_filsys, _ options: Ext4Options) {
        let moment = UInt32(truncatingIfNeeded: options.moment)
        // Every time that the library sets from here on.
        fs.pointee.now = time_t(options.moment)
        guard let superblock = fs.pointee.`super` else { return }
        superblock.pointee.s_mkfs_time = moment
        superblock.pointee.s_lastcheck = moment
        superblock.pointee.s_mkfs_time_hi = 0
        superblock.pointee.s_lastcheck_hi = 0
        // 0 keeps the library from counting what it writes.
        superblock.pointee.s_kbytes_written = 0
        superblock.pointee.s_def_hash_version = UInt8(EXT2_HASH_HALF_MD4)
        superblock.pointee.s_flags = UInt32(EXT2_FLAGS_UNSIGNED_HASH)
        superblock.pointee.s_checksum_type = UInt8(EXT2_CRC32C_CHKSUM)
        superblock.pointee.s_creator_os = UInt32(EXT2_OS_LINUX)
        let uuid = options.uuid
        withUnsafeMutableBytes(of: &superblock.pointee.s_uuid) { $0.copyBytes(from: uuid) }
        withUnsafeMutableBytes(of: &superblock.pointee.s_hash_seed) { $0.copyBytes(from: options.hashSeed) }
        withUnsafeMutableBytes(of: &superblock.pointee.s_volume_name) { $0.copyBytes(from: options.label.utf8) }
        superblock.pointee.s_checksum_seed = ext2fs_crc32c_le(.max, options.hashSeed, options.hashSeed.count)
        ext2fs_init_csum_seed(fs)
    }

    private static func allocate(_ fs: ext2_filsys) throws {
        for first in stride(from: dgrp_t(0), to: fs.pointee.group_desc_count, by: Int(groupsPerFlex)) {
            placeTables(of: fs, from: first)
        }
        let code = ext2fs_allocate_tables(fs)
        if code == errcode_t(EXT2_ET_BLOCK_ALLOC_FAIL) { throw Obstacle.tooSmall }
        try check(code, "cannot place the inode tables")
        guard let superblock = fs.pointee.`super` else { return }
        var overhead: blk64_t = 0
        try check(
            ext2fs_count_used_clusters(
                fs, blk64_t(superblock.pointee.s_first_data_block), ext2fs_blocks_count(superblock) - 1, &overhead),
            "cannot count the blocks of the tables")
        superblock.pointee.s_overhead_clusters = UInt32(truncatingIfNeeded: overhead)
        for group in 0..<fs.pointee.group_desc_count {
            // The unwritten tables are holes, thus zero: the kernel need not clear them.
            ext2fs_bg_flags_set(fs, group, UInt16(EXT2_BG_INODE_ZEROED))
            // Versions of the library differ in whether they leave this set.
            if ext2fs_bg_has_super(fs, group) != 0 {
                ext2fs_bg_flags_clear(fs, group, UInt16(EXT2_BG_BLOCK_UNINIT))
            }
            ext2fs_group_desc_csum_set(fs, group)
        }
    }

    private static let groupsPerFlex = dgrp_t(16)

    /// Places the bitmaps and inode tables of up to 16 groups where they would be if all 16 were there, so that they
    /// stay where they are when the file system grows by a group. Where that does not fit, the library places them.
    private static func placeTables(of fs: ext2_filsys, from first: dgrp_t) {
        let groups = min(dgrp_t(groupsPerFlex), fs.pointee.group_desc_count - first)
        let table = blk64_t(fs.pointee.inode_blocks_per_group)
        var start = ext2fs_group_first_block2(fs, first)
        let last = ext2fs_group_last_block2(fs, first)
        while start <= last && ext2fs_test_block_bitmap2(fs.pointee.block_map, start) != 0 { start += 1 }
        let bitmaps = blk64_t(groupsPerFlex)
        if start + 2 * bitmaps + blk64_t(groups) * table > last + 1 { return }
        for index in 0..<groups {
            let group = first + index
            let (blockBitmap, inodeBitmap) = (start + blk64_t(index), start + bitmaps + blk64_t(index))
            let inodes = start + 2 * bitmaps + blk64_t(index) * table
            ext2fs_block_bitmap_loc_set(fs, group, blockBitmap)
            ext2fs_inode_bitmap_loc_set(fs, group, inodeBitmap)
            ext2fs_inode_table_loc_set(fs, group, inodes)
            ext2fs_block_alloc_stats2(fs, blockBitmap, 1)
            ext2fs_block_alloc_stats2(fs, inodeBitmap, 1)
            ext2fs_block_alloc_stats_range(fs, inodes, blk_t(table), 1)
        }
    }

    private static func writeReservedInodes(_ fs: ext2_filsys) throws {
        guard let superblock = fs.pointee.`super` else { return }
        for number in 1..<superblock.pointee.s_first_ino {
            try withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { buffer in
                buffer.zero()
                try write(buffer, number: number, to: fs)
            }
            ext2fs_inode_alloc_stats2(fs, number, 1, number == InodePlan.root ? 1 : 0)
        }
        try check(ext2fs_update_bb_inode(fs, nil), "cannot write the list of bad blocks")
        if ext2fs_has_feature_resize_inode(superblock) != 0 {
            let code = ext2fs_create_resize_inode(fs)
            if code == errcode_t(EXT2_ET_BLOCK_ALLOC_FAIL) { throw Obstacle.tooSmall }
            try check(code, "cannot reserve room for resizing")
        }
    }

    private static func addJournal(_ fs: ext2_filsys, mebibytes: Int) throws {
        var parameters = ext2fs_journal_params()
        parameters.num_journal_blocks = blk_t(mebibytes * (1 << 20) / blockSize)
        var first: blk64_t = 0
        let code = ext2fs_new_block2(fs, 0, nil, &first)
        if code == errcode_t(EXT2_ET_BLOCK_ALLOC_FAIL) { throw Obstacle.tooSmall }
        try check(code, "cannot place the journal")
        // Unwritten journal blocks are holes, thus zero.
        let added = ext2fs_add_journal_inode3(
            fs, &parameters, first, EXT2_MKJOURNAL_LAZYINIT | EXT2_MKJOURNAL_NO_MNT_CHECK)
        if added == errcode_t(EXT2_ET_BLOCK_ALLOC_FAIL) { throw Obstacle.tooSmall }
        try check(added, "cannot make a journal of \(mebibytes) MiB")
    }

    /// Writes all 256 bytes of an inode: nothing is left for the library to fill in.
    static func write(_ inode: UnsafeMutableRawBufferPointer, number: UInt32, to fs: ext2_filsys) throws(Failure) {
        guard let base = inode.baseAddress, inode.count == 256 else { return }
        try check(
            ext2fs_write_inode_full(fs, number, base.assumingMemoryBound(to: ext2_inode.self), 256),
            "cannot write inode \(number)")
    }

    var blocks: UInt64 {
        get throws(Failure) { ext2fs_blocks_count(try filesystem.pointee.`super`) }
    }

    var freeBlocks: UInt64 {
        get throws(Failure) { ext2fs_free_blocks_count(try filesystem.pointee.`super`) }
    }

    /// The inodes in all, and the free ones.
    var inodes: (all: UInt32, free: UInt32) {
        get throws(Failure) {
            guard let superblock = try filesystem.pointee.`super` else { return (0, 0) }
            return (superblock.pointee.s_inodes_count, superblock.pointee.s_free_inodes_count)
        }
    }

    /// The free blocks, in order.
    func freeRuns() throws -> [BlockRun] {
        let fs = try filesystem
        var runs = [BlockRun]()
        var position = blk64_t(fs.pointee.`super`.pointee.s_first_data_block)
        let last = try blocks - 1
        while position <= last {
            var start: blk64_t = 0
            var end: blk64_t = 0
            if ext2fs_find_first_zero_block_bitmap2(fs.pointee.block_map, position, last, &start) != 0 { break }
            if ext2fs_find_first_set_block_bitmap2(fs.pointee.block_map, start, last, &end) != 0 { end = last + 1 }
            runs.append(BlockRun(start: start, count: end - start))
            position = end
        }
        return runs
    }

    /// Marks runs as in use.
    func take(_ runs: [BlockRun]) throws {
        let fs = try filesystem
        for run in runs {
            var start = run.start
            var left = run.count
            while left > 0 {
                let count = min(left, 1 << 30)
                ext2fs_block_alloc_stats_range(fs, start, blk_t(count), 1)
                start += count
                left -= count
            }
        }
    }

    /// Writes bitmaps, group descriptors and superblocks into the memory image and gives up the handle.
    func close() throws(Failure) {
        let fs = try filesystem
        try check(ext2fs_close2(fs, EXT2_FLAG_FLUSH_NO_SYNC), "cannot finish the file system")
        handle = nil
    }
}
