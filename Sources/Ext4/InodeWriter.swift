import CExt2FS
import Glibc
import RootfsModel

/// Writes the inodes of a plan with what belongs to them: extent trees, attribute blocks, directory blocks, the
/// targets of long symbolic links. Content of files is not its business.
struct InodeWriter {
    let tree: FileTree
    let plan: Ext4Plan
    let blockPlan: BlockPlan
    let moment: Int64
    let fs: ext2_filsys

    func writeAll() throws {
        for position in plan.inodes.inodes.indices {
            if position & 1023 == 0 { try Task.checkCancellation() }
            try write(position)
        }
    }

    private func write(_ position: Int) throws {
        let inode = plan.inodes.inodes[position]
        let node = inode.node.map { tree.nodes[$0] }
        let isDirectory = node?.isDirectory ?? true
        // The root is among the reserved inodes, which are counted already.
        if inode.number != InodePlan.root { ext2fs_inode_alloc_stats2(fs, inode.number, 1, isDirectory ? 1 : 0) }
        let extents = blockPlan.extents[blockPlan.ranges[position]]
        let blocks = blockPlan.treeBlocks[position] ?? []
        let map = ExtentTree.build(extents, blocks: blocks)
        try withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { buffer in
            buffer.zero()
            try fill(buffer, position, node, map.root)
            try FileSystem.write(buffer, number: inode.number, to: fs)
        }
        for (number, bytes) in zip(blocks, map.blocks) { try writeTree(bytes, at: number, of: inode.number) }
        if let number = blockPlan.attributeBlocks[position] { try writeAttributes(position, at: number) }
        if isDirectory {
            try writeDirectory(position, inode, extents)
        } else if let target = node?.linkTarget, let extent = extents.first {
            try withBlock { block in
                block.copyBytes(from: target)
                try check(
                    io_channel_write_blk64(fs.pointee.io, extent.physical, 1, block.baseAddress),
                    "cannot write a symbolic link")
            }
        }
    }

    private func withBlock(_ body: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
        try withUnsafeTemporaryAllocation(byteCount: blockSize, alignment: 8) { block in
            block.zero()
            try body(block)
        }
    }

    private func fill(
        _ buffer: UnsafeMutableRawBufferPointer, _ position: Int, _ node: FileNode?, _ map: [UInt8]
    ) throws {
        guard let base = buffer.baseAddress else { return }
        let planned = plan.inodes.inodes[position]
        let metadata = node?.metadata ?? Metadata(mode: 0o700, mtime: Timestamp(seconds: moment))
        let kind = node?.kind ?? .directory
        let inode = base.bindMemory(to: ext2_inode_large.self, capacity: 1)
        inode.pointee.i_mode = Self.type(kind) | metadata.mode
        inode.pointee.i_uid = UInt16(truncatingIfNeeded: metadata.uid)
        inode.pointee.i_gid = UInt16(truncatingIfNeeded: metadata.gid)
        inode.pointee.osd2.linux2.l_i_uid_high = UInt16(metadata.uid >> 16)
        inode.pointee.osd2.linux2.l_i_gid_high = UInt16(metadata.gid >> 16)
        inode.pointee.i_links_count = UInt16(planned.links)
        inode.pointee.i_extra_isize = UInt16(MemoryLayout<ext2_inode_large>.size - 128)

        // ctime cannot be had from a source and atime moves: all four are the one time that is known.
        let time = InodeTime.encode(metadata.mtime)
        inode.pointee.i_atime = time.seconds
        inode.pointee.i_ctime = time.seconds
        inode.pointee.i_mtime = time.seconds
        inode.pointee.i_crtime = time.seconds
        inode.pointee.i_atime_extra = time.extra
        inode.pointee.i_ctime_extra = time.extra
        inode.pointee.i_mtime_extra = time.extra
        inode.pointee.i_crtime_extra = time.extra

        var size: UInt64 = 0
        var content = map
        switch kind {
        case .directory:
            inode.pointee.i_flags = UInt32(EXT4_EXTENTS_FL)
            if plan.directories[position]?.isIndexed == true { inode.pointee.i_flags |= UInt32(EXT2_INDEX_FL) }
            size = plan.demands[position].runs.blocks * UInt64(blockSize)
        case .file(let blob, _):
            inode.pointee.i_flags = UInt32(EXT4_EXTENTS_FL)
            size = blob.size
        case .symbolicLink(let target):
            size = UInt64(target.count)
            if plan.demands[position].runs.isEmpty {
                content = target
            } else {
                inode.pointee.i_flags = UInt32(EXT4_EXTENTS_FL)
            }
        case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
            content = Self.deviceNumber(major, minor)
        case .fifo, .socket:
            content = []
        }
        withUnsafeMutableBytes(of: &inode.pointee.i_block) { $0.copyBytes(from: content) }

        let small = base.assumingMemoryBound(to: ext2_inode.self)
        try check(ext2fs_inode_size_set(fs, small, ext2_off64_t(size)), "cannot set a size")
        var blocks = blockPlan.extents[blockPlan.ranges[position]].reduce(0) { $0 + UInt64($1.count) }
        blocks += UInt64(blockPlan.treeBlocks[position]?.count ?? 0)
        if let number = blockPlan.attributeBlocks[position] {
            blocks += 1
            ext2fs_file_acl_block_set(fs, small, number)
        }
        try check(ext2fs_iblk_set(fs, small, blocks), "cannot set a number of blocks")
        plan.attributes[position]?.writeInode(into: UnsafeMutableRawBufferPointer(rebasing: buffer[160...]))
    }

