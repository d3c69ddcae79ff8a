import CExt2FS
import RootfsModel

/// What jbd2 has on the disk, big-endian throughout (Documentation/filesystems/ext4/journal.rst of the kernel).
enum JournalFormat {
    static let magic: UInt32 = 0xc03b_3998
    static let descriptor: UInt32 = 1
    static let commit: UInt32 = 2
    static let oldSuperblock: UInt32 = 3
    static let superblock: UInt32 = 4
    static let revocation: UInt32 = 5
}

/// The bytes of a block of the journal, read as it has them.
struct JournalBytes {
    var bytes: [UInt8]

    func half(_ offset: Int) -> UInt16 { UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1]) }
    func word(_ offset: Int) -> UInt32 { UInt32(half(offset)) << 16 | UInt32(half(offset + 2)) }
    func long(_ offset: Int) -> UInt64 { UInt64(word(offset)) << 32 | UInt64(word(offset + 4)) }

    /// The type of a block that belongs to a transaction; nil for any other block.
    func type(in sequence: UInt32) -> UInt32? {
        word(0) == JournalFormat.magic && word(8) == sequence ? word(4) : nil
    }

    /// The CRC-32C of a block in which the checksum itself stands at an offset, which counts as zero.
    func checksum(seed: UInt32, besides offset: Int) -> UInt32 {
        var copy = bytes
        copy.replaceSubrange(offset..<offset + 4, with: [0, 0, 0, 0])
        return ext2fs_crc32c_le(seed, copy, copy.count)
    }
}

/// The first block of a journal.
struct JournalSuperblock {
    struct Features: OptionSet {
        var rawValue: UInt32
        static let revocations = Features(rawValue: 1)
        /// Block numbers of 64 bits.
        static let wide = Features(rawValue: 2)
        /// A commit block may reach the disk before what it commits: its checksum tells.
        static let asynchronousCommits = Features(rawValue: 4)
        static let checksums2 = Features(rawValue: 8)
        static let checksums3 = Features(rawValue: 16)
        static let fastCommits = Features(rawValue: 32)
        static let known: Features = [
            .revocations, .wide, .asynchronousCommits, .checksums2, .checksums3, .fastCommits,
        ]
    }

    /// The journal's length in blocks, and the first and the one behind the last that transactions are written to.
    let length: UInt32
    let first: UInt32
    let end: UInt32
    /// The first transaction that may not be in place yet, and its block; 0 for none.
    let sequence: UInt32
    let start: UInt32
    let features: Features
    /// Whether commit blocks have the CRC-32 of their transaction (the form before checksums of each block).
    let hasTransactionChecksums: Bool
    /// What all CRC-32C begin with.
    let seed: UInt32

    /// - Parameters:
    ///   - available: how many blocks the journal's file has.
    ///   - fail: makes a failure of a clause about the journal.
    init(
        _ block: JournalBytes, blockSize: Int, available: UInt64, fail: (String) -> Failure
    ) throws(Failure) {
        let type = block.word(4)
        guard block.word(0) == JournalFormat.magic,
            [JournalFormat.oldSuperblock, JournalFormat.superblock].contains(type)
        else { throw fail("its journal does not begin as one") }
        let isOld = type == JournalFormat.oldSuperblock
        features = Features(rawValue: isOld ? 0 : block.word(0x28))
        hasTransactionChecksums = !isOld && block.word(0x24) & 1 != 0
        let unknown = features.subtracting(.known)
        if !unknown.isEmpty { throw fail("its journal has features that are not known: \(unknown.rawValue)") }
        seed = ext2fs_crc32c_le(.max, Array(block.bytes[0x30..<0x40]), 16)
        if features.contains(.checksums2) && features.contains(.checksums3) {
            throw fail("its journal says two kinds of checksums")
        }
        if !features.isDisjoint(with: [.checksums2, .checksums3]) {
            // CRC-32C alone is defined, as type 4.
            guard block.bytes[0x50] == 4 else {
                throw fail("its journal has checksums of type \(block.bytes[0x50]), which are not known")
            }
            let head = JournalBytes(bytes: Array(block.bytes[..<1024]))
            guard head.checksum(seed: .max, besides: 0xfc) == block.word(0xfc) else {
                throw fail("its journal's first block does not match its checksum")
            }
        }
        guard block.word(0x0c) == UInt32(blockSize) else {
            throw fail("its journal has blocks of \(block.word(0x0c)) bytes, the image of \(blockSize)")
        }
        length = block.word(0x10)
        first = block.word(0x14)
        sequence = block.word(0x18)
        start = block.word(0x1c)
        guard UInt64(length) <= available else {
            throw fail("its journal claims \(length) blocks and has \(available)")
        }
        var end = length
        if features.contains(.fastCommits) {
            let count = block.word(0x54) == 0 ? 256 : block.word(0x54)
            // The kernel leaves a journal as it is that would become too short.
            if count <= length, length - count >= 1024 { end = length - count }
        }
        self.end = end
        guard first > 0, first < end, start == 0 || (first..<end).contains(start) else {
            throw fail("its journal's first block is damaged")
        }
    }

