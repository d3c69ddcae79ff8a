import RootfsModel

/// The headers of an ELF file: its machine, segments and sections (System V ABI, chapters 4 and 5). Reads 64-bit
/// little-endian files, which all kernels and modules for amd64 and arm64 are; of others it knows the machine only.
struct ELF {
    struct Segment {
        var type: UInt32
        var offset: UInt64
        var fileSize: UInt64
        var alignment: UInt64
    }

    struct Section {
        var name: String
        var type: UInt32
        var offset: UInt64
        var size: UInt64
    }

    static let magic: [UInt8] = [0x7F, 0x45, 0x4C, 0x46]

    let bytes: [UInt8]
    /// e_machine; 0 where the header is cut off.
    let machine: UInt16
    let isWide: Bool
    let segments: [Segment]
    /// One past the last byte that a header, a segment or a section has in the file.
    let end: UInt64
    private let sectionHeaders: (offset: UInt64, size: UInt64, count: Int, names: Int)

    /// nil where the bytes do not begin as an ELF file.
    init?(_ bytes: [UInt8]) {
        guard bytes.holds(Self.magic, at: 0), bytes.count >= 20 else { return nil }
        self.bytes = bytes
        let bigEndian = bytes[5] == 2
        self.machine =
            (bigEndian ? bytes.bigEndian(UInt16.self, at: 18) : bytes.littleEndian(UInt16.self, at: 18)) ?? 0
        guard bytes[4] == 2, bytes[5] == 1, bytes.count >= 64 else {
            self.isWide = false
            self.segments = []
            self.end = 64
            self.sectionHeaders = (0, 0, 0, 0)
            return
        }
        self.isWide = true
        func word(_ offset: Int) -> UInt64 { bytes.littleEndian(UInt64.self, at: offset) ?? 0 }
        func half(_ offset: Int) -> UInt64 { UInt64(bytes.littleEndian(UInt16.self, at: offset) ?? 0) }

        var end: UInt64 = 64
        var segments = [Segment]()
        let segmentTable = word(32), segmentSize = half(54), segmentCount = half(56)
        end = max(end, segmentTable.saturatingAdding(segmentSize * segmentCount))
        if segmentSize >= 56 {
            for index in 0..<segmentCount {
                let start = segmentTable.saturatingAdding(index * segmentSize)
                guard let range = bytes.range(at: start, length: 56) else { break }
                let segment = Segment(
                    type: bytes.littleEndian(UInt32.self, at: range.lowerBound) ?? 0,
                    offset: word(range.lowerBound + 8), fileSize: word(range.lowerBound + 32),
                    alignment: word(range.lowerBound + 48))
                segments.append(segment)
                end = max(end, segment.offset.saturatingAdding(segment.fileSize))
            }
        }
        let sectionTable = word(40), sectionSize = half(58), sectionCount = half(60)
        if sectionTable != 0 {
            end = max(end, sectionTable.saturatingAdding(sectionSize * sectionCount))
        }
        self.segments = segments
        self.end = end
        self.sectionHeaders = (sectionTable, sectionSize, Int(sectionCount), Int(half(62)))
    }

    /// The sections, in the file's order; those whose header lies outside the file are left out.
    var sections: [Section] {
        let table = sectionHeaders
        guard table.size >= 64 else { return [] }
        func header(_ index: Int) -> Int? {
            let start = table.offset.saturatingAdding(UInt64(index) * table.size)
            return bytes.range(at: start, length: 64)?.lowerBound
        }
        func word(_ offset: Int) -> UInt64 { bytes.littleEndian(UInt64.self, at: offset) ?? 0 }
        guard let names = header(table.names) else { return [] }
        guard let nameRange = bytes.range(at: word(names + 24), length: word(names + 32)) else { return [] }
        var sections = [Section]()
        for index in 0..<table.count {
            guard let start = header(index) else { break }
            let nameOffset = Int(bytes.littleEndian(UInt32.self, at: start) ?? 0)
            guard nameOffset < nameRange.count else { continue }
            let name = bytes.text(at: nameRange.lowerBound + nameOffset, limit: 256) ?? ""
            sections.append(
                Section(
                    name: name, type: bytes.littleEndian(UInt32.self, at: start + 4) ?? 0,
                    offset: word(start + 24), size: word(start + 32)))
        }
        return sections
    }

    /// The bytes of the section with this name; nil where there is none or it lies outside the file.
    func contents(ofSection name: String) -> ArraySlice<UInt8>? {
        guard let section = sections.first(where: { $0.name == name && $0.type != 8 }),
            let range = bytes.range(at: section.offset, length: section.size)
        else { return nil }
        return bytes[range]
    }

    /// One note of a PT_NOTE segment.
    struct Note {
        var owner: String
        var type: UInt32
        var value: ArraySlice<UInt8>
    }

    /// All notes of the PT_NOTE segments, in order.
    var notes: [Note] {
        var notes = [Note]()
        for segment in segments where segment.type == 4 {
            guard let range = bytes.range(at: segment.offset, length: segment.fileSize) else { continue }
            let alignment = segment.alignment == 8 ? 8 : 4
            func rounded(_ size: Int) -> Int { (size + alignment - 1) / alignment * alignment }
            var offset = range.lowerBound
            while offset + 12 <= range.upperBound {
                let nameSize = Int(bytes.littleEndian(UInt32.self, at: offset) ?? 0)
                let valueSize = Int(bytes.littleEndian(UInt32.self, at: offset + 4) ?? 0)
                let type = bytes.littleEndian(UInt32.self, at: offset + 8) ?? 0
                let value = rounded(offset + 12 + nameSize - range.lowerBound) + range.lowerBound
                guard value + valueSize <= range.upperBound else { break }
                notes.append(
                    Note(
                        owner: bytes.text(at: offset + 12, limit: nameSize) ?? "", type: type,
                        value: bytes[value..<(value + valueSize)]))
                offset = rounded(value + valueSize - range.lowerBound) + range.lowerBound
            }
        }
        return notes
    }

    /// A machine's name as `uname -m` prints it.
    var machineName: String {
        switch machine {
        case 3: "i386"
        case 8: "mips"
        case 20: "ppc"
        case 21: "ppc64"
        case 22: "s390x"
        case 40: "arm"
        case 62: "x86_64"
        case 183: "aarch64"
        case 243: "riscv64"
        case 258: "loongarch64"
        default: "machine \(machine)"
        }
    }
}

extension UInt64 {
    /// The sum, or the largest value where it does not fit.
    func saturatingAdding(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
