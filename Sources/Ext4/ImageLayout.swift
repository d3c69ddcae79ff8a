import RootfsModel

/// A file system of the right size with a place for every block: made once the plan is known.
struct ImageLayout {
    let fileSystem: FileSystem
    let blockPlan: BlockPlan
    /// The image file's size in bytes.
    let size: UInt64

    /// Finds the geometry: the given size, or the smallest that leaves the free space asked for.
    init(_ plan: Ext4Plan, _ options: Ext4Options) throws {
        switch options.size {
        case .fixed(let bytes):
            let blocks = bytes / UInt64(blockSize)
            var found = try Self.place(plan, options, blocks: blocks, free: 0, spare: bytes)
            // Rather without spare inodes than not at all.
            if found.plan == nil || found.missing > 0 {
                found = try Self.place(plan, options, blocks: blocks, free: 0, spare: 0)
            }
            guard found.missing == 0, let fileSystem = found.fileSystem, let blockPlan = found.plan else {
                var smallest = options
                smallest.size = .free(bytes: 0)
                let needed = try ImageLayout(plan, smallest).size
                throw Failure(
                    "the tree does not fit into an image of \(bytes) bytes: it needs \(needed) bytes",
                    hint:
                        "make the image larger by \(needed > bytes ? needed - bytes : UInt64(blockSize)) bytes or more")
            }
            (self.fileSystem, self.blockPlan, self.size) = (fileSystem, blockPlan, bytes)
        case .free(let bytes):
            (fileSystem, blockPlan) = try Self.smallest(plan, options, free: blockCount(bytes))
            size = try fileSystem.blocks * UInt64(blockSize)
        }
    }

    /// One attempt: nil fields where the geometry is too small to be one.
    private struct Attempt {
        var fileSystem: FileSystem?
        var plan: BlockPlan?
        /// The blocks that were missing, at least.
        var missing: UInt64
    }

    /// How many blocks the kernel withholds from a mounted file system's free ones.
    private static func withheld(_ blocks: UInt64) -> UInt64 { min(blocks / 50, 4096) }

    private static func smallest(
        _ plan: Ext4Plan, _ options: Ext4Options, free: UInt64
    ) throws -> (FileSystem, BlockPlan) {
        var blocks = BlockPlan.need(plan.demands) + free + UInt64(plan.inodes.count) / 16 + 8
        if let journal = options.journal { blocks += UInt64(journal) * 256 }
        var step: UInt64 = 1
        // The library may give less than it was asked for (a last group too small for its tables): then the step
        // doubles until that group is large enough.
        for _ in 0..<256 {
            try Task.checkCancellation()
            let attempt = try place(plan, options, blocks: blocks, free: free, spare: free * UInt64(blockSize))
            if attempt.missing == 0, let fileSystem = attempt.fileSystem, let blockPlan = attempt.plan {
                return (fileSystem, blockPlan)
            }
            let given = try attempt.fileSystem?.blocks ?? 0
            if given < blocks {
                step = max(64, step * 2)
                blocks = max(blocks + step, given + attempt.missing)
            } else {
                blocks += attempt.missing
            }
        }
        throw Failure("cannot find a size for the image: tried up to \(blocks) blocks")
    }

    /// So many inodes or an eighth more: a number for each group that stays when files come or go.
    private static func roundedInodes(_ inodes: UInt64, blocks: UInt64) -> UInt64 {
        let groups = (blocks + 32_767) / 32_768
        let inGroup = (inodes + groups - 1) / groups
        let step = max(16, UInt64(1) << UInt64(60 - min(60, inGroup.leadingZeroBitCount)))
        return (inGroup + step - 1) / step * step * groups
    }

    private static func place(
        _ plan: Ext4Plan, _ options: Ext4Options, blocks: UInt64, free: UInt64, spare: UInt64
    ) throws -> Attempt {
        // Writable images get an inode for each 16 KiB that is free, as mke2fs has it.
        let more = options.isReadOnly ? 0 : min(spare / 16_384, 1 << 31)
        let wantedInodes = max(UInt64(plan.inodes.inodes.count) + 11 + more, UInt64(plan.inodes.count))
        let inodes = roundedInodes(wantedInodes, blocks: blocks)
        if inodes > UInt64(UInt32.max) { throw Failure("\(inodes) inodes are too many for ext4") }
        let fileSystem: FileSystem
        do {
            fileSystem = try FileSystem(FileSystem.Geometry(blocks: blocks, inodes: UInt32(inodes)), options)
        } catch FileSystem.Obstacle.tooSmall {
            return Attempt(fileSystem: nil, plan: nil, missing: 0)
        }
        let wanted = free == 0 ? 0 : free + withheld(try fileSystem.blocks)
        let least = BlockPlan.need(plan.demands) + wanted
        let available = try fileSystem.freeBlocks
        if available < least { return Attempt(fileSystem: fileSystem, plan: nil, missing: least - available) }
        let inodeList = plan.inodes.inodes
        let blockPlan = BlockPlan(
            plan.pieces, inodes: inodeList.count, seeds: { UInt64(inodeList[$0].number) },
            on: BlockMap(blocks: try fileSystem.blocks, free: try fileSystem.freeRuns(), unit: plan.pieces.unit))
        let used = blockPlan.taken.reduce(0) { $0 + $1.count } + blockPlan.missing
        let missing = used + wanted > available ? used + wanted - available : 0
        return Attempt(fileSystem: fileSystem, plan: blockPlan, missing: missing)
    }
}
