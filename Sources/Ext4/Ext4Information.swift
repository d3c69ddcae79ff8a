import CExt2FS
import RootfsModel

/// What an image's superblock says.
public struct Ext4Information: Hashable, Sendable {
    /// Bytes that are no UTF-8 show as U+FFFD.
    public var label: String
    /// 16 bytes.
    public var uuid: [UInt8]
    public var blockSize: Int
    public var blocks: UInt64
    public var freeBlocks: UInt64
    public var inodes: UInt64
    public var freeInodes: UInt64
    /// By the names that mke2fs and tune2fs use, in the order of their bits.
    public var features: [String]
    /// When the file system was made, in seconds since 1970; 0 where the image does not say.
    public var moment: Int64
    /// Whether it was never mounted for writing, nor written to in another way that says so, since it was made.
    public var isAsMade: Bool
    /// The journal's size in bytes; nil for none, or one on another device.
    public var journal: UInt64?

    /// The UUID as 8-4-4-4-12 hexadecimal digits.
    public var uuidText: String {
        let ends = [4, 6, 8, 10, 16]
        return zip([0] + ends, ends).map { hexText(uuid[$0..<$1]) }.joined(separator: "-")
    }

    /// The names of the features by set and bit: compatible, incompatible, compatible for reading only.
    private static let names: [[Int: String]] = [
        [
            0: "dir_prealloc", 1: "imagic_inodes", 2: "has_journal", 3: "ext_attr", 4: "resize_inode", 5: "dir_index",
            6: "lazy_bg", 8: "snapshot_bitmap", 9: "sparse_super2", 10: "fast_commit", 11: "stable_inodes",
            12: "orphan_file",
        ],
        [
            0: "compression", 1: "filetype", 2: "needs_recovery", 3: "journal_dev", 4: "meta_bg", 6: "extent",
            7: "64bit", 8: "mmp", 9: "flex_bg", 10: "ea_inode", 12: "dirdata", 13: "metadata_csum_seed",
            14: "large_dir", 15: "inline_data", 16: "encrypt", 17: "casefold",
        ],
        [
            0: "sparse_super", 1: "large_file", 3: "huge_file", 4: "uninit_bg", 5: "dir_nlink", 6: "extra_isize",
            7: "snapshot", 8: "quota", 9: "bigalloc", 10: "metadata_csum", 11: "replica", 12: "read-only",
            13: "project", 14: "shared_blocks", 15: "verity", 16: "orphan_present",
        ],
    ]

    static func features(of superblock: ext2_super_block) -> [String] {
        let sets = [
            superblock.s_feature_compat, superblock.s_feature_incompat, superblock.s_feature_ro_compat,
        ]
        let kinds = ["compat", "incompat", "ro_compat"]
        return sets.indices.flatMap { set in
            (0..<32).compactMap { bit in
                if sets[set] >> UInt32(bit) & 1 == 0 { return nil }
                return names[set][bit] ?? "\(kinds[set])_bit_\(bit)"
            }
        }
    }
}
