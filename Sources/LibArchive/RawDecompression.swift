internal import CArchive
internal import Glibc
public import RootfsModel

/// How a stream of bytes is compressed.
public enum Compression: String, Hashable, Sendable, CaseIterable {
    case none, gzip, bzip2, lzma, xz, lz4, zstd
}

/// What a compressed stream decompresses to. Several members or frames in a row are one stream.
///
/// - Parameters:
///   - name: what the bytes are, for the error.
///   - limit: more than so many bytes is an error: what a hostile stream can make us hold.
public func decompress(
    _ bytes: some Collection<UInt8>, as compression: Compression, name: String, limit: Int = .max
) throws(Failure) -> [UInt8] {
    var result = [UInt8]()
    // Room that is not written to costs nothing; growing into it would copy all of it several times.
    if limit <= 1 << 28 {
        result.reserveCapacity(limit)
        result.withUnsafeMutableBytes { askForHugePages(from: $0.baseAddress, count: limit) }
    }
    try decompress(bytes, as: compression, name: name, limit: limit) { chunk in
        result.append(contentsOf: chunk)
    }
    return result
}

/// Hands what a compressed stream decompresses to over, chunk by chunk.
public func decompress(
    _ bytes: some Collection<UInt8>, as compression: Compression, name: String, limit: Int = .max,
    into sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
) throws(Failure) {
    guard let filter = compression.filter else {
        try checkLimit(bytes.count, limit, name)
        try withBytes(of: bytes, sink)
        return
    }
    let reader = try RawReader(filter: filter, name: name)
    try withBytes(of: bytes) { (compressed) throws(Failure) in
        guard try reader.open(compressed) else { return }
        var total = 0
        while let chunk = try reader.nextChunk() {
            total += chunk.count
            try checkLimit(total, limit, name)
            try sink(chunk)
        }
    }
}

/// Lets memory that is going to be filled come in pages of 2 MiB, where the system has them: 512 times fewer faults.
private func askForHugePages(from start: UnsafeMutableRawPointer?, count: Int) {
    let size = 1 << 21
    guard let first = start?.alignedUp(toMultipleOf: size), let start, count >= first - start + size else { return }
    madvise(first, (count - (first - start)) / size * size, MADV_HUGEPAGE)
}

private func checkLimit(_ count: Int, _ limit: Int, _ name: String) throws(Failure) {
    if count > limit { throw Failure("cannot decompress \(name): it is larger than \(limit) bytes") }
}

/// `withUnsafeBytes` with a typed error.
private func withBytes(
    of bytes: some Collection<UInt8>, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
) throws(Failure) {
    let outcome = bytes.withContiguousStorageIfAvailable { buffer in
        Result { () throws(Failure) in try body(UnsafeRawBufferPointer(buffer)) }
    }
    guard let outcome else { return try withBytes(of: Array(bytes), body) }
    try outcome.get()
}

extension Compression {
    /// libarchive's filter of this name alone: its "all" would run external programs.
    fileprivate var filter: (code: Int32, enable: (OpaquePointer) -> Int32)? {
        switch self {
        case .none: nil
        case .gzip: (ARCHIVE_FILTER_GZIP, { archive_read_support_filter_gzip($0) })
        case .bzip2: (ARCHIVE_FILTER_BZIP2, { archive_read_support_filter_bzip2($0) })
        case .lzma: (ARCHIVE_FILTER_LZMA, { archive_read_support_filter_lzma($0) })
        case .xz: (ARCHIVE_FILTER_XZ, { archive_read_support_filter_xz($0) })
        case .lz4: (ARCHIVE_FILTER_LZ4, { archive_read_support_filter_lz4($0) })
        case .zstd: (ARCHIVE_FILTER_ZSTD, { archive_read_support_filter_zstd($0) })
        }
    }
}

/// The owner of one libarchive reader of a raw stream.
private struct RawReader: ~Copyable {
    private let archive: OpaquePointer
    private let code: Int32
    private let name: String

    init(filter: (code: Int32, enable: (OpaquePointer) -> Int32), name: String) throws(Failure) {
        guard let archive = archive_read_new() else { throw Failure("cannot decompress \(name): out of memory") }
        // ARCHIVE_WARN from a filter means that it would run an external program.
        guard archive_read_support_format_raw(archive) == ARCHIVE_OK,
            archive_read_support_format_empty(archive) == ARCHIVE_OK, filter.enable(archive) == ARCHIVE_OK
        else {
            archive_read_free(archive)
            throw Failure("cannot decompress \(name): this host's libarchive was built without its compression")
        }
        self.archive = archive
        self.code = filter.code
        self.name = name
    }

    deinit { archive_read_free(archive) }

    /// False when nothing comes out of the stream.
    func open(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> Bool {
        guard archive_read_open_memory(archive, bytes.baseAddress, bytes.count) == ARCHIVE_OK else { throw failure() }
        var entry: OpaquePointer?
        let status = archive_read_next_header(archive, &entry)
        if status != ARCHIVE_OK && status != ARCHIVE_EOF { throw failure() }
        // A filter that does not recognise the bytes is left out in silence.
        guard archive_filter_code(archive, 0) == code, archive_filter_count(archive) == 2 else {
            throw Failure("cannot decompress \(name): it is not compressed in this format")
        }
        return status == ARCHIVE_OK
    }

    /// nil at the end. The bytes are good until the next call.
    func nextChunk() throws(Failure) -> UnsafeRawBufferPointer? {
        var start: UnsafeRawPointer?
        var count = 0
        var offset: Int64 = 0
        switch archive_read_data_block(archive, &start, &count, &offset) {
        case ARCHIVE_OK: return UnsafeRawBufferPointer(start: start, count: count)
        case ARCHIVE_EOF: return nil
        default: throw failure()
        }
    }

    private func failure() -> Failure {
        let cause = archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"
        return Failure("cannot decompress \(name): \(cause)")
    }
}
