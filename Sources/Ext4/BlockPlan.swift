import RootfsModel

/// A run of blocks in the image.
struct BlockRun: Equatable {
    var start: UInt64
    var count: UInt64
}

/// A run of a file's blocks and where in the image it is.
struct PlacedExtent: Equatable {
    /// The longest run that one extent can tell.
    static let longest: UInt64 = 32_768

    var logical: UInt32
    var count: UInt32
    var physical: UInt64
}

/// The runs of blocks that an inode has. Nearly all have one, and a million arrays of one would cost 64 MB.
enum BlockRuns {
    case none
    case one(DataRun)
    case several([DataRun])

    init(_ runs: [DataRun]) {
        self = runs.count > 1 ? .several(runs) : runs.first.map { .one($0) } ?? .none
    }

    /// So many blocks from the start.
    static func first(_ count: UInt32) -> BlockRuns { .one(DataRun(start: 0, count: count)) }

    var isEmpty: Bool {
        if case .none = self { true } else { false }
    }

    /// The sum of what `body` gives for each run.
    func sum(_ body: (DataRun) -> UInt64) -> UInt64 {
        switch self {
        case .none: 0
        case .one(let run): body(run)
        case .several(let runs): runs.reduce(0) { $0 + body($1) }
        }
    }

    var blocks: UInt64 { sum { UInt64($0.count) } }

    func each(_ body: (DataRun) -> Void) {
        switch self {
        case .none: break
        case .one(let run): body(run)
        case .several(let runs): for run in runs { body(run) }
        }
    }
}

/// What an inode needs besides its inode.
struct BlockDemand {
    var runs: BlockRuns
    /// Whether its attributes need a block.
    var hasAttributeBlock: Bool
}

/// Where everything goes.
struct BlockPlan {
    /// The extents of all inodes, one inode's after another's.
    private(set) var extents = [PlacedExtent]()
    /// Where each inode's extents are in `extents`.
    private(set) var ranges: [Range<Int>]
    /// The blocks that hold an extent tree, for inodes with more than four extents.
    private(set) var treeBlocks = [Int: [UInt64]]()
    private(set) var attributeBlocks = [Int: UInt64]()
    /// The blocks taken, in order.
    private(set) var taken = [BlockRun]()
    /// How many blocks were missing; a plan with missing blocks is no plan.
    private(set) var missing: UInt64

    /// Places what the inodes of a plan need; `seeds` gives each inode's own by its number in the plan.
    init(_ pieces: ContentPieces, inodes: Int, seeds: (Int) -> UInt64, on free: BlockMap) {
        let placement = PiecePlacement(pieces.pieces, unit: pieces.unit, on: free)
        missing = placement.missing
        ranges = [Range<Int>](repeating: 0..<0, count: inodes)
        if missing > 0 { return }
        var parts = [(inode: Int32, extent: PlacedExtent)]()
        parts.reserveCapacity(pieces.members.count)
        for (number, piece) in pieces.pieces.enumerated() {
            var room = placement.runs[placement.ranges[number]]
            for member in pieces.members[piece.members] {
                var (logical, left) = (member.logical, member.count)
                while left > 0, var run = room.first {
                    let count = UInt32(min(UInt64(left), run.count))
                    if member.isAttributes {
                        attributeBlocks[Int(member.inode)] = run.start
                    } else {
                        parts.append(
                            (member.inode, PlacedExtent(logical: logical, count: count, physical: run.start)))
                    }
                    logical += count
                    left -= count
                    run.start += UInt64(count)
                    run.count -= UInt64(count)
                    if run.count == 0 { room.removeFirst() } else { room[room.startIndex] = run }
                }
            }
        }
        parts.sort { ($0.inode, $0.extent.logical) < ($1.inode, $1.extent.logical) }
        join(parts)
        var map = placement.map
        placeTrees(seeds: seeds, unit: pieces.unit, on: &map)
        taken = map.runsTaken(since: free)
    }

    /// How many blocks the demands take where nothing is in the way.
    static func need(_ demands: [BlockDemand]) -> UInt64 {
        demands.reduce(0) { sum, demand in
            let extents = demand.runs.sum { (UInt64($0.count) + PlacedExtent.longest - 1) / PlacedExtent.longest }
            return sum + demand.runs.blocks + UInt64(ExtentTree.blockCount(extents: Int(extents)))
                + (demand.hasAttributeBlock ? 1 : 0)
        }
    }