    private static func type(_ kind: NodeKind) -> UInt16 {
        switch kind {
        case .directory: UInt16(LINUX_S_IFDIR)
        case .file: UInt16(LINUX_S_IFREG)
        case .symbolicLink: UInt16(LINUX_S_IFLNK)
        case .characterDevice: UInt16(LINUX_S_IFCHR)
        case .blockDevice: UInt16(LINUX_S_IFBLK)
        case .fifo: UInt16(LINUX_S_IFIFO)
        case .socket: UInt16(LINUX_S_IFSOCK)
        }
    }

    /// `old_encode_dev` in the first word where it fits, else `new_encode_dev` in the second.
    private static func deviceNumber(_ major: UInt32, _ minor: UInt32) -> [UInt8] {
        let small = major < 256 && minor < 256
        let words: [UInt32] =
            small ? [major << 8 | minor, 0] : [0, minor & 0xff | major << 8 | (minor & ~0xff) << 12]
        return words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32($0 * 8)) } }
    }

    private func writeTree(_ bytes: [UInt8], at number: UInt64, of inode: UInt32) throws {
        try withBlock { block in
            block.copyBytes(from: bytes)
            guard let base = block.baseAddress else { return }
            try check(
                ext2fs_extent_block_csum_set(fs, inode, base.assumingMemoryBound(to: ext3_extent_header.self)),
                "cannot take an extent block's checksum")
            try check(io_channel_write_blk64(fs.pointee.io, number, 1, base), "cannot write an extent block")
        }
    }

    private func writeAttributes(_ position: Int, at number: UInt64) throws {
        try withBlock { block in
            plan.attributes[position]?.writeBlock(into: block)
            try check(
                ext2fs_write_ext_attr3(fs, number, block.baseAddress, plan.inodes.inodes[position].number),
                "cannot write an attribute block")
        }
    }

    private func writeDirectory(_ position: Int, _ inode: PlannedInode, _ extents: ArraySlice<PlacedExtent>) throws {
        let layout = plan.directories[position]
        let entries = inode.node.map { plan.entries(of: $0, in: tree) } ?? []
        for extent in extents {
            for offset in 0..<extent.count {
                let index = Int(extent.logical + offset)
                try withBlock { block in
                    if let layout, index < layout.blocks {
                        layout.write(
                            block: index, of: entries, inode: inode.number, parent: inode.parent, into: block)
                    } else {
                        DirectoryLayout.writeEmpty(into: block)
                    }
                    try check(
                        ext2fs_write_dir_block4(
                            fs, extent.physical + UInt64(offset), block.baseAddress, 0, inode.number),
                        "cannot write a directory block")
                }
            }
        }
    }
}
