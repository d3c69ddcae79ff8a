import RootfsModel

/// One extended attribute as the disk has it: the number of its prefix, the rest of its name, and its value (ACLs
/// in ext4's own form).
struct DiskAttribute {
    var prefix: UInt8
    var name: [UInt8]
    var value: [UInt8]

    /// `ext4_xattr_handler_map` in the kernel; more specific names first.
    static let prefixes: [(number: UInt8, text: String)] = [
        (2, "system.posix_acl_access"), (3, "system.posix_acl_default"), (8, "system.richacl"),
        (6, "security."), (4, "trusted."), (7, "system."), (1, "user."),
    ]

    init(prefix: UInt8, name: [UInt8], value: [UInt8]) {
        self.prefix = prefix
        self.name = name
        self.value = value
    }

    init(_ attribute: ExtendedAttribute, of path: TreePath) throws(Failure) {
        let known = Self.prefixes.first { candidate in
            candidate.text.hasSuffix(".") ? attribute.name.hasPrefix(candidate.text) : attribute.name == candidate.text
        }
        guard let known else {
            throw Failure(
                "\(path): ext4 cannot hold an extended attribute named \(attribute.name)",
                hint: "names start with user., trusted., security. or system.")
        }
        let rest = Array(attribute.name.utf8.dropFirst(known.text.utf8.count))
        if rest.count > 255 || rest.contains(0) || rest.isEmpty && known.text.hasSuffix(".") {
            throw Failure("\(path): ext4 cannot hold an extended attribute named \(attribute.name)")
        }
        var value = attribute.value
        if known.number == 2 || known.number == 3 {
            guard let disk = AccessControlList.disk(fromAttribute: value) else {
                throw Failure("\(path): its \(attribute.name) is no access control list")
            }
            value = disk
        }
        self.init(prefix: known.number, name: rest, value: value)
    }

    /// The attribute as getxattr(2) would give it; nil where its prefix or its value means nothing.
    var attribute: ExtendedAttribute? {
        guard let known = Self.prefixes.first(where: { $0.number == prefix }) else { return nil }
        guard let full = String(validating: Array(known.text.utf8) + name, as: UTF8.self) else { return nil }
        guard prefix == 2 || prefix == 3 else { return ExtendedAttribute(name: full, value: value) }
        guard let list = AccessControlList.attribute(fromDisk: value) else { return nil }
        return ExtendedAttribute(name: full, value: list)
    }

    /// The bytes it takes: 16 and the name, then the value, each rounded up to 4.
    var size: Int { 16 + rounded(name.count) + rounded(value.count) }

    /// The hash of name and value that stands in an attribute block.
    var hash: UInt32 {
        var hash = name.reduce(0) { (hash: UInt32, byte) in hash << 5 ^ hash >> 27 ^ UInt32(byte) }
        for start in stride(from: 0, to: value.count, by: 4) {
            var word: UInt32 = 0
            for index in start..<min(start + 4, value.count) {
                word |= UInt32(value[index]) << UInt32((index - start) * 8)
            }
            hash = hash << 16 ^ hash >> 16 ^ word
        }
        return hash
    }

    /// The order that the kernel wants in a block.
    static func precedes(_ left: DiskAttribute, _ right: DiskAttribute) -> Bool {
        if left.prefix != right.prefix { return left.prefix < right.prefix }
        if left.name.count != right.name.count { return left.name.count < right.name.count }
        return left.name.lexicographicallyPrecedes(right.name)
    }
}

private func rounded(_ count: Int) -> Int { (count + 3) & ~3 }

/// A node's attributes, parted into those behind the inode and those in a block of their own.
struct AttributeLayout {
    /// 256-byte inodes, 160 of them fields, 4 magic; 4 bytes of zeros end a list.
    static let inodeSpace = 256 - 160 - 4 - 4
    static let blockSpace = blockSize - 32 - 4
    static let magic: UInt32 = 0xea02_0000

    private(set) var inInode = [DiskAttribute]()
    private(set) var inBlock = [DiskAttribute]()

    init(_ node: FileNode) throws(Failure) {
        var inodeLeft = Self.inodeSpace
        var blockLeft = Self.blockSpace
        var names = Set<String>()
        for attribute in node.metadata.xattrs {
            let disk = try DiskAttribute(attribute, of: node.path)
            if !names.insert(attribute.name).inserted {
                throw Failure("\(node.path): the extended attribute \(attribute.name) comes twice")
            }
            if disk.size <= inodeLeft {
                inodeLeft -= disk.size
                inInode.append(disk)
            } else {
                blockLeft -= disk.size
                inBlock.append(disk)
            }
        }
        if blockLeft < 0 {
            throw Failure(
                "\(node.path): its extended attributes are too large for ext4",
                notes: [
                    "\(Self.inodeSpace) bytes fit into the inode and \(Self.blockSpace) into a block; "
                        + "\(-blockLeft) bytes are too many"
                ])
        }
        inBlock.sort(by: DiskAttribute.precedes)
    }

