import RootfsModel

/// One inode to be written: its number, the node whose metadata and content it has, and how many names lead to it.
struct PlannedInode {
    var number: UInt32
    /// -1 for none.
    private let index: Int32
    var links: UInt32
    /// The number of the directory that it is in, for a directory.
    var parent: UInt32

    init(number: UInt32, node: Int?, links: UInt32, parent: UInt32) {
        self.number = number
        self.index = node.map { Int32($0) } ?? -1
        self.links = links
        self.parent = parent
    }

    /// The index in the tree's nodes; nil for the `lost+found` that the writer makes.
    var node: Int? { index < 0 ? nil : Int(index) }
}

/// Which inode each node of a tree gets. Neighbours in the tree share a block of inodes; where such a bundle ends, a
/// path says, and which block it has is chosen by name, so that a path that comes or goes leaves most inodes alone
/// (docs/layout.md). Hard links have the inode of the name that comes first.
struct InodePlan {
    static let root: UInt32 = 2
    static let lostAndFound: UInt32 = 11
    /// The kernel's limit; a directory with more subdirectories counts 1 (dir_nlink).
    static let mostLinks: UInt32 = 65_000
    /// Inodes in a block. The first block is that of the reserved ones.
    private static let inBlock = 16

    /// In the tree's order.
    private(set) var inodes: [PlannedInode]
    /// The inode number of each node, by the node's index.
    private(set) var numbers: [UInt32]
    /// The nodes in each directory, by the directory's index.
    let children: [[Int]]
    /// Whether the writer adds `lost+found`: not where the tree has something of that name.
    let makesLostAndFound: Bool
    /// How many inodes the file system needs, the reserved ones included.
    private(set) var count: UInt32

    init(_ tree: FileTree) throws {
        let nodes = tree.nodes
        children = tree.childIndices()
        makesLostAndFound = tree["lost+found"] == nil
        // The position in `inodes` of each node's.
        var positions = [Int32](repeating: 0, count: nodes.count)
        inodes = [PlannedInode(number: Self.root, node: 0, links: 2, parent: Self.root)]
        inodes.reserveCapacity(nodes.count + 1)
        try Self.check(nodes[0])
        var groups = [UInt32: Int32]()
        for index in nodes.indices.dropFirst() {
            let node = nodes[index]
            if node.linkGroup != 0, let known = groups[node.linkGroup] {
                positions[index] = known
                inodes[Int(known)].links += 1
                if inodes[Int(known)].links > Self.mostLinks {
                    throw Failure("\(node.path): a file in ext4 can have \(Self.mostLinks) names, this one has more")
                }
                continue
            }
            try Self.check(node)
            positions[index] = Int32(inodes.count)
            if node.linkGroup != 0 { groups[node.linkGroup] = Int32(inodes.count) }
            inodes.append(PlannedInode(number: 0, node: index, links: node.isDirectory ? 2 : 1, parent: 0))
        }
        let bundles = Self.bundles(inodes, tree)
        let blocks = 1 + bundles.count + (bundles.count + 7) / 8
        if blocks * Self.inBlock > Int(UInt32.max) { throw Failure("\(nodes.count) paths are too many for ext4") }
        for (bundle, block) in zip(bundles, Self.blocks(for: bundles, inodes, tree, below: blocks)) {
            for (place, position) in bundle.enumerated() {
                inodes[position].number = UInt32(block * Self.inBlock + place + 1)
            }
        }
        count = UInt32(blocks * Self.inBlock)
        numbers = positions.map { [inodes] in inodes[Int($0)].number }
        for directory in nodes.indices where nodes[directory].isDirectory {
            for child in children[directory] where nodes[child].isDirectory {
                inodes[Int(positions[child])].parent = numbers[directory]
                inodes[Int(positions[directory])].links += 1
            }
        }
        if makesLostAndFound {
            inodes.append(PlannedInode(number: Self.lostAndFound, node: nil, links: 2, parent: Self.root))
            inodes[0].links += 1
        }
        for index in inodes.indices where inodes[index].links > Self.mostLinks { inodes[index].links = 1 }
    }

