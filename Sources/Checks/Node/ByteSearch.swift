import RootfsModel

/// Looks for a text in bytes, skipping ahead by the last byte seen (Horspool): programs have a hundred megabytes.
struct ByteSearch {
    let pattern: [UInt8]
    private let skips: [Int]

    init(_ text: String) {
        pattern = Array(text.utf8)
        var skips = [Int](repeating: pattern.count, count: 256)
        for (index, byte) in pattern.dropLast().enumerated() { skips[Int(byte)] = pattern.count - 1 - index }
        self.skips = skips
    }

    /// Where the pattern stands first at or after `start`.
    func first(in bytes: [UInt8], from start: Int = 0) -> Int? {
        let count = pattern.count
        guard count > 0, start >= 0 else { return nil }
        return bytes.withUnsafeBufferPointer { bytes in
            pattern.withUnsafeBufferPointer { pattern in
                skips.withUnsafeBufferPointer { skips in
                    var end = start + count - 1
                    let last = pattern[count - 1]
                    while end < bytes.count {
                        let byte = bytes[end]
                        if byte == last {
                            var index = count - 1
                            while index > 0, bytes[end - count + index] == pattern[index - 1] { index -= 1 }
                            if index == 0 { return end - count + 1 }
                        }
                        end += skips[Int(byte)]
                    }
                    return nil
                }
            }
        }
    }

    private static let chunk: UInt64 = 8 << 20

    /// Each place in a file, in order, until `body` says that it has enough.
    func eachPlace(
        in blob: Blob, read: (Blob, Range<UInt64>) throws -> [UInt8], until body: (UInt64) throws -> Bool
    ) throws {
        var start: UInt64 = 0
        while start < blob.size {
            let end = min(blob.size, start + Self.chunk + UInt64(pattern.count) - 1)
            let bytes = try read(blob, start..<end)
            var from = 0
            while let place = first(in: bytes, from: from) {
                if try body(start + UInt64(place)) { return }
                from = place + 1
            }
            start += Self.chunk
        }
    }
}
