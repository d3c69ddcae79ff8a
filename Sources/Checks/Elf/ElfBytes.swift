import RootfsModel

/// A file's bytes by place, some at a time: what lies outside the file is nil, whoever asks. Keeps the blocks it has
/// read, because strings lie close together.
final class ElfBytes {
    typealias Read = (_ blob: Blob, _ range: Range<UInt64>) throws -> [UInt8]

    private static let blockSize: UInt64 = 4096

    let size: UInt64
    private let blob: Blob
    private let read: Read
    private var blocks = [UInt64: [UInt8]]()

    init(_ blob: Blob, _ read: @escaping Read) {
        self.blob = blob
        self.size = blob.size
        self.read = read
    }

    /// `length` bytes from an offset on; nil where not all of them are in the file.
    func bytes(at offset: UInt64, length: UInt64) throws -> [UInt8]? {
        let (end, overflow) = offset.addingReportingOverflow(length)
        guard !overflow, end <= size else { return nil }
        if length == 0 { return [] }
        let number = offset / Self.blockSize
        if (end - 1) / Self.blockSize == number {
            guard let block = try block(number) else { return nil }
            let start = Int(offset % Self.blockSize)
            guard start + Int(length) <= block.count else { return nil }
            return Array(block[start..<(start + Int(length))])
        }
        let bytes = try read(blob, offset..<end)
        return UInt64(bytes.count) == length ? bytes : nil
    }

    /// The bytes from an offset to the next NUL, which must stand within `limit` bytes and in the file.
    func string(at offset: UInt64, limit: Int = 4096) throws -> [UInt8]? {
        var result = [UInt8]()
        var position = offset
        while position < size, result.count <= limit {
            guard let block = try block(position / Self.blockSize) else { return nil }
            let start = Int(position % Self.blockSize)
            guard start < block.count else { return nil }
            if let end = block[start...].firstIndex(of: 0) {
                result.append(contentsOf: block[start..<end])
                return result.count <= limit ? result : nil
            }
            result.append(contentsOf: block[start...])
            position += UInt64(block.count - start)
        }
        return nil
    }

    private func block(_ number: UInt64) throws -> [UInt8]? {
        if let block = blocks[number] { return block }
        let start = number * Self.blockSize
        guard start < size else { return nil }
        let block = try read(blob, start..<min(size, start + Self.blockSize))
        blocks[number] = block
        return block
    }
}

/// Numbers in the bytes of one structure, in the file's byte order and word size.
struct ElfFields {
    let bytes: [UInt8]
    let isWide: Bool
    let isBigEndian: Bool

    /// 0 beyond the end: the caller has taken as many bytes as the structure has.
    func number<Value: FixedWidthInteger & UnsignedInteger>(_ type: Value.Type, _ offset: Int) -> Value {
        guard offset >= 0, offset <= bytes.count - MemoryLayout<Value>.size else { return 0 }
        let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Value.self) }
        return isBigEndian ? Value(bigEndian: value) : Value(littleEndian: value)
    }

    func half(_ offset: Int) -> UInt16 { number(UInt16.self, offset) }

    func word(_ offset: Int) -> UInt32 { number(UInt32.self, offset) }

    /// An address, offset or size: 8 bytes in a 64-bit file, 4 in a 32-bit one.
    func long(_ offset: Int) -> UInt64 {
        isWide ? number(UInt64.self, offset) : UInt64(number(UInt32.self, offset))
    }
}