    /// The inodes behind the root in bundles of at most a block.
    private static func bundles(_ inodes: [PlannedInode], _ tree: FileTree) -> [Range<Int>] {
        var bundles = [Range<Int>]()
        var first = 1
        for position in inodes.indices.dropFirst() {
            let isFull = position - first == inBlock
            let path = inodes[position].node.map { tree.nodes[$0].path } ?? .root
            if position > first && (isFull || path.beginsBundle(ofAbout: 32)) {
                bundles.append(first..<position)
                first = position
            }
        }
        if first < inodes.count { bundles.append(first..<inodes.count) }
        return bundles
    }

    /// The block of each bundle, 1 ..< count.
    private static func blocks(
        for bundles: [Range<Int>], _ inodes: [PlannedInode], _ tree: FileTree, below count: Int
    ) -> [Int] {
        var blocks = [Int](repeating: 0, count: bundles.count)
        var isUsed = [Bool](repeating: false, count: count)
        isUsed[0] = true
        var choosers = bundles.indices.map { index in
            let path = inodes[bundles[index].lowerBound].node.map { tree.nodes[$0].path } ?? .root
            return (places: StablePlaces(path, part: 4 << 32), index: index)
        }
        choosers.sort { ($0.places.seed, $0.index) < ($1.places.seed, $1.index) }
        for var chooser in choosers {
            let block = chooser.places.choose(among: count, of: count) { !isUsed[$0] } ?? 0
            isUsed[block] = true
            blocks[chooser.index] = block
        }
        return blocks
    }

    /// What ext4 cannot hold of a node, whatever the file system's size; attributes are checked where they are laid
    /// out.
    private static func check(_ node: FileNode) throws(Failure) {
        if node.path.name.count > 255 {
            throw Failure("\(node.path): its name has \(node.path.name.count) bytes; ext4 holds 255")
        }
        if node.metadata.mode > 0o7777 {
            throw Failure("\(node.path): mode \(String(node.metadata.mode, radix: 8)) has bits beyond 7777")
        }
        let time = node.metadata.mtime
        if !InodeTime.range.contains(time.seconds) || time.nanoseconds >= 1_000_000_000 {
            throw Failure(
                "\(node.path): ext4 cannot hold its modification time, \(time.seconds) s \(time.nanoseconds) ns",
                hint: "times from 1901-12-13 to 2446-05-10 are possible")
        }
        switch node.kind {
        case .file(let blob, _):
            if blob.size > UInt64(UInt32.max - 1) * UInt64(blockSize) {
                throw Failure("\(node.path): ext4 cannot hold a file of \(blob.size) bytes")
            }
            if blob.source == .absent && blob.size > 0 {
                throw Failure("\(node.path): its content is not at hand, only its digest")
            }
            if case .bytes(let bytes) = blob.source, UInt64(bytes.count) != blob.size {
                throw Failure("\(node.path): has \(bytes.count) bytes, the tree says \(blob.size)")
            }
        case .symbolicLink(let target):
            if target.isEmpty || target.count >= blockSize || target.contains(0) {
                throw Failure(
                    "\(node.path): a symbolic link's target has 1 to \(blockSize - 1) bytes and no NUL; this one has "
                        + (target.contains(0) ? "a NUL" : "\(target.count)"))
            }
        case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
            if major > 0xfff || minor > 0xf_ffff {
                throw Failure("\(node.path): ext4 cannot hold the device number \(major):\(minor)")
            }
        case .directory, .fifo, .socket: break
        }
    }
}

/// How ext4 holds a time: 32 bits of seconds, two bits of epoch and 30 of nanoseconds.
enum InodeTime {
    static let range: ClosedRange<Int64> = -(1 << 31)...((1 << 34) - (1 << 31) - 1)

    static func encode(_ time: Timestamp) -> (seconds: UInt32, extra: UInt32) {
        let low = Int32(truncatingIfNeeded: time.seconds)
        let epoch = UInt32(truncatingIfNeeded: (time.seconds - Int64(low)) >> 32) & 3
        return (UInt32(bitPattern: low), time.nanoseconds << 2 | epoch)
    }

    static func decode(seconds: UInt32, extra: UInt32) -> Timestamp {
        let base = Int64(Int32(bitPattern: seconds)) + Int64(extra & 3) << 32
        // Nanoseconds beyond a second are damage that harms nobody; the kernel shows them, we keep the time valid.
        return Timestamp(seconds: base, nanoseconds: min(extra >> 2, 999_999_999))
    }
}
