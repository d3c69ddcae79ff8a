public import RootfsModel
public import Verity

/// How an image is made: all that is not the tree.
public struct Ext4Options: Hashable, Sendable {
    /// How large the file system is.
    public enum Size: Hashable, Sendable {
        /// Exactly this many bytes, a multiple of 4,096.
        case fixed(bytes: UInt64)
        /// As large as the files need and this many bytes more for the user of the mounted file system: the
        /// kernel withholds min(2 %, 16 MiB) for itself, which is added. 0 is as small as it can be.
        case free(bytes: UInt64)
    }

    /// Where the file system's UUID comes from.
    public enum Identity: Hashable, Sendable {
        /// This UUID, 16 bytes in the order in which it is written.
        case uuid([UInt8])
        /// UUID version 8 (RFC 9562): the first 16 bytes of SHA-256 of `rootfs-build ext4 uuid`, NUL and the
        /// digest's 32 bytes, with the version and variant bits set.
        case derived(from: Digest)
    }

    /// At most 16 bytes of UTF-8.
    public var label: String
    public var identity: Identity
    /// The time of making in seconds since 1970: mkfs time, last check, last write, times of the inodes that no
    /// path shows. 1 ... 4,294,967,295; ext4 has no word for 0.
    public var moment: Int64
    public var size: Size
    /// The journal's size in MiB, at least 4; nil for none.
    public var journal: Int?
    /// That nobody will write to the file system: directories are filled to the brim and there are no spare
    /// inodes, no room for resizing and no separate checksum seed.
    public var isReadOnly: Bool
    /// Whose hash tree is put behind the file system; nil for none.
    public var verity: VerityIdentity?

    public init(
        label: String = "", identity: Identity, moment: Int64, size: Size, journal: Int? = nil,
        isReadOnly: Bool = false, verity: VerityIdentity? = nil
    ) {
        self.label = label
        self.identity = identity
        self.moment = moment
        self.size = size
        self.journal = journal
        self.isReadOnly = isReadOnly
        self.verity = verity
    }

    /// The 16 bytes of the UUID.
    public var uuid: [UInt8] {
        switch identity {
        case .uuid(let bytes): return bytes
        case .derived(let digest):
            var bytes = Self.seed("rootfs-build ext4 uuid", digest.bytes)
            bytes[6] = bytes[6] & 0x0f | 0x80
            bytes[8] = bytes[8] & 0x3f | 0x80
            return bytes
        }
    }

    /// The seed of the directory hashes and of the metadata's checksums: the first 16 bytes of SHA-256 of
    /// `rootfs-build ext4 hash seed`, NUL and the label. The content has no part in it, for every inode and every
    /// directory would change with it.
    public var hashSeed: [UInt8] { Self.seed("rootfs-build ext4 hash seed", Array(label.utf8)) }

    private static func seed(_ domain: String, _ bytes: [UInt8]) -> [UInt8] {
        Array(Digest(hashing: Array(domain.utf8) + [0] + bytes).bytes.prefix(16))
    }

    /// Throws for what no image can be made of.
    func validate() throws(Failure) {
        if label.utf8.count > 16 || label.utf8.contains(0) {
            throw Failure("the image label “\(label)” has \(label.utf8.count) bytes; ext4 holds 16")
        }
        if case .uuid(let bytes) = identity, bytes.count != 16 {
            throw Failure("the image UUID has \(bytes.count) bytes, not 16")
        }
        if moment < 1 || moment > Int64(UInt32.max) {
            throw Failure(
                "the moment \(moment) cannot be an ext4 file system's time of making",
                hint: "it is in seconds since 1970, from 1 to \(UInt32.max)")
        }
        if case .fixed(let bytes) = size, bytes == 0 || bytes % UInt64(blockSize) != 0 || bytes > 1 << 46 {
            throw Failure(
                "an ext4 image cannot have \(bytes) bytes", hint: "take a multiple of \(blockSize), at most 64 TiB")
        }
        if case .free(let bytes) = size, bytes > 1 << 45 {
            throw Failure("an ext4 image cannot have \(bytes) bytes free", hint: "at most 32 TiB")
        }
        if verity != nil && !isReadOnly {
            throw Failure("a hash tree over a file system that is written to would soon be wrong")
        }
        if let journal, journal < 4 || journal > 32_768 {
            throw Failure("a journal of \(journal) MiB is not possible", hint: "from 4 to 32,768 MiB, or none")
        }
    }
}

/// What was written.
public struct Ext4Image: Hashable, Sendable {
    /// SHA-256 of the image file, holes included.
    public var digest: Digest
    /// The image file's size in bytes, with the hash tree.
    public var size: UInt64
    /// The blocks of the file system, 4,096 bytes each.
    public var blocks: UInt64
    /// Inodes in all.
    public var inodes: UInt64
    public var freeInodes: UInt64
    /// Bytes in free blocks, before the kernel withholds its part.
    public var freeBytes: UInt64
    /// The hash tree behind the file system, where one was asked for.
    public var hashTree: HashTree?
}

/// The block size of every image that the writer makes.
let blockSize = ContentTraits.blockSize

/// How many blocks hold so many bytes.
func blockCount(_ bytes: UInt64) -> UInt64 {
    bytes / UInt64(blockSize) + (bytes % UInt64(blockSize) == 0 ? 0 : 1)
}
