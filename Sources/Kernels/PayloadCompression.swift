internal import LibArchive
import RootfsModel

/// How a kernel or a module is compressed: the formats Linux has.
public enum PayloadCompression: String, Sendable, CaseIterable {
    case gzip, bzip2, lzma, xz, lz4, zstd, lzo

    /// The format whose mark stands at this offset; nil for none of them.
    init?(recognizing bytes: [UInt8], at offset: Int = 0) {
        let marks: [(PayloadCompression, [UInt8])] = [
            (.gzip, [0x1F, 0x8B, 0x08]),
            (.bzip2, Array("BZh".utf8)),
            (.xz, [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]),
            // The legacy frame, the only one that Linux reads.
            (.lz4, [0x02, 0x21, 0x4C, 0x18]),
            (.zstd, [0x28, 0xB5, 0x2F, 0xFD]),
            (.lzo, Lzop.magic),
            // lc=3 lp=0 pb=2 and a dictionary of whole 64 KiB: the weakest mark comes last.
            (.lzma, [0x5D, 0x00, 0x00]),
        ]
        guard let mark = marks.first(where: { bytes.holds($0.1, at: offset) }) else { return nil }
        self = mark.0
    }

    /// Decompresses one whole stream. More than `limit` bytes is an error.
    func decompress(_ bytes: ArraySlice<UInt8>, name: String, limit: Int) throws(Failure) -> [UInt8] {
        let compression: Compression
        switch self {
        case .lzo: return try decompressLZO(bytes, name: name, limit: limit)
        case .gzip: compression = .gzip
        case .bzip2: compression = .bzip2
        case .lzma: compression = .lzma
        case .xz: compression = .xz
        case .lz4: compression = .lz4
        case .zstd: compression = .zstd
        }
        return try LibArchive.decompress(bytes, as: compression, name: "\(name) (\(rawValue))", limit: limit)
    }

    private func decompressLZO(_ bytes: ArraySlice<UInt8>, name: String, limit: Int) throws(Failure) -> [UInt8] {
        do throws(Failure) {
            return try Lzop.decompress(bytes, limit: limit)
        } catch {
            throw Failure("cannot decompress \(name) (lzo): \(error.message)")
        }
    }
}
