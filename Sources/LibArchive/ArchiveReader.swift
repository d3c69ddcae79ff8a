internal import CArchive
internal import Glibc
public import RootfsModel

/// Reads one archive from its beginning to its end: the one owner of a libarchive read handle.
public struct ArchiveReader: ~Copyable {
    public enum Format: Sendable {
        case ar, tar
    }

    /// A compression around the archive.
    public enum Filter: Sendable, CaseIterable {
        case gzip, bzip2, lzma, xz, zstd

        /// The compression that a file has whose first bytes these are (six tell them all apart); nil where it has none
        /// that begins with a magic number. lzma does not.
        public init?(magic: some Sequence<UInt8>) {
            let magics: [(filter: Filter, bytes: [UInt8])] = [
                (.gzip, [0x1F, 0x8B]), (.xz, [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]), (.zstd, [0x28, 0xB5, 0x2F, 0xFD]),
                (.bzip2, Array("BZh".utf8)),
            ]
            guard let found = magics.first(where: { magic.starts(with: $0.bytes) }) else { return nil }
            self = found.filter
        }
    }

    private let handle: OpaquePointer
    private let upstream: MemberStream?
    /// What is read, for messages.
    private let label: String

    private init(handle: OpaquePointer, upstream: MemberStream?, label: String) {
        self.handle = handle
        self.upstream = upstream
        self.label = label
    }

    deinit {
        archive_read_free(handle)
    }

    /// Opens an archive file that has no compression around it, or one of these. `label` names it in messages.
    public static func open(
        path: String, format: Format, filter: Filter? = nil, label: String
    ) throws(Failure) -> ArchiveReader {
        let reader = ArchiveReader(
            handle: try makeHandle(format: format, filter: filter, label: label), upstream: nil, label: label)
        guard archive_read_open_filename(reader.handle, path, 1 << 18) == ARCHIVE_OK else {
            throw reader.failure("cannot open")
        }
        return reader
    }

    /// Opens the archive that is the member at which another reader stands; that reader is used up by it.
    public static func open(
        memberOf outer: consuming ArchiveReader, format: Format, filter: Filter?, label: String
    ) throws(Failure) -> ArchiveReader {
        let stream = MemberStream(outer)
        let reader = ArchiveReader(
            handle: try makeHandle(format: format, filter: filter, label: label), upstream: stream, label: label)
        let status = archive_read_open(
            reader.handle, Unmanaged.passUnretained(stream).toOpaque(), nil,
            { _, context, buffer in
                guard let context, let buffer else { return -1 }
                return Unmanaged<MemberStream>.fromOpaque(context).takeUnretainedValue().nextBlock(buffer)
            }, nil)
        guard status == ARCHIVE_OK else { throw reader.failure("cannot open") }
        return reader
    }

    /// Goes on to the next member; nil at the end. What was not read of the one before is skipped.
    public mutating func next() throws(Failure) -> ArchiveMember? {
        var entry: OpaquePointer?
        let status = archive_read_next_header(handle, &entry)
        if status == ARCHIVE_EOF { return nil }
        guard status == ARCHIVE_OK || (status == ARCHIVE_WARN && isNameWarning), let entry else {
            throw failure("cannot read")
        }
        return Self.member(entry, isPax: archive_format(handle) == ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE)
    }

    /// Hands out the content of the member at hand, block by block in order; what lies between two blocks is zero.
    /// A block's bytes are valid only during the call.
    public mutating func readContent(
        _ body: (_ block: UnsafeRawBufferPointer, _ offset: UInt64) throws -> Void
    ) throws {
        while let (block, offset) = try nextBlock() {
            try body(block, offset)
        }
    }

    /// The whole content of the member at hand. Fails above `limit` bytes.
    public mutating func readContent(limit: Int) throws -> [UInt8] {
        var bytes = [UInt8]()
        let label = label
        try readContent { block, offset in
            guard offset <= limit, block.count <= limit - Int(offset) else {
                throw Failure("cannot read \(label): a member is larger than \(limit) bytes")
            }
            let gap = Int(offset) - bytes.count
            if gap > 0 { bytes.append(contentsOf: repeatElement(0, count: gap)) }
            bytes.append(contentsOf: block)
        }
        return bytes
    }

    /// Reads what follows the archive's own end in the enclosing member, so that a cut file is noticed.
    public consuming func finish() throws(Failure) {
        guard let upstream else { return }
        try upstream.drain()
    }

    fileprivate mutating func nextBlock() throws(Failure) -> (UnsafeRawBufferPointer, UInt64)? {
        var start: UnsafeRawPointer?
        var count = 0
        var offset: la_int64_t = 0
        while true {
            let status = archive_read_data_block(handle, &start, &count, &offset)
            if status == ARCHIVE_EOF { return nil }
            guard status == ARCHIVE_OK, offset >= 0 else { throw failure("cannot read") }
            if count > 0 { return (UnsafeRawBufferPointer(start: start, count: count), UInt64(offset)) }
        }
    }

    /// libarchive's complaint about a pax name that the locale cannot express; the name's bytes are right then.
    private var isNameWarning: Bool {
        guard let words = archive_error_string(handle) else { return false }
        return String(cString: words).hasSuffix("to current locale.")
    }