    var hasBlockChecksums: Bool { !features.isDisjoint(with: [.checksums2, .checksums3]) }

    /// How many bytes of a descriptor's entry come before the UUID that may follow it.
    var tagSize: Int {
        if features.contains(.checksums3) { return 16 }
        let size = features.contains(.checksums2) ? 14 : 12
        return features.contains(.wide) ? size : size - 4
    }

    /// The block that follows one, in the circle that transactions are written to.
    func next(after position: UInt32) -> UInt32 { position + 1 == end ? first : position + 1 }

    /// Whether a descriptor or revocation block is as it was written.
    func isSound(_ block: JournalBytes) -> Bool {
        if !hasBlockChecksums { return true }
        let place = block.bytes.count - 4
        return block.checksum(seed: seed, besides: place) == block.word(place)
    }
}

/// What one entry of a descriptor block says: a block of the file system, as it stands in the journal.
struct JournalTag {
    /// The block of the file system.
    var target: UInt64
    /// The journal's block.
    var position: UInt32
    /// Whether its first four bytes were the journal's magic number, and are zero in the journal.
    var isEscaped: Bool
    /// The checksum that it says; of the second kind only 16 bits.
    var checksum: UInt32

    /// The entries of a descriptor block, with their positions still to be told.
    static func parse(_ block: JournalBytes, _ superblock: JournalSuperblock) -> [JournalTag] {
        var tags = [JournalTag]()
        let end = block.bytes.count - (superblock.hasBlockChecksums ? 4 : 0)
        var offset = 12
        while offset + superblock.tagSize <= end {
            let flags = block.half(offset + 6)
            let high = superblock.features.contains(.wide) ? UInt64(block.word(offset + 8)) << 32 : 0
            tags.append(
                JournalTag(
                    target: UInt64(block.word(offset)) | high, position: 0, isEscaped: flags & 1 != 0,
                    checksum: superblock.features.contains(.checksums3)
                        ? block.word(offset + 12) : UInt32(block.half(offset + 4))))
            offset += superblock.tagSize + (flags & 2 == 0 ? 16 : 0)
            if flags & 8 != 0 { break }
        }
        return tags
    }

    /// Whether the block that the journal has is the one that was written to it.
    func matches(_ bytes: [UInt8], in sequence: UInt32, _ superblock: JournalSuperblock) -> Bool {
        if !superblock.hasBlockChecksums { return true }
        let number = (0..<4).map { UInt8(truncatingIfNeeded: sequence >> UInt32(24 - $0 * 8)) }
        let found = ext2fs_crc32c_le(ext2fs_crc32c_le(superblock.seed, number, 4), bytes, bytes.count)
        return superblock.features.contains(.checksums3) ? found == checksum : found & 0xffff == checksum
    }
}
