import RootfsModel

/// Some blocks of one inode.
struct PieceMember {
    /// The inode's position in the inode plan.
    var inode: Int32
    var logical: UInt32
    var count: UInt32
    /// The block of the inode's attributes, which has no place in its file.
    var isAttributes = false
}

/// Blocks that get a place together: a part of a file, or small files that are neighbours in the tree.
struct ContentPiece {
    /// Of its first member.
    var seed: UInt64
    /// Where it goes with the parts of its file before and behind it; nil where it has none.
    var group: (seed: UInt64, place: Int)?
    var blocks: Int
    /// Its members' range in `ContentPieces.members`.
    var members: Range<Int>
}

/// Cuts what inodes need into pieces: files of more than 16 blocks at every unit of the file, smaller ones bundled with
/// their neighbours, and directories among themselves. Where a bundle ends, a path says, so that a change in one
/// leaves the others alone.
struct ContentPieces {
    /// Blocks: what a large file is cut into, and the most that is placed as a whole.
    let unit: Int
    /// Blocks: the largest bundle.
    private static let largestBundle = 64
    /// A file of more blocks is no part of a bundle.
    private static let mostInBundle: UInt64 = 16
    /// How many files a bundle has, or directories, about: the more, the more is read in a row, and the more moves when
    /// one of them grows.
    private static let inBundle: [UInt64] = [64, 32]
    /// Blocks of a large file that lie together if they can.
    private static let inGroup = 1024

    private(set) var pieces = [ContentPiece]()
    private(set) var members = [PieceMember]()
    /// The bundle that is being filled, of directories and of others.
    private var open: [ContentPiece?] = [nil, nil]
    private var openMembers: [[PieceMember]] = [[], []]

    /// How large the units of an image with so many blocks of content are: the larger, the more is read in a row, and the
    /// fewer units there are to choose from.
    static func unit(forContent blocks: UInt64) -> Int {
        blocks >> 17 > 0 ? 256 : blocks >> 16 > 0 ? 128 : 64
    }

    /// None.
    init() { unit = Self.unit(forContent: 0) }

    init(_ inodes: [PlannedInode], demands: [BlockDemand], tree: FileTree) {
        unit = Self.unit(forContent: demands.reduce(0) { $0 + $1.runs.blocks })
        for (position, inode) in inodes.enumerated() {
            let demand = demands[position]
            let node = inode.node.map { tree.nodes[$0] }
            let path = node?.path ?? "lost+found"
            let isDirectory = node?.isDirectory ?? true
            let blocks = demand.runs.blocks + (demand.hasAttributeBlock ? 1 : 0)
            if blocks == 0 { continue }
            if blocks > Self.mostInBundle {
                cut(demand, position, path)
            } else {
                bundle(demand, position, path, into: isDirectory ? 0 : 1)
            }
        }
        for number in open.indices { close(number) }
    }

    private mutating func bundle(
        _ demand: BlockDemand, _ position: Int, _ path: TreePath, into number: Int
    ) {
        let added = Self.members(of: demand, position)
        let blocks = added.reduce(0) { $0 + Int($1.count) }
        if let bundle = open[number],
            bundle.blocks + blocks > Self.largestBundle || path.beginsBundle(ofAbout: Self.inBundle[number])
        {
            close(number)
        }
        var piece =
            open[number]
            ?? ContentPiece(
                seed: StablePlaces(path, part: UInt64(number)).seed, blocks: 0, members: 0..<0)
        piece.blocks += blocks
        open[number] = piece
        openMembers[number] += added
    }

    private mutating func close(_ number: Int) {
        guard let piece = open[number] else { return }
        append(piece, openMembers[number])
        open[number] = nil
        openMembers[number] = []
    }

    private mutating func append(_ piece: ContentPiece, _ added: [PieceMember]) {
        var piece = piece
        piece.members = members.count..<members.count + added.count
        members += added
        pieces.append(piece)
    }

    private static func members(of demand: BlockDemand, _ position: Int) -> [PieceMember] {
        var members = [PieceMember]()
        demand.runs.each { run in
            members.append(PieceMember(inode: Int32(position), logical: run.start, count: run.count))
        }
        if demand.hasAttributeBlock {
            members.append(PieceMember(inode: Int32(position), logical: 0, count: 1, isAttributes: true))
        }
        return members
    }

    /// Cuts a large file where its own blocks are multiples of a unit, wherever holes are.
    private mutating func cut(_ demand: BlockDemand, _ position: Int, _ path: TreePath) {
        let unit = UInt32(unit)
        let unitsInGroup = Self.inGroup / self.unit
        var part = [PieceMember]()
        func number() -> UInt32? { part.first.map { $0.logical / unit } }
        func flush(_ pieces: inout ContentPieces) {
            guard let index = number() else { return }
            let group = UInt64(index) / UInt64(unitsInGroup)
            let blocks = part.reduce(0) { $0 + Int($1.count) }
            pieces.append(
                ContentPiece(
                    seed: StablePlaces(path, part: 1 << 32 | UInt64(index)).seed,
                    group: (StablePlaces(path, part: 2 << 32 | group).seed, Int(index) % unitsInGroup),
                    blocks: blocks, members: 0..<0), part)
            part = []
        }
        demand.runs.each { run in
            var start = run.start
            let end = run.start + run.count
            while start < end {
                if let number = number(), start / unit != number { flush(&self) }
                let count = min(end, (start / unit + 1) * unit) - start
                part.append(PieceMember(inode: Int32(position), logical: start, count: count))
                start += count
            }
        }
        flush(&self)
        if demand.hasAttributeBlock {
            append(
                ContentPiece(seed: StablePlaces(path, part: 3 << 32).seed, blocks: 1, members: 0..<0),
                [PieceMember(inode: Int32(position), logical: 0, count: 1, isAttributes: true)])
        }
    }
}