    /// The part behind the inode, from the magic number on; empty where there is nothing.
    func writeInode(into area: UnsafeMutableRawBufferPointer) {
        if inInode.isEmpty { return }
        area.storeBytes(of: Self.magic.littleEndian, as: UInt32.self)
        let entries = UnsafeMutableRawBufferPointer(rebasing: area[4...])
        Self.write(inInode, into: entries, at: 0, hashing: false)
    }

    /// The attribute block, all but its checksum.
    func writeBlock(into block: UnsafeMutableRawBufferPointer) {
        block.storeBytes(of: Self.magic.littleEndian, as: UInt32.self)
        block.storeBytes(of: UInt32(1).littleEndian, toByteOffset: 4, as: UInt32.self)
        block.storeBytes(of: UInt32(1).littleEndian, toByteOffset: 8, as: UInt32.self)
        var hash: UInt32 = 0
        for attribute in inBlock {
            if attribute.hash == 0 {
                hash = 0
                break
            }
            hash = hash << 16 ^ hash >> 16 ^ attribute.hash
        }
        block.storeBytes(of: hash.littleEndian, toByteOffset: 12, as: UInt32.self)
        Self.write(inBlock, into: block, at: 32, hashing: true)
    }

    /// Entries from `start` on, values from the end down; the buffer is zero before.
    private static func write(
        _ attributes: [DiskAttribute], into buffer: UnsafeMutableRawBufferPointer, at start: Int, hashing: Bool
    ) {
        var entry = start
        var end = buffer.count
        for attribute in attributes {
            end -= rounded(attribute.value.count)
            buffer[entry] = UInt8(attribute.name.count)
            buffer[entry + 1] = attribute.prefix
            let offset = attribute.value.isEmpty ? 0 : UInt16(end)
            buffer.storeBytes(of: offset.littleEndian, toByteOffset: entry + 2, as: UInt16.self)
            buffer.storeBytes(of: UInt32(attribute.value.count).littleEndian, toByteOffset: entry + 8, as: UInt32.self)
            if hashing { buffer.storeBytes(of: attribute.hash.littleEndian, toByteOffset: entry + 12, as: UInt32.self) }
            for (index, byte) in attribute.name.enumerated() { buffer[entry + 16 + index] = byte }
            for (index, byte) in attribute.value.enumerated() { buffer[end + index] = byte }
            entry += 16 + rounded(attribute.name.count)
        }
    }
}

/// POSIX access control lists: as getxattr(2) gives them, and as ext4 stores them (without the id that only named
/// users and groups have).
enum AccessControlList {
    private static let user: UInt16 = 0x02, group: UInt16 = 0x08
    private static let nameless: Set<UInt16> = [0x01, 0x04, 0x10, 0x20]

    static func disk(fromAttribute value: [UInt8]) -> [UInt8]? {
        guard value.count >= 4, value.count % 8 == 4, word(value, 0) == 2 else { return nil }
        var result: [UInt8] = [1, 0, 0, 0]
        for entry in stride(from: 4, to: value.count, by: 8) {
            let tag = UInt16(value[entry]) | UInt16(value[entry + 1]) << 8
            if tag == user || tag == group {
                result += value[entry..<entry + 8]
            } else if nameless.contains(tag) {
                result += value[entry..<entry + 4]
            } else {
                return nil
            }
        }
        return result
    }

    static func attribute(fromDisk value: [UInt8]) -> [UInt8]? {
        guard value.count >= 4, word(value, 0) == 1 else { return nil }
        var result: [UInt8] = [2, 0, 0, 0]
        var entry = 4
        while entry < value.count {
            guard value.count - entry >= 4 else { return nil }
            let tag = UInt16(value[entry]) | UInt16(value[entry + 1]) << 8
            if tag == user || tag == group {
                guard value.count - entry >= 8 else { return nil }
                result += value[entry..<entry + 8]
                entry += 8
            } else if nameless.contains(tag) {
                // The kernel shows ACL_UNDEFINED_ID.
                result += value[entry..<entry + 4] + [0xff, 0xff, 0xff, 0xff]
                entry += 4
            } else {
                return nil
            }
        }
        return result
    }

    private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32($1 * 8) }
    }
}