    /// Makes one extent of parts that follow each other in the file and in the image.
    private mutating func join(_ parts: [(inode: Int32, extent: PlacedExtent)]) {
        extents.reserveCapacity(parts.count)
        var index = 0
        while index < parts.count {
            let inode = parts[index].inode
            let first = extents.count
            while index < parts.count && parts[index].inode == inode {
                let part = parts[index].extent
                index += 1
                if extents.count > first, let last = extents.last,
                    last.logical + last.count == part.logical,
                    last.physical + UInt64(last.count) == part.physical,
                    UInt64(last.count + part.count) <= PlacedExtent.longest
                {
                    extents[extents.count - 1].count += part.count
                } else {
                    extents.append(part)
                }
            }
            ranges[Int(inode)] = first..<extents.count
        }
    }

    private mutating func placeTrees(seeds: (Int) -> UInt64, unit: Int, on map: inout BlockMap) {
        for inode in ranges.indices {
            let count = ExtentTree.blockCount(extents: ranges[inode].count)
            if count == 0 { continue }
            var places = StablePlaces(seed: seeds(inode))
            var blocks = [UInt64]()
            for _ in 0..<count {
                guard let block = Self.takeBlock(&places, unit: unit, on: &map) else {
                    missing += 1
                    return
                }
                blocks.append(block)
            }
            treeBlocks[inode] = blocks
        }
    }

    private static func takeBlock(_ places: inout StablePlaces, unit: Int, on map: inout BlockMap) -> UInt64? {
        for _ in 0..<16 {
            let block = places.next(below: max(1, map.preferredUnits) * unit)
            if map.isFree(block: block) && !map.isFree(unit: block / unit) {
                map.take(BlockRun(start: UInt64(block), count: 1))
                return UInt64(block)
            }
        }
        return map.takeFirst(1)?.start
    }
}

/// How ext4 tells a file's extents: up to four in the inode, more in a tree of blocks.
enum ExtentTree {
    static let magic: UInt16 = 0xf30a
    static let inInode = 4
    /// A header of 12 bytes, entries of 12 and 4 bytes of checksum.
    static let inBlock = (blockSize - 12 - 4) / 12

    static func blockCount(extents: Int) -> Int {
        if extents <= inInode { return 0 }
        var level = extents
        var sum = 0
        while level > inInode {
            level = (level + inBlock - 1) / inBlock
            sum += level
        }
        return sum
    }

    /// The 60 bytes for the inode, and the blocks, all but their checksums.
    static func build(_ extents: some Collection<PlacedExtent>, blocks: [UInt64]) -> (root: [UInt8], blocks: [[UInt8]])
    {
        var entries = extents.map { extent in
            var entry = [UInt8]()
            append(extent.logical, to: &entry)
            append(UInt16(truncatingIfNeeded: extent.count), to: &entry)
            append(UInt16(truncatingIfNeeded: extent.physical >> 32), to: &entry)
            append(UInt32(truncatingIfNeeded: extent.physical), to: &entry)
            return entry
        }
        var depth: UInt16 = 0
        var written = [[UInt8]]()
        while entries.count > inInode {
            var above = [[UInt8]]()
            for start in stride(from: 0, to: entries.count, by: inBlock) {
                let part = entries[start..<min(start + inBlock, entries.count)]
                let number = blocks[written.count]
                written.append(node(part, capacity: inBlock, depth: depth, size: blockSize))
                var entry = Array(entries[start].prefix(4))
                append(UInt32(truncatingIfNeeded: number), to: &entry)
                append(UInt16(truncatingIfNeeded: number >> 32), to: &entry)
                append(UInt16(0), to: &entry)
                above.append(entry)
            }
            entries = above
            depth += 1
        }
        return (node(entries[...], capacity: inInode, depth: depth, size: 60), written)
    }

    private static func node(_ entries: ArraySlice<[UInt8]>, capacity: Int, depth: UInt16, size: Int) -> [UInt8] {
        var bytes = [UInt8]()
        bytes.reserveCapacity(size)
        append(magic, to: &bytes)
        append(UInt16(entries.count), to: &bytes)
        append(UInt16(capacity), to: &bytes)
        append(depth, to: &bytes)
        append(UInt32(0), to: &bytes)
        for entry in entries { bytes += entry }
        bytes += [UInt8](repeating: 0, count: size - bytes.count)
        return bytes
    }

    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
}
