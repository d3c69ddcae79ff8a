import CExt2FS
import RootfsModel

/// One name in a directory.
struct DirectoryEntry {
    var name: ArraySlice<UInt8>
    var inode: UInt32
    var type: UInt8

    /// 8 bytes and the name, rounded up to 4.
    var size: Int { (8 + name.count + 3) & ~3 }

    static let directory = UInt8(EXT2_FT_DIR)

    static func type(of kind: NodeKind) -> UInt8 {
        switch kind {
        case .directory: UInt8(EXT2_FT_DIR)
        case .file: UInt8(EXT2_FT_REG_FILE)
        case .symbolicLink: UInt8(EXT2_FT_SYMLINK)
        case .characterDevice: UInt8(EXT2_FT_CHRDEV)
        case .blockDevice: UInt8(EXT2_FT_BLKDEV)
        case .fifo: UInt8(EXT2_FT_FIFO)
        case .socket: UInt8(EXT2_FT_SOCK)
        }
    }
}

/// A directory's blocks. One block is a plain list of names, and the kernel indexes it when it outgrows the block.
/// More blocks are a hash tree (dir_index), which the kernel would never make of a directory that it finds without:
/// it would search it from end to end for every name.
struct DirectoryLayout {
    /// The room for names in a block: 12 bytes at its end hold a checksum.
    private static let space = blockSize - 12
    private static let rootEntries = (blockSize - 32 - 8) / 8
    private static let nodeEntries = (blockSize - 8 - 8) / 8

    private enum Form {
        case list
        /// The entries by hash, where each leaf begins in them, and the hash that leads to each leaf.
        case tree(order: [Int32], leafStarts: [Int], leafHashes: [UInt32])
    }

    private let form: Form
    let blocks: Int
    var isIndexed: Bool { blocks > 1 }

    /// Lays out the names; `fill` percent of a leaf are used.
    init(_ entries: [DirectoryEntry], of path: TreePath, hashSeed: [UInt32], fill: Int) throws(Failure) {
        if 24 + entries.reduce(0, { $0 + $1.size }) <= Self.space {
            form = .list
            blocks = 1
            return
        }
        let hashes = try Self.hashes(entries, seed: hashSeed)
        let order = (0..<Int32(entries.count)).sorted { left, right in
            let a = hashes[Int(left)]
            let b = hashes[Int(right)]
            return a != b ? a < b : left < right
        }
        var starts = [Int]()
        var leafHashes = [UInt32]()
        var used = Int.max / 2
        for (position, index) in order.enumerated() {
            let size = entries[Int(index)].size
            if used + size > Self.space * fill / 100 && used > 0 {
                let hash = UInt32(hashes[Int(index)] >> 32)
                let before = position > 0 ? UInt32(hashes[Int(order[position - 1])] >> 32) : nil
                // The low bit says that names of this hash stand in the leaf before, too.
                leafHashes.append(hash == before ? hash | 1 : hash)
                starts.append(position)
                used = 0
            }
            used += size
        }
        let nodes = starts.count <= Self.rootEntries ? 0 : (starts.count + Self.nodeEntries - 1) / Self.nodeEntries
        if nodes > Self.rootEntries {
            throw Failure("\(path): \(entries.count) names are too many for a directory of ext4")
        }
        form = .tree(order: order, leafStarts: starts, leafHashes: leafHashes)
        blocks = 1 + nodes + starts.count
    }

    /// Hash and minor hash of each name in one word.
    private static func hashes(_ entries: [DirectoryEntry], seed: [UInt32]) throws(Failure) -> [UInt64] {
        var result = [UInt64]()
        result.reserveCapacity(entries.count)
        for entry in entries {
            var hash: ext2_dirhash_t = 0
            var minor: ext2_dirhash_t = 0
            let code = entry.name.withUnsafeBytes { name in
                // Always the unsigned form: the plain one would follow the host's `char`.
                ext2fs_dirhash2(
                    EXT2_HASH_HALF_MD4_UNSIGNED, name.baseAddress?.assumingMemoryBound(to: CChar.self),
                    Int32(name.count), nil, 0, seed, &hash, &minor)
            }
            try check(code, "cannot hash a name")
            result.append(UInt64(hash) << 32 | UInt64(minor))
        }
        return result
    }

