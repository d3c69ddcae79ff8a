import CExt2FS
import RootfsModel

/// Extended attributes and data that stands in the inode.
extension Ext4Reader {
    private static let maximalValue = 1 << 16

    /// All attributes as getxattr(2) would give them, unsorted. The kernel hides those with unknown prefixes, and so do
    /// we.
    func attributes(of inode: DiskInode, at path: TreePath) throws(Failure) -> [ExtendedAttribute] {
        var result = [ExtendedAttribute]()
        for disk in try diskAttributes(of: inode, at: path) {
            if inode.hasInlineData && Self.isInlineRest(disk) { continue }
            if !DiskAttribute.prefixes.contains(where: { $0.number == disk.prefix }) { continue }
            guard let attribute = disk.attribute else { throw failure("\(path) has a damaged attribute") }
            result.append(attribute)
        }
        return result
    }

    private static func isInlineRest(_ attribute: DiskAttribute) -> Bool {
        attribute.prefix == 7 && attribute.name.elementsEqual("data".utf8)
    }

    /// The part of inline data that does not fit into the block map.
    func inlineRest(of inode: DiskInode, at path: TreePath) throws(Failure) -> [UInt8] {
        try diskAttributes(of: inode, at: path).first { Self.isInlineRest($0) }?.value ?? []
    }

    /// The content of a file or link that stands in the inode.
    func inlineData(of inode: DiskInode, at path: TreePath) throws(Failure) -> [UInt8] {
        let all = Array(inode.blockMap) + (try inlineRest(of: inode, at: path))
        guard inode.size <= UInt64(all.count) else {
            throw failure("\(path) claims \(inode.size) bytes and has \(all.count) in its inode")
        }
        return Array(all.prefix(Int(inode.size)))
    }

    private func diskAttributes(of inode: DiskInode, at path: TreePath) throws(Failure) -> [DiskAttribute] {
        var result = [DiskAttribute]()
        let start = 128 + inode.extraSize
        if inode.extraSize >= 4, inode.extraSize % 4 == 0, start + 8 <= inode.bytes.count,
            inode.word(start) == AttributeLayout.magic
        {
            result += try parse(Array(inode.bytes[(start + 4)...]), from: 0, at: path)
        }
        if inode.attributeBlock != 0 {
            guard inode.attributeBlock < blocks else { throw failure("the attributes of \(path) are beyond the end") }
            var bytes = [UInt8](repeating: 0, count: blockSize)
            let code = bytes.withUnsafeMutableBytes {
                ext2fs_read_ext_attr3(fs, inode.attributeBlock, $0.baseAddress, inode.number)
            }
            if code != 0 { throw failure("the attributes of \(path): \(libraryMessage(code))") }
            let magic = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[$1]) << UInt32($1 * 8) }
            if magic != AttributeLayout.magic { throw failure("the attributes of \(path) are damaged") }
            result += try parse(bytes, from: 32, at: path)
        }
        return result
    }

    /// The entries from `start` on; the offsets of values count from the start of the bytes.
    private func parse(_ bytes: [UInt8], from start: Int, at path: TreePath) throws(Failure) -> [DiskAttribute] {
        func half(_ offset: Int) -> Int { Int(bytes[offset]) | Int(bytes[offset + 1]) << 8 }
        func word(_ offset: Int) -> Int { half(offset) | half(offset + 2) << 16 }
        var result = [DiskAttribute]()
        var entry = start
        while entry + 4 <= bytes.count, word(entry) != 0 {
            guard entry + 16 <= bytes.count else { throw failure("the attributes of \(path) are damaged") }
            let nameLength = Int(bytes[entry])
            let offset = half(entry + 2)
            let inode = word(entry + 4)
            let length = word(entry + 8)
            let nameEnd = entry + 16 + nameLength
            guard nameEnd <= bytes.count, length <= Self.maximalValue, inode != 0 || offset + length <= bytes.count
            else {
                throw failure("the attributes of \(path) are damaged")
            }
            let value =
                inode == 0
                ? Array(bytes[offset..<offset + length]) : try value(inInode: UInt32(inode), length, of: path)
            result.append(
                DiskAttribute(prefix: bytes[entry + 1], name: Array(bytes[entry + 16..<nameEnd]), value: value))
            entry += 16 + (nameLength + 3) & ~3
        }
        return result
    }

    /// A large value has an inode of its own (ea_inode).
    private func value(inInode number: UInt32, _ length: Int, of path: TreePath) throws(Failure) -> [UInt8] {
        let inode = try inode(number)
        guard inode.flags & UInt32(EXT4_EA_INODE_FL) != 0, inode.isFile, inode.size == UInt64(length) else {
            throw failure("the attributes of \(path) are damaged")
        }
        var bytes = [UInt8](repeating: 0, count: length)
        for run in try runs(of: inode, at: path) {
            for index in 0..<Int(run.count) {
                let start = (Int(run.logical) + index) * blockSize
                if start >= length { break }
                let data = try block(run.physical + UInt64(index), "an attribute of \(path)")
                bytes.replaceSubrange(start..<min(length, start + blockSize), with: data.prefix(length - start))
            }
        }
        return bytes
    }
}