    private borrowing func failure(_ operation: String) -> Failure {
        if let failure = upstream?.failure { return failure }
        return Self.failure(handle, operation, label)
    }

    private static func failure(_ handle: OpaquePointer, _ operation: String, _ label: String) -> Failure {
        let words = archive_error_string(handle).map { String(cString: $0) } ?? "not an archive of the expected kind"
        return Failure("\(operation) \(label): \(words)")
    }

    private static func makeHandle(format: Format, filter: Filter?, label: String) throws(Failure) -> OpaquePointer {
        _ = utf8Locale
        guard let handle = archive_read_new() else { throw Failure("cannot open \(label): out of memory") }
        var statuses = [Int32]()
        switch format {
        case .ar: statuses.append(archive_read_support_format_ar(handle))
        case .tar: statuses.append(archive_read_support_format_tar(handle))
        }
        switch filter {
        case nil: break
        case .gzip: statuses.append(archive_read_support_filter_gzip(handle))
        case .bzip2: statuses.append(archive_read_support_filter_bzip2(handle))
        case .lzma: statuses.append(archive_read_support_filter_lzma(handle))
        case .xz: statuses.append(archive_read_support_filter_xz(handle))
        case .zstd: statuses.append(archive_read_support_filter_zstd(handle))
        }
        // A warning here says that the filter would be an external program.
        guard statuses.allSatisfy({ $0 == ARCHIVE_OK }) else {
            let failure = failure(handle, "cannot open", label)
            archive_read_free(handle)
            throw failure
        }
        return handle
    }

    /// Names in pax headers are UTF-8, and libarchive converts them to the C locale's character set: in a UTF-8
    /// locale they come through as they are.
    private static let utf8Locale: Bool = setlocale(LC_CTYPE, "C.UTF-8") != nil

    private static func member(_ entry: OpaquePointer, isPax: Bool) -> ArchiveMember {
        let kind: ArchiveMember.Kind
        if let target = archive_entry_hardlink(entry) {
            kind = .hardLink(bytes(target))
        } else {
            let type = mode_t(archive_entry_filetype(entry))
            switch type {
            case S_IFREG: kind = .file(size: UInt64(max(0, archive_entry_size(entry))))
            case S_IFDIR: kind = .directory
            case S_IFLNK: kind = .symbolicLink(bytes(archive_entry_symlink(entry)))
            case S_IFCHR:
                kind = .characterDevice(
                    major: UInt32(truncatingIfNeeded: archive_entry_rdevmajor(entry)),
                    minor: UInt32(truncatingIfNeeded: archive_entry_rdevminor(entry)))
            case S_IFBLK:
                kind = .blockDevice(
                    major: UInt32(truncatingIfNeeded: archive_entry_rdevmajor(entry)),
                    minor: UInt32(truncatingIfNeeded: archive_entry_rdevminor(entry)))
            case S_IFIFO: kind = .fifo
            default: kind = .other(UInt32(type))
            }
        }
        let nanoseconds = archive_entry_mtime_nsec(entry)
        return ArchiveMember(
            name: bytes(archive_entry_pathname(entry)), kind: kind,
            mode: UInt16(truncatingIfNeeded: archive_entry_perm(entry)) & 0o7777,
            uid: archive_entry_uid(entry), gid: archive_entry_gid(entry),
            userName: bytes(archive_entry_uname(entry)), groupName: bytes(archive_entry_gname(entry)),
            mtime: Timestamp(
                seconds: Int64(archive_entry_mtime(entry)),
                nanoseconds: (0..<1_000_000_000).contains(nanoseconds) ? UInt32(nanoseconds) : 0),
            xattrs: xattrs(entry), isSparse: archive_entry_sparse_count(entry) > 0, isPax: isPax)
    }

    private static func xattrs(_ entry: OpaquePointer) -> [ExtendedAttribute] {
        guard archive_entry_xattr_count(entry) > 0 else { return [] }
        archive_entry_xattr_reset(entry)
        var result = [ExtendedAttribute]()
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var count = 0
        while archive_entry_xattr_next(entry, &name, &value, &count) == ARCHIVE_OK {
            guard let name else { continue }
            let bytes = Array(UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : count))
            result.append(ExtendedAttribute(name: String(cString: name), value: bytes))
        }
        return result.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    private static func bytes(_ string: UnsafePointer<CChar>?) -> [UInt8] {
        guard let string else { return [] }
        return Array(UnsafeRawBufferPointer(start: string, count: strlen(string)))
    }
}

/// The member of an outer archive as a stream of blocks, for libarchive's read callback.
private final class MemberStream {
    private var outer: ArchiveReader
    private(set) var failure: Failure?

    init(_ outer: consuming ArchiveReader) {
        self.outer = outer
    }

    /// Sets the buffer to the next block and gives its size: 0 at the end, -1 when reading failed.
    func nextBlock(_ buffer: UnsafeMutablePointer<UnsafeRawPointer?>) -> Int {
        do {
            guard let (block, _) = try outer.nextBlock() else { return 0 }
            buffer.pointee = block.baseAddress
            return block.count
        } catch {
            failure = error
            return -1
        }
    }

    func drain() throws(Failure) {
        if let failure { throw failure }
        while try outer.nextBlock() != nil {}
    }
}