    /// Writes one block, all but its checksum; the buffer is zero before.
    func write(
        block: Int, of entries: [DirectoryEntry], inode: UInt32, parent: UInt32,
        into buffer: UnsafeMutableRawBufferPointer
    ) {
        guard case .tree(let order, let leafStarts, let leafHashes) = form else {
            let all = Self.selfAndParent(inode, parent) + entries
            Self.write(all, into: buffer)
            return
        }
        let nodes = blocks - 1 - leafStarts.count
        if block == 0 {
            Self.writeRoot(inode: inode, parent: parent, levels: nodes == 0 ? 0 : 1, into: buffer)
            let children =
                nodes == 0
                ? leafHashes.indices.map { (leafHashes[$0], UInt32(1 + $0)) }
                : (0..<nodes).map { (leafHashes[$0 * Self.nodeEntries], UInt32(1 + $0)) }
            Self.writeIndex(children, at: 32, limit: Self.rootEntries, into: buffer)
        } else if block <= nodes {
            buffer.storeBytes(of: UInt16(blockSize).littleEndian, toByteOffset: 4, as: UInt16.self)
            let first = (block - 1) * Self.nodeEntries
            let children = (first..<min(first + Self.nodeEntries, leafHashes.count)).map {
                (leafHashes[$0], UInt32(1 + nodes + $0))
            }
            Self.writeIndex(children, at: 8, limit: Self.nodeEntries, into: buffer)
        } else {
            let leaf = block - 1 - nodes
            let end = leaf + 1 < leafStarts.count ? leafStarts[leaf + 1] : order.count
            Self.write(order[leafStarts[leaf]..<end].map { entries[Int($0)] }, into: buffer)
        }
    }

    /// A block without names: one that a directory has in reserve.
    static func writeEmpty(into buffer: UnsafeMutableRawBufferPointer) {
        buffer.storeBytes(of: UInt16(space).littleEndian, toByteOffset: 4, as: UInt16.self)
        writeTail(into: buffer)
    }

    private static func selfAndParent(_ inode: UInt32, _ parent: UInt32) -> [DirectoryEntry] {
        [
            DirectoryEntry(name: [UInt8(ascii: ".")][...], inode: inode, type: DirectoryEntry.directory),
            DirectoryEntry(
                name: [UInt8(ascii: "."), UInt8(ascii: ".")][...], inode: parent, type: DirectoryEntry.directory),
        ]
    }

    /// Names one after another; the last reaches to the checksum.
    private static func write(_ entries: [DirectoryEntry], into buffer: UnsafeMutableRawBufferPointer) {
        var offset = 0
        for (index, entry) in entries.enumerated() {
            let length = index == entries.count - 1 ? space - offset : entry.size
            write(entry, length: length, at: offset, into: buffer)
            offset += length
        }
        writeTail(into: buffer)
    }

    private static func write(
        _ entry: DirectoryEntry, length: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
    ) {
        buffer.storeBytes(of: entry.inode.littleEndian, toByteOffset: offset, as: UInt32.self)
        buffer.storeBytes(of: UInt16(length).littleEndian, toByteOffset: offset + 4, as: UInt16.self)
        buffer[offset + 6] = UInt8(entry.name.count)
        buffer[offset + 7] = entry.type
        entry.name.withUnsafeBytes { name in
            UnsafeMutableRawBufferPointer(rebasing: buffer[(offset + 8)...]).copyMemory(from: name)
        }
    }

    /// A fake entry that holds the checksum (`struct ext2_dir_entry_tail`).
    private static func writeTail(into buffer: UnsafeMutableRawBufferPointer) {
        buffer.storeBytes(of: UInt16(12).littleEndian, toByteOffset: space + 4, as: UInt16.self)
        buffer.storeBytes(of: UInt16(EXT2_DIR_NAME_LEN_CSUM).littleEndian, toByteOffset: space + 6, as: UInt16.self)
    }

    /// `.`, a `..` that hides the rest of the block from readers without dir_index, and `struct ext2_dx_root_info`.
    private static func writeRoot(
        inode: UInt32, parent: UInt32, levels: UInt8, into buffer: UnsafeMutableRawBufferPointer
    ) {
        let both = selfAndParent(inode, parent)
        write(both[0], length: 12, at: 0, into: buffer)
        write(both[1], length: blockSize - 12, at: 12, into: buffer)
        buffer[28] = UInt8(EXT2_HASH_HALF_MD4)
        buffer[29] = 8
        buffer[30] = levels
    }

    /// `struct ext2_dx_countlimit` in place of the first entry's hash, then hash and block of each child.
    private static func writeIndex(
        _ children: [(hash: UInt32, block: UInt32)], at offset: Int, limit: Int,
        into buffer: UnsafeMutableRawBufferPointer
    ) {
        for (index, child) in children.enumerated() {
            buffer.storeBytes(of: child.hash.littleEndian, toByteOffset: offset + index * 8, as: UInt32.self)
            buffer.storeBytes(of: child.block.littleEndian, toByteOffset: offset + index * 8 + 4, as: UInt32.self)
        }
        buffer.storeBytes(of: UInt16(limit).littleEndian, toByteOffset: offset, as: UInt16.self)
        buffer.storeBytes(of: UInt16(children.count).littleEndian, toByteOffset: offset + 2, as: UInt16.self)
    }
}
