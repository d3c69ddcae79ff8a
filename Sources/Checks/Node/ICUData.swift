import RootfsModel

/// The head of an ICU data file (ICU's source, common/ucmndata.h and tools/toolutil/pkgitems.cpp): what it is and for
/// which ICU.
struct ICUData {
    enum Defect: Hashable {
        case notICU
        case otherByteOrder
        case cutOff
    }

    var defect: Defect?
    /// What its entries are named by: `icudt72l`; nil where they have no such name, as Chromium's may.
    var package: String?

    init(_ blob: Blob, read: (Blob, Range<UInt64>) throws -> [UInt8]) throws {
        let head = try read(blob, 0..<min(blob.size, 64))
        guard head.count >= 24, head[2] == 0xDA, head[3] == 0x27, head[12..<16].elementsEqual("CmnD".utf8) else {
            defect = .notICU
            return
        }
        guard head[8] == 0 else {
            defect = .otherByteOrder
            return
        }
        func word(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
            (0..<4).reduce(UInt64(0)) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
        }
        let headerSize = UInt64(head[0]) | UInt64(head[1]) << 8
        let counts = try read(blob, min(headerSize, blob.size)..<min(headerSize + 4, blob.size))
        guard counts.count == 4 else {
            defect = .cutOff
            return
        }
        let count = word(counts, 0)
        let table = headerSize + 4
        guard count > 0, count < 1 << 20, table + count * 8 <= blob.size else {
            defect = .cutOff
            return
        }
        let last = try read(blob, (table + (count - 1) * 8)..<(table + count * 8))
        let first = try read(blob, table..<(table + 8))
        guard last.count == 8, first.count == 8, headerSize + word(last, 4) < blob.size else {
            defect = .cutOff
            return
        }
        let nameStart = headerSize + word(first, 0)
        let name = try read(blob, min(nameStart, blob.size)..<min(nameStart + 64, blob.size))
        let text = String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
        if let slash = text.firstIndex(of: "/"), text.hasPrefix("icudt") { package = String(text[..<slash]) }
    }
}
