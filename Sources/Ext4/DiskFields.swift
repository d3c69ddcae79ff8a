// The fields of ext4's structures on the disk by name, for telling what differs
// (Linux, Documentation/filesystems/ext4: super, group_descr, inodes).

import RootfsModel

/// A field of a structure: where it is, in bytes.
struct DiskField {
    var name: String
    var offset: Int
    var size: Int
    /// That it follows from other bytes: a checksum, or what is derived from the content hash.
    var isDerived: Bool

    init(_ name: String, _ offset: Int, _ size: Int, derived: Bool = false) {
        self.name = name
        self.offset = offset
        self.size = size
        isDerived = derived
    }

    /// The bytes as a little-endian number, in decimal; in hexadecimal as they stand where they are more than eight.
    func text(of bytes: ArraySlice<UInt8>) -> String {
        let part = bytes.dropFirst(offset).prefix(size)
        if size > 8 { return hexText(part) }
        return String(part.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    /// The fields in which two structures of the same kind differ; bytes that no field has are `byte N`.
    static func differing(
        _ fields: [DiskField], _ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>
    ) -> [DiskField] {
        let places = zip(left, right).enumerated().filter { $0.element.0 != $0.element.1 }.map(\.offset)
        var found = [DiskField]()
        for place in places {
            let field =
                fields.first { place >= $0.offset && place < $0.offset + $0.size }
                ?? DiskField("byte \(place)", place, 1)
            if found.last?.name != field.name { found.append(field) }
        }
        return found
    }

    static let superblock = [
        DiskField("inodes count", 0x00, 4), DiskField("blocks count, low", 0x04, 4),
        DiskField("reserved blocks, low", 0x08, 4), DiskField("free blocks, low", 0x0c, 4),
        DiskField("free inodes", 0x10, 4), DiskField("first data block", 0x14, 4),
        DiskField("block size", 0x18, 4), DiskField("cluster size", 0x1c, 4),
        DiskField("blocks per group", 0x20, 4), DiskField("clusters per group", 0x24, 4),
        DiskField("inodes per group", 0x28, 4), DiskField("mount time", 0x2c, 4),
        DiskField("write time", 0x30, 4), DiskField("mount count", 0x34, 2),
        DiskField("largest mount count", 0x36, 2), DiskField("magic", 0x38, 2), DiskField("state", 0x3a, 2),
        DiskField("errors behaviour", 0x3c, 2), DiskField("minor revision", 0x3e, 2),
        DiskField("last check", 0x40, 4), DiskField("check interval", 0x44, 4), DiskField("creator", 0x48, 4),
        DiskField("revision", 0x4c, 4), DiskField("reserved uid", 0x50, 2), DiskField("reserved gid", 0x52, 2),
        DiskField("first inode", 0x54, 4), DiskField("inode size", 0x58, 2), DiskField("group of this", 0x5a, 2),
        DiskField("compatible features", 0x5c, 4), DiskField("incompatible features", 0x60, 4),
        DiskField("read-only features", 0x64, 4), DiskField("UUID", 0x68, 16, derived: true),
        DiskField("label", 0x78, 16), DiskField("last mounted", 0x88, 64), DiskField("compression", 0xc8, 4),
        DiskField("preallocated blocks", 0xcc, 1), DiskField("preallocated directory blocks", 0xcd, 1),
        DiskField("reserved GDT blocks", 0xce, 2), DiskField("journal UUID", 0xd0, 16),
        DiskField("journal inode", 0xe0, 4), DiskField("journal device", 0xe4, 4),
        DiskField("last orphan", 0xe8, 4), DiskField("hash seed", 0xec, 16),
        DiskField("hash version", 0xfc, 1), DiskField("journal backup type", 0xfd, 1),
        DiskField("descriptor size", 0xfe, 2), DiskField("default mount options", 0x100, 4),
        DiskField("first meta group", 0x104, 4), DiskField("time of making", 0x108, 4),
        DiskField("journal blocks", 0x10c, 68), DiskField("blocks count, high", 0x150, 4),
        DiskField("reserved blocks, high", 0x154, 4), DiskField("free blocks, high", 0x158, 4),
        DiskField("least extra inode size", 0x15c, 2), DiskField("wanted extra inode size", 0x15e, 2),
        DiskField("flags", 0x160, 4), DiskField("RAID stride", 0x164, 2), DiskField("MMP interval", 0x166, 2),
        DiskField("MMP block", 0x168, 8), DiskField("RAID width", 0x170, 4), DiskField("groups per flex", 0x174, 1),
        DiskField("checksum type", 0x175, 1), DiskField("encryption level", 0x176, 1),
        DiskField("written KiB", 0x178, 8), DiskField("snapshot inode", 0x180, 4),
        DiskField("snapshot id", 0x184, 4), DiskField("snapshot reserve", 0x188, 8),
        DiskField("snapshot list", 0x190, 4), DiskField("error count", 0x194, 4),
        DiskField("first error", 0x198, 52), DiskField("last error", 0x1cc, 52),
        DiskField("mount options", 0x200, 64), DiskField("user quota inode", 0x240, 4),
        DiskField("group quota inode", 0x244, 4), DiskField("overhead", 0x248, 4),
        DiskField("backup groups", 0x24c, 8), DiskField("encryption algorithms", 0x254, 4),
        DiskField("encryption salt", 0x258, 16), DiskField("lost+found inode", 0x268, 4),
        DiskField("project quota inode", 0x26c, 4), DiskField("checksum seed", 0x270, 4, derived: true),
        DiskField("write time, high", 0x274, 1), DiskField("mount time, high", 0x275, 1),
        DiskField("time of making, high", 0x276, 1), DiskField("last check, high", 0x277, 1),
        DiskField("first error time, high", 0x278, 1), DiskField("last error time, high", 0x279, 1),
        DiskField("encoding", 0x27c, 2), DiskField("encoding flags", 0x27e, 2),
        DiskField("orphan file inode", 0x280, 4), DiskField("checksum", 0x3fc, 4, derived: true),
    ]

    static let groupDescriptor = [
        DiskField("block bitmap, low", 0x00, 4), DiskField("inode bitmap, low", 0x04, 4),
        DiskField("inode table, low", 0x08, 4), DiskField("free blocks, low", 0x0c, 2),
        DiskField("free inodes, low", 0x0e, 2), DiskField("directories, low", 0x10, 2), DiskField("flags", 0x12, 2),
        DiskField("exclude bitmap, low", 0x14, 4), DiskField("block bitmap checksum, low", 0x18, 2, derived: true),
        DiskField("inode bitmap checksum, low", 0x1a, 2, derived: true), DiskField("unused inodes, low", 0x1c, 2),
        DiskField("checksum", 0x1e, 2, derived: true), DiskField("block bitmap, high", 0x20, 4),
        DiskField("inode bitmap, high", 0x24, 4), DiskField("inode table, high", 0x28, 4),
        DiskField("free blocks, high", 0x2c, 2), DiskField("free inodes, high", 0x2e, 2),
        DiskField("directories, high", 0x30, 2), DiskField("unused inodes, high", 0x32, 2),
        DiskField("exclude bitmap, high", 0x34, 4), DiskField("block bitmap checksum, high", 0x38, 2, derived: true),
        DiskField("inode bitmap checksum, high", 0x3a, 2, derived: true),
    ]

    static let inode = [
        DiskField("mode", 0x00, 2), DiskField("uid, low", 0x02, 2), DiskField("size, low", 0x04, 4),
        DiskField("access time", 0x08, 4), DiskField("change time", 0x0c, 4), DiskField("modification time", 0x10, 4),
        DiskField("deletion time", 0x14, 4), DiskField("gid, low", 0x18, 2), DiskField("links", 0x1a, 2),
        DiskField("blocks, low", 0x1c, 4), DiskField("flags", 0x20, 4), DiskField("version, low", 0x24, 4),
        DiskField("block map", 0x28, 60), DiskField("generation", 0x64, 4),
        DiskField("attribute block, low", 0x68, 4), DiskField("size, high", 0x6c, 4),
        DiskField("blocks, high", 0x74, 2), DiskField("attribute block, high", 0x76, 2),
        DiskField("uid, high", 0x78, 2), DiskField("gid, high", 0x7a, 2),
        DiskField("checksum, low", 0x7c, 2, derived: true), DiskField("extra size", 0x80, 2),
        DiskField("checksum, high", 0x82, 2, derived: true), DiskField("change time, extra", 0x84, 4),
        DiskField("modification time, extra", 0x88, 4), DiskField("access time, extra", 0x8c, 4),
        DiskField("creation time", 0x90, 4), DiskField("creation time, extra", 0x94, 4),
        DiskField("version, high", 0x98, 4), DiskField("project", 0x9c, 4), DiskField("attributes", 0xa0, 96),
    ]
}
