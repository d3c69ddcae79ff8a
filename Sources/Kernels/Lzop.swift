import RootfsModel

/// A file as lzop(1) writes it: a header, then blocks with their sizes and checksums, then a zero. The one payload
/// format of kernels that libarchive gives to an external program, so it is read here.
enum Lzop {
    static let magic: [UInt8] = [0x89, 0x4C, 0x5A, 0x4F, 0x00, 0x0D, 0x0A, 0x1A, 0x0A]

    /// lzop's own largest block.
    private static let largestBlock = 64 << 20

    private struct Flags: OptionSet {
        let rawValue: UInt32
        static let adlerOfContent = Flags(rawValue: 0x1)
        static let adlerOfStored = Flags(rawValue: 0x2)
        static let extraField = Flags(rawValue: 0x40)
        static let crcOfContent = Flags(rawValue: 0x100)
        static let crcOfStored = Flags(rawValue: 0x200)
        static let filter = Flags(rawValue: 0x800)
        static let crcOfHeader = Flags(rawValue: 0x1000)
    }

    /// The content of a file. `limit` bounds its size; bytes after the end mark are an error.
    /// The message of a failure is a clause about the stream: `the lzo stream ends early`.
    static func decompress(_ bytes: ArraySlice<UInt8>, limit: Int) throws(Failure) -> [UInt8] {
        var reader = Reader(bytes: Array(bytes))
        let flags = try readHeader(&reader)
        var output = [UInt8]()
        while true {
            let size = Int(try reader.number(UInt32.self))
            if size == 0 { break }
            let stored = Int(try reader.number(UInt32.self))
            guard size <= largestBlock, stored > 0, stored <= size else {
                throw Failure("the lzo stream has a block of \(grouped(stored)) bytes for \(grouped(size))")
            }
            guard size <= limit - output.count else {
                throw Failure("the lzo stream holds more than \(grouped(limit)) bytes")
            }
            let adler = flags.contains(.adlerOfContent) ? try reader.number(UInt32.self) : nil
            let crc = flags.contains(.crcOfContent) ? try reader.number(UInt32.self) : nil
            // A stored block is its own content: its checksums stand once.
            let isPacked = stored < size
            let storedAdler = isPacked && flags.contains(.adlerOfStored) ? try reader.number(UInt32.self) : nil
            let storedCRC = isPacked && flags.contains(.crcOfStored) ? try reader.number(UInt32.self) : nil
            let block = try reader.take(stored)
            try check(reader.bytes, block, adler: storedAdler, crc: storedCRC)

            let start = output.count
            if isPacked {
                do throws(LZO1X.Defect) {
                    output += try LZO1X.decompress(reader.bytes[block], size: size)
                } catch {
                    throw Failure("the lzo stream is damaged: a block \(error.clause)")
                }
            } else {
                output.append(contentsOf: reader.bytes[block])
            }
            try check(output, start..<output.count, adler: adler, crc: crc)
        }
        guard reader.isAtEnd else { throw Failure("the lzo stream has bytes after its end") }
        return output
    }

    private static func readHeader(_ reader: inout Reader) throws(Failure) -> Flags {
        guard reader.bytes.holds(magic, at: 0) else { throw Failure("the lzo stream has no lzop header") }
        _ = try reader.take(magic.count)
        let start = reader.position
        let version = try reader.number(UInt16.self)
        _ = try reader.number(UInt16.self)
        let isNew = version >= 0x0940
        if isNew { _ = try reader.number(UInt16.self) }
        let method = try reader.number(UInt8.self)
        if isNew { _ = try reader.number(UInt8.self) }
        let flags = Flags(rawValue: try reader.number(UInt32.self))
        guard (1...3).contains(method) else { throw Failure("the lzo stream uses method \(method), not LZO1X") }
        guard !flags.contains(.filter) else { throw Failure("the lzo stream uses a filter, which no kernel does") }
        // Mode, the time's low half, and its high half.
        _ = try reader.take(isNew ? 12 : 8)
        _ = try reader.take(Int(try reader.number(UInt8.self)))
        let header = start..<reader.position
        let sum = try reader.number(UInt32.self)
        let isRight = reader.bytes.withUnsafeBytes { bytes in
            let header = UnsafeRawBufferPointer(rebasing: bytes[header])
            return sum == (flags.contains(.crcOfHeader) ? Checksum.crc32(header) : Checksum.adler32(header))
        }
        guard isRight else { throw Failure("the lzo stream's header does not match its checksum") }
        if flags.contains(.extraField) {
            _ = try reader.take(Int(try reader.number(UInt32.self)))
            _ = try reader.number(UInt32.self)
        }
        return flags
    }

    private static func check(_ bytes: [UInt8], _ range: Range<Int>, adler: UInt32?, crc: UInt32?) throws(Failure) {
        let isRight = bytes.withUnsafeBytes { bytes in
            let part = UnsafeRawBufferPointer(rebasing: bytes[range])
    return (adler.map { $0 == Checksum.adler32(part) } ?? true)
                && (crc.map { $0 == Checksum.crc32(part) } ?? true)
        }
        if !isRight { throw Failure("the lzo stream is damaged: a block does not match its checksum") }
    }

    /// Big-endian numbers and runs of bytes, one after the other.
    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        var isAtEnd: Bool { position == bytes.count }

        mutating func number<Value: FixedWidthInteger & UnsignedInteger>(_ type: Value.Type) throws(Failure) -> Value {
            guard let value = bytes.bigEndian(type, at: position) else { throw Failure("the lzo stream ends early") }
            position += MemoryLayout<Value>.size
            return value
        }

        mutating func take(_ count: Int) throws(Failure) -> Range<Int> {
            guard count <= bytes.count - position else { throw Failure("the lzo stream ends early") }
            position += count
            return (position - count)..<position
        }
    }
}

extension LZO1X.Defect {
    /// What the block does, as the end of a sentence.
    var clause: String {
        switch self {
        case .endsEarly: "ends early"
        case .outgrowsItsBlock: "outgrows its size"
        case .copiesFromBeforeItsStart: "copies from before its start"
        case .endsInTheMiddle: "ends in the middle"
        case .fallsShort: "falls short of its size"
        }
    }
}

/// The two checksums of lzop's blocks.
enum Checksum {
    /// RFC 1950, section 8.2.
    static func adler32(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var a: UInt32 = 1
        var b: UInt32 = 0
        var start = 0
        while start < bytes.count {
            // 5,552 additions are the most that cannot overflow 32 bits.
            let end = min(bytes.count, start + 5552)
            for index in start..<end {
                a &+= UInt32(bytes[index])
                b &+= a
            }
            a %= 65521
            b %= 65521
            start = end
        }
        return b << 16 | a
    }

    /// CRC-32 as gzip has it (RFC 1952, section 8).
    static func crc32(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var crc = UInt32.max
        for byte in bytes { crc = crc >> 8 ^ crcTable[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] }
        return ~crc
    }

    private static let crcTable: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
}
