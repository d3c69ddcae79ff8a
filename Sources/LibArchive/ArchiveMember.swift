public import RootfsModel

/// One member of an archive, as its header says.
public struct ArchiveMember: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// A regular file of so many bytes, as the header claims.
        case file(size: UInt64)
        case directory
        case symbolicLink([UInt8])
        /// Another name of an earlier member: that member's name as written.
        case hardLink([UInt8])
        case characterDevice(major: UInt32, minor: UInt32)
        case blockDevice(major: UInt32, minor: UInt32)
        case fifo
        /// Something else; the format bits of its mode.
        case other(UInt32)
    }

    /// The name as written in the archive: any bytes, possibly absolute or with `..`.
    public var name: [UInt8]
    public var kind: Kind
    /// 0 ... 0o7777.
    public var mode: UInt16
    public var uid: Int64
    public var gid: Int64
    /// The owner by name; empty where the archive has none.
    public var userName: [UInt8]
    public var groupName: [UInt8]
    public var mtime: Timestamp
    /// Sorted by name.
    public var xattrs: [ExtendedAttribute]
    /// Whether it is stored with holes.
    public var isSparse: Bool
    /// Whether it came with a pax extended header.
    public var isPax: Bool

    /// The name for messages: bytes that are not UTF-8 show as U+FFFD.
    public var displayName: String { String(decoding: name, as: UTF8.self) }
}
