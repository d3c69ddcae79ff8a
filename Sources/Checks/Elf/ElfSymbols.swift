public import RootfsModel

extension ElfFile {
    /// One dynamic symbol.
    public struct Symbol: Hashable, Sendable {
        public var name: String
        /// Whether it is here, rather than looked for in other objects.
        public var isDefined: Bool
        public var isWeak: Bool
    }

    /// More than any real library has: libnode has some 60,000 in 6 MB.
    private static let mostSymbols: UInt64 = 1 << 21
    private static let mostNameBytes: UInt64 = 1 << 27

    /// The dynamic symbols, those it defines and those it looks for, in order. `blob` is the file that this was read
    /// from.
    public func symbols(of blob: Blob, with read: (_ blob: Blob, _ range: Range<UInt64>) throws -> [UInt8]) throws
        -> [Symbol]
    {
        try withoutActuallyEscaping(read) { read in
            let bytes = ElfBytes(blob, read)
            let entrySize: UInt64 = isWide ? 24 : 16
            guard let table = symbolTables.symbols.flatMap(offset(of:)),
                let names = symbolTables.strings.flatMap(offset(of:)), symbolTables.stringsSize <= Self.mostNameBytes,
                let count = try symbolCount(bytes), count <= min(Self.mostSymbols, size / entrySize),
                let entries = try bytes.bytes(at: table, length: count * entrySize),
                let strings = try bytes.bytes(at: names, length: symbolTables.stringsSize)
            else { return [] }
            let fields = ElfFields(bytes: entries, isWide: isWide, isBigEndian: isBigEndian)
            return (1..<max(1, Int(count))).compactMap { index in
                let start = index * Int(entrySize)
                let name = Int(fields.word(start))
                guard name > 0, name < strings.count, let end = strings[name...].firstIndex(of: 0) else { return nil }
                let information = fields.bytes[start + (isWide ? 4 : 12)]
                return Symbol(
                    name: String(decoding: strings[name..<end], as: UTF8.self),
                    isDefined: fields.half(start + (isWide ? 6 : 14)) != 0, isWeak: information >> 4 == 2)
            }
        }
    }

    /// How many symbols there are, which only the hash tables tell without sections.
    private func symbolCount(_ bytes: ElfBytes) throws -> UInt64? {
        func fields(_ offset: UInt64, _ length: UInt64) throws -> ElfFields? {
            try bytes.bytes(at: offset, length: length).map {
                ElfFields(bytes: $0, isWide: isWide, isBigEndian: isBigEndian)
            }
        }
        if let table = symbolTables.hash.flatMap(offset(of:)) {
            // s390x and Alpha have 64-bit words here; their files carry a GNU hash as well.
            if symbolTables.gnuHash == nil || machine != 22 { return try fields(table, 8).map { UInt64($0.word(4)) } }
        }
        guard let table = symbolTables.gnuHash.flatMap(offset(of:)), let header = try fields(table, 16) else {
            return nil
        }
        let buckets = UInt64(header.word(0))
        let first = UInt64(header.word(4))
        let bucketsStart = table + 16 + UInt64(header.word(8)) * (isWide ? 8 : 4)
        guard let heads = try fields(bucketsStart, buckets * 4) else { return nil }
        let highest = (0..<Int(buckets)).reduce(UInt64(0)) { max($0, UInt64(heads.word($1 * 4))) }
        if highest < first { return first }
        // The last chain ends where a hash has its lowest bit set.
        var index = highest
        let chains = bucketsStart + buckets * 4
        while index <= highest + Self.mostSymbols {
            let places = min(1024, (bytes.size - min(bytes.size, chains + (index - first) * 4)) / 4)
            guard places > 0, let hashes = try fields(chains + (index - first) * 4, places * 4) else { return nil }
            for place in 0..<Int(places) where hashes.word(place * 4) & 1 == 1 { return index + UInt64(place) + 1 }
            index += places
        }
        return nil
    }
}
