/// A moment in UTC: seconds since 1970 (negative before) and nanoseconds 0 ..< 1,000,000,000 after that second.
public struct Timestamp: Hashable, Comparable, Sendable {
    public var seconds: Int64
    public var nanoseconds: UInt32

    public init(seconds: Int64, nanoseconds: UInt32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }
}

/// One extended attribute: the full name (`security.capability`) and its bytes as getxattr(2) gives them.
public struct ExtendedAttribute: Hashable, Sendable {
    public var name: String
    public var value: [UInt8]

    public init(name: String, value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// What a node has besides its kind and content.
public struct Metadata: Hashable, Sendable {
    /// Permission bits with set-id and sticky: 0 ... 0o7777.
    public var mode: UInt16
    public var uid: UInt32
    public var gid: UInt32
    /// Modification time; the only one of a node's times that an image keeps.
    public var mtime: Timestamp
    /// Sorted by the name's UTF-8 bytes, each name once.
    public var xattrs: [ExtendedAttribute]

    public init(
        mode: UInt16, uid: UInt32 = 0, gid: UInt32 = 0, mtime: Timestamp = Timestamp(seconds: 0),
        xattrs: [ExtendedAttribute] = []
    ) {
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.mtime = mtime
        self.xattrs = xattrs
    }
}

/// A run of a blob's bytes inside a host file. `offset` counts in the blob, `source` in the host file.
public struct ContentExtent: Hashable, Sendable {
    public var offset: UInt64
    public var source: UInt64
    public var length: UInt64

    public init(offset: UInt64, source: UInt64, length: UInt64) {
        self.offset = offset
        self.source = source
        self.length = length
    }
}

/// Where a blob's bytes can be read.
public enum ContentSource: Hashable, Sendable {
    /// In memory.
    case bytes([UInt8])
    /// A file of the host: an absolute directory, and the path below it.
    case file(directory: String, path: TreePath)
    /// Runs of one host file (an image), sorted by offset; what no extent covers is zero.
    case extents(file: String, [ContentExtent])
    /// Nowhere here: known by digest and size only, as from a parsed listing.
    case absent
}

/// The content of a regular file: how many bytes, their digest where it was taken, and where they are.
public struct Blob: Hashable, Sendable {
    public var size: UInt64
    public var digest: Digest?
    public var source: ContentSource
    /// What is known of the content besides; nil where nobody looked.
    public var traits: ContentTraits?

    public init(size: UInt64, digest: Digest?, source: ContentSource, traits: ContentTraits? = nil) {
        self.size = size
        self.digest = digest
        self.source = source
        self.traits = traits
    }

    /// A blob held in memory.
    public init(_ bytes: [UInt8]) {
        self.init(size: UInt64(bytes.count), digest: Digest(hashing: bytes), source: .bytes(bytes))
    }
}

/// What a node is.
public enum NodeKind: Hashable, Sendable {
    case directory
    /// A regular file. Files of one tree with the same link group other than 0 are hard links of each other:
    /// they have the same blob and metadata. 0 is a file with one name.
    case file(Blob, linkGroup: UInt32)
    /// A symbolic link and its target's bytes.
    case symbolicLink([UInt8])
    case characterDevice(major: UInt32, minor: UInt32)
    case blockDevice(major: UInt32, minor: UInt32)
    case fifo
    case socket
}

/// One path of a tree.
public struct FileNode: Hashable, Sendable {
    public var path: TreePath
    public var kind: NodeKind
    public var metadata: Metadata

    public init(path: TreePath, kind: NodeKind, metadata: Metadata) {
        self.path = path
        self.kind = kind
        self.metadata = metadata
    }

    public var isDirectory: Bool {
        if case .directory = kind { true } else { false }
    }

    /// The content, for a regular file.
    public var blob: Blob? {
        if case .file(let blob, _) = kind { blob } else { nil }
    }

    /// The hard-link group; 0 for what has one name.
    public var linkGroup: UInt32 {
        if case .file(_, let group) = kind { group } else { 0 }
    }

    /// The target, for a symbolic link.
    public var linkTarget: [UInt8]? {
        if case .symbolicLink(let target) = kind { target } else { nil }
    }
}
