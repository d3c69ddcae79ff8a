import CExt2FS
import RootfsModel

/// Everything about an image that does not depend on its size: which inodes there are, what each directory's blocks
/// look like, and how many blocks each inode needs. Per inode, by position in the inode plan.
struct Ext4Plan {
    /// Blocks of `lost+found`: e2fsck must not need to allocate any.
    static let lostAndFoundBlocks: UInt32 = 4

    let inodes: InodePlan
    private(set) var directories = [Int: DirectoryLayout]()
    private(set) var attributes = [Int: AttributeLayout]()
    private(set) var demands = [BlockDemand]()
    private(set) var pieces = ContentPieces()

    /// Lays out a tree. `data` holds the runs with data of the large files whose traits do not tell them, by
    /// node.
    init(_ tree: FileTree, _ options: Ext4Options, data: [Int: [DataRun]]) throws {
        inodes = try InodePlan(tree)
        let seed = options.hashSeed.withUnsafeBytes { bytes in
            (0..<4).map { UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)) }
        }
        demands.reserveCapacity(inodes.inodes.count)
        for (position, inode) in inodes.inodes.enumerated() {
            let node = inode.node.map { tree.nodes[$0] }
            var demand = BlockDemand(runs: .none, hasAttributeBlock: false)
            if let node, !node.metadata.xattrs.isEmpty {
                let layout = try AttributeLayout(node)
                demand.hasAttributeBlock = !layout.inBlock.isEmpty
                attributes[position] = layout
            }
            switch node?.kind {
            case nil, .directory:
                let entries = inode.node.map { self.entries(of: $0, in: tree) } ?? []
                let layout = try DirectoryLayout(
                    entries, of: node?.path ?? "lost+found", hashSeed: seed, fill: options.isReadOnly ? 100 : 80)
                directories[position] = layout
                let blocks = inode.node == nil ? Self.lostAndFoundBlocks : UInt32(layout.blocks)
                demand.runs = .first(blocks)
            case .file(let blob, _):
                if let runs = blob.traits?.dataRuns ?? inode.node.flatMap({ data[$0] }) {
                    demand.runs = BlockRuns(runs)
                } else if blob.size > 0 {
                    demand.runs = .first(UInt32(blockCount(blob.size)))
                }
            case .symbolicLink(let target):
                // With its NUL it must fit into the 60 bytes of the block map.
                if target.count >= 60 { demand.runs = .first(1) }
            default: break
            }
            demands.append(demand)
        }
        pieces = ContentPieces(inodes.inodes, demands: demands, tree: tree)
    }

    /// The names in a directory, by its node; the root's with `lost+found`, in its place by name.
    func entries(of directory: Int, in tree: FileTree) -> [DirectoryEntry] {
        var entries = inodes.children[directory].map { child in
            DirectoryEntry(
                name: tree.nodes[child].path.name, inode: inodes.numbers[child],
                type: DirectoryEntry.type(of: tree.nodes[child].kind))
        }
        if directory == 0 && inodes.makesLostAndFound {
            let name = Array("lost+found".utf8)
            let place = entries.firstIndex { name.lexicographicallyPrecedes($0.name) } ?? entries.count
            entries.insert(
                DirectoryEntry(name: name[...], inode: InodePlan.lostAndFound, type: DirectoryEntry.directory),
                at: place)
        }
        return entries
    }
}
