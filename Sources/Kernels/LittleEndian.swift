import Glibc

// Reading numbers and strings out of bytes that may be hostile: every reader answers nil outside the bytes.
extension [UInt8] {
    /// The little-endian integer at this offset.
    func littleEndian<Value: FixedWidthInteger & UnsignedInteger>(_ type: Value.Type, at offset: Int) -> Value? {
        let size = MemoryLayout<Value>.size
        guard offset >= 0, offset <= count - size else { return nil }
        return withUnsafeBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Value.self)) }
    }

    /// The big-endian integer at this offset.
    func bigEndian<Value: FixedWidthInteger & UnsignedInteger>(_ type: Value.Type, at offset: Int) -> Value? {
        littleEndian(type, at: offset)?.byteSwapped
    }

    /// The bytes of offset ..< offset + length, where all of them are there.
    func range(at offset: UInt64, length: UInt64) -> Range<Int>? {
        let (end, overflow) = offset.addingReportingOverflow(length)
        guard !overflow, end <= UInt64(count) else { return nil }
        return Int(offset)..<Int(end)
    }

    /// Whether these bytes stand at this offset.
    func holds(_ other: [UInt8], at offset: Int) -> Bool {
        guard offset >= 0, other.count <= count, offset <= count - other.count else { return false }
        return self[offset..<(offset + other.count)].elementsEqual(other)
    }

    /// The offset of the first occurrence of a text from `start` on.
    func firstOffset(of text: [UInt8], from start: Int = 0) -> Int? {
        guard start >= 0, start <= count, !text.isEmpty else { return nil }
        return withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return nil }
            var position = start
            while position <= bytes.count - text.count {
                let starts = bytes.count - text.count + 1 - position
                guard let found = memchr(base + position, Int32(text[0]), starts) else { return nil }
                position = UnsafeRawPointer(found) - base
                if memcmp(base + position, text, text.count) == 0 { return position }
                position += 1
            }
            return nil
        }
    }

    /// The text from an offset to the next NUL, not longer than `limit` bytes.
    func text(at offset: Int, limit: Int) -> String? {
        guard offset >= 0, offset < count else { return nil }
        let end = Swift.min(count, offset + limit)
        let bytes = self[offset..<end].prefix { $0 != 0 }
        return String(decoding: bytes, as: UTF8.self)
    }
}
