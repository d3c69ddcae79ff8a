// Verity: the hash tree by which a kernel checks each block of a read-only disk when it reads it (dm-verity, format
// version 1), as values and bytes.
//
// What lies behind the data is what `veritysetup format` writes: a block with the superblock (struct verity_sb of
// cryptsetup's lib/verity/verity.c), then the levels of the tree from the uppermost to the leaves (Linux,
// Documentation/admin-guide/device-mapper/verity.rst, "Hash Tree"). Data and hash blocks have 4,096 bytes; the hash is
// SHA-256 of the salt and the block; a hash block holds 128 of them and zeros behind the last one; the root hash is
// that of the only block of the uppermost level.
//
// This module reads and writes no file: it is given blocks and gives bytes. It does not know what the data is.
public import RootfsModel

/// The size of the data blocks and of the tree's, in bytes.
public let verityBlockSize = 4096
/// The size of a hash in bytes.
public let verityHashSize = 32
/// How many hashes a block of the tree holds.
let hashesPerBlock = verityBlockSize / verityHashSize

/// What makes a tree differ from that of the same data elsewhere.
public struct VerityIdentity: Hashable, Sendable {
    /// Comes before each block that is hashed; at most 256 bytes.
    public var salt: [UInt8]
    /// 16 bytes in the order in which they are written.
    public var uuid: [UInt8]

    /// The salt is SHA-256 of `rootfs-build verity salt`, NUL and the digest's 32 bytes; the UUID (version 8, RFC 9562)
    /// the first 16 bytes of that of `rootfs-build verity uuid`, NUL and the digest, with version and variant set.
    public init(derivedFrom digest: Digest) {
        func derived(_ domain: String) -> [UInt8] {
            Digest(hashing: Array(domain.utf8) + [0] + digest.bytes).bytes
        }
        salt = derived("rootfs-build verity salt")
        uuid = Array(derived("rootfs-build verity uuid").prefix(16))
        uuid[6] = uuid[6] & 0x0f | 0x80
        uuid[8] = uuid[8] & 0x3f | 0x80
    }

    init(salt: [UInt8], uuid: [UInt8]) {
        self.salt = salt
        self.uuid = uuid
    }

    /// The UUID as 8-4-4-4-12 hexadecimal digits.
    public var uuidText: String {
        let ends = [4, 6, 8, 10, 16]
        return zip([0] + ends, ends).map { hexText(uuid[$0..<$1]) }.joined(separator: "-")
    }
}
