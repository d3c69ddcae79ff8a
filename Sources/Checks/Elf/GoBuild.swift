import RootfsModel

/// What Go's linker writes into its programs about their build: text with `build\tGOAMD64=v3`, behind a magic of its own at
/// the start of the writable data (Go, debug/buildinfo).
struct GoBuild {
    private static let magic = Array("\u{FF} Go buildinf:".unicodeScalars.map { UInt8($0.value) })
    /// How far Go's own reader looks, and some more for programs that the system's linker made.
    private static let reach: UInt64 = 1 << 18

    /// The x86-64 level that it was built for: below it the program says so and ends.
    let level: Int

    /// nil where it is no Go program for x86-64, or says nothing of it.
    init?(_ file: ElfFile, of blob: Blob, with read: (_ blob: Blob, _ range: Range<UInt64>) throws -> [UInt8]) throws {
        // Go programs need the C library at most.
        guard file.machine == 62, file.needed.count < 8 else { return nil }
        for segment in file.segments where segment.type == ElfReader.SegmentType.load && segment.flags & 2 != 0 {
            let (end, overflow) = segment.offset.addingReportingOverflow(min(segment.fileSize, Self.reach))
            guard !overflow, end <= file.size, end > segment.offset else { continue }
            let bytes = try read(blob, segment.offset..<end)
            // It stands at an address that is a multiple of 16.
            let first = Int((16 - segment.address % 16) % 16)
            for start in stride(from: first, to: bytes.count - 64, by: 16)
            where bytes[start] == 0xFF && bytes[start...].starts(with: Self.magic) {
                guard let level = Self.level(bytes[start...].prefix(1 << 16)) else { return nil }
                self.level = level
                return
            }
        }
        return nil
    }

    private static func level(_ bytes: ArraySlice<UInt8>) -> Int? {
        let key = Array("GOAMD64=v".utf8)
        var at = bytes.startIndex
        while let found = bytes[at...].firstIndex(of: key[0]) {
            let value = found + key.count
            if value < bytes.endIndex, bytes[found..<value].elementsEqual(key) {
                let level = Int(bytes[value]) - 0x30
                return (1...4).contains(level) ? level : nil
            }
            at = found + 1
        }
        return nil
    }
}
