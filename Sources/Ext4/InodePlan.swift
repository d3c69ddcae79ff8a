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

/// Which inode each node of a tree gets. The children of a directory stand together, in the order of their names;
/// then come the children of its first subdirectory. Hard links have the inode of the name that comes first.
struct InodePlan {
    static let root: UInt32 = 2
    static let lostAndFound: UInt32 = 11
    private static let first: UInt32 = 12
    /// The kernel's limit; a directory with more subdirectories counts 1 (dir_nlink).
    static let mostLinks: UInt32 = 65_000

    /// By number.
    private(set) var inodes: [PlannedInode]
    /// The inode number of each node, by the node's index.
    private(set) var numbers: [UInt32]
    /// The nodes in each directory, by the directory's index.
    let children: [[Int]]
    /// Whether the writer adds `lost+found`: not where the tree has something of that name.
    let makesLostAndFound: Bool

    init(_ tree: FileTree) throws {
        let nodes = tree.nodes
        children = tree.childIndices()
        numbers = [UInt32](repeating: 0, count: nodes.count)
        makesLostAndFound = tree["lost+found"] == nil
        inodes = [PlannedInode(number: Self.root, node: 0, links: 2, parent: Self.root)]
        numbers[0] = Self.root
        inodes.reserveCapacity(nodes.count + 1)
        try Self.check(nodes[0])
        if makesLostAndFound {
            inodes.append(PlannedInode(number: Self.lostAndFound, node: nil, links: 2, parent: Self.root))
            inodes[0].links += 1
        }

        var groups = [UInt32: Int]()
        var next = Self.first
        var pending = [(directory: 0, position: 0)]
        while let (directory, position) = pending.popLast() {
            var subdirectories = [(directory: Int, position: Int)]()
            for child in children[directory] {
                let node = nodes[child]
                if node.linkGroup != 0, let known = groups[node.linkGroup] {
                    inodes[known].links += 1
                    numbers[child] = inodes[known].number
                    if inodes[known].links > Self.mostLinks {
                        throw Failure(
                            "\(node.path): a file in ext4 can have \(Self.mostLinks) names, this one has more")
                    }
                    continue
                }
                try Self.check(node)
                numbers[child] = next
                if node.linkGroup != 0 { groups[node.linkGroup] = inodes.count }
                if node.isDirectory {
                    subdirectories.append((child, inodes.count))
                    inodes[position].links += 1
                }
                inodes.append(
                    PlannedInode(
                        number: next, node: child, links: node.isDirectory ? 2 : 1, parent: numbers[directory]))
                next += 1
            }
            pending.append(contentsOf: subdirectories.reversed())
        }
        for index in inodes.indices where inodes[index].links > Self.mostLinks { inodes[index].links = 1 }
    }

    /// How many inodes the file system needs, the reserved ones included.
    var count: UInt32 { max(inodes[inodes.count - 1].number, Self.lostAndFound) }

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
