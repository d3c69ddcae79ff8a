import RootfsModel

/// Reads an `ElfFile` out of its bytes. Counts and sizes are a stranger's: nothing is taken that is not in the file, and
/// no chain is followed longer than the file could hold.
struct ElfReader {
    enum SegmentType {
        static let load: UInt32 = 1
        static let dynamic: UInt32 = 2
        static let interpreter: UInt32 = 3
        static let note: UInt32 = 4
        static let gnuProperty: UInt32 = 0x6474_E553
    }

    private enum Tag {
        static let null: UInt64 = 0
        static let needed: UInt64 = 1
        static let hash: UInt64 = 4
        static let strings: UInt64 = 5
        static let symbols: UInt64 = 6
        static let stringsSize: UInt64 = 10
        static let soname: UInt64 = 14
        static let rpath: UInt64 = 15
        static let runpath: UInt64 = 29
        static let gnuHash: UInt64 = 0x6FFF_FEF5
        static let flags1: UInt64 = 0x6FFF_FFFB
        static let definedVersions: UInt64 = 0x6FFF_FFFC
        static let neededVersions: UInt64 = 0x6FFF_FFFE
    }

    static let magic: [UInt8] = [0x7F, 0x45, 0x4C, 0x46]
    /// No toolchain writes as many dynamic entries, versions or bytes of notes.
    private static let mostEntries: UInt64 = 1 << 14
    private static let mostVersions = 1 << 14
    private static let mostNoteBytes: UInt64 = 1 << 16

    private let bytes: ElfBytes
    private var file: ElfFile

    init(_ bytes: ElfBytes) {
        self.bytes = bytes
        self.file = ElfFile(size: bytes.size)
    }

    /// nil where the bytes do not begin as an ELF file.
    mutating func wholeFile() throws -> ElfFile? {
        guard let identification = try bytes.bytes(at: 0, length: 4), identification == Self.magic else { return nil }
        if try readHeader() {
            if file.isCutOff { note("is cut off: \(file.size) bytes where its segments end at \(file.loadedEnd)") }
            try readInterpreter()
            try readDynamicSection()
            try readNotes()
        } else {
            file.isUnreadable = true
        }
        return file
    }

    private mutating func note(_ defect: String) {
        if file.defect == nil { file.defect = defect }
    }

    private func fields(at offset: UInt64, length: UInt64) throws -> ElfFields? {
        try bytes.bytes(at: offset, length: length).map {
            ElfFields(bytes: $0, isWide: file.isWide, isBigEndian: file.isBigEndian)
        }
    }

    /// The file's header and its segments; false where nothing else can be read.
    private mutating func readHeader() throws -> Bool {
        guard let start = try bytes.bytes(at: 0, length: 16) else {
            note("is too short for an ELF header")
            return false
        }
        guard start[4] == 1 || start[4] == 2, start[5] == 1 || start[5] == 2 else {
            note("has an invalid ELF header: class \(start[4]), byte order \(start[5])")
            return false
        }
        file.isWide = start[4] == 2
        file.isBigEndian = start[5] == 2
        guard let header = try fields(at: 0, length: file.isWide ? 64 : 52) else {
            note("is too short for an ELF header")
            return false
        }
        switch header.half(16) {
        case 1: file.kind = .relocatable
        case 2: file.kind = .executable
        case 3: file.kind = .shared
        case 4: file.kind = .core
        case let other: file.kind = .other(other)
        }
        file.machine = header.half(18)
        file.flags = header.word(file.isWide ? 48 : 36)
        let table = header.long(file.isWide ? 32 : 28)
        let entrySize = UInt64(header.half(file.isWide ? 54 : 42))
        let count = UInt64(header.half(file.isWide ? 56 : 44))
        if count == 0 { return true }
        let wanted: UInt64 = file.isWide ? 56 : 32
        guard entrySize == wanted else {
            note("has program headers of \(entrySize) bytes instead of \(wanted)")
            return false
        }
        guard let headers = try fields(at: table, length: count * wanted) else {
            note("has its program headers outside the file")
            return false
        }
        file.segments = (0..<Int(count)).map { index in
            let start = index * Int(wanted)
            return file.isWide
                ? ElfFile.Segment(
                    type: headers.word(start), flags: headers.word(start + 4), offset: headers.long(start + 8),
                    address: headers.long(start + 16),
                    fileSize: headers.long(start + 32), memorySize: headers.long(start + 40),
                    alignment: headers.long(start + 48))
                : ElfFile.Segment(
                    type: headers.word(start), flags: headers.word(start + 24), offset: headers.long(start + 4),
                    address: headers.long(start + 8),
                    fileSize: headers.long(start + 16), memorySize: headers.long(start + 20),
                    alignment: headers.long(start + 28))
        }
        return true
    }

    private mutating func readInterpreter() throws {
        guard let segment = file.segments.first(where: { $0.type == SegmentType.interpreter }) else { return }
        // The kernel's own limits: 2 ... PATH_MAX bytes with a NUL at the end (load_elf_binary).
        guard (2...4096).contains(segment.fileSize),
            let path = try bytes.bytes(at: segment.offset, length: segment.fileSize), path.last == 0
        else {
            note("has an interpreter that is no path")
            return
        }
        file.interpreter = Array(path.prefix { $0 != 0 })
    }

    private mutating func readDynamicSection() throws {
        guard let segment = file.segments.first(where: { $0.type == SegmentType.dynamic }) else { return }
        let entrySize: UInt64 = file.isWide ? 16 : 8
        let count = min(segment.fileSize / entrySize, Self.mostEntries)
        guard let entries = try fields(at: segment.offset, length: count * entrySize) else {
            // Split debug files keep the header of a section that they do not have.
            note("has its dynamic section outside the file")
            return
        }
        file.isDynamic = true
        var needed = [UInt64]()
        var soname: UInt64?
        var rpath: UInt64?
        var runpath: UInt64?
        var definitions: UInt64?
        var needs: UInt64?
        for index in 0..<Int(count) {
            let start = index * Int(entrySize)
            let value = entries.long(start + Int(entrySize / 2))
            let tag = entries.long(start)
            if tag == Tag.null { break }
            switch tag {
            case Tag.needed: needed.append(value)
            case Tag.hash: file.symbolTables.hash = value
            case Tag.strings: file.symbolTables.strings = value
            case Tag.symbols: file.symbolTables.symbols = value
            case Tag.stringsSize: file.symbolTables.stringsSize = value
            case Tag.soname: soname = value
            case Tag.rpath: rpath = value
            case Tag.runpath: runpath = value
            case Tag.gnuHash: file.symbolTables.gnuHash = value
            case Tag.flags1:
                file.ignoresDefaultLibraries = value & 0x800 != 0
                file.isPositionIndependentProgram = value & 0x0800_0000 != 0
            case Tag.definedVersions: definitions = value
            case Tag.neededVersions: needs = value
            default: break
            }
        }
        file.soname = try string(soname)
        file.rpath = try string(rpath)
        file.runpath = try string(runpath)
        for offset in needed {
            if let name = try string(offset) { file.needed.append(name) }
        }
        if let definitions { try readDefinedVersions(at: definitions) }
        if let needs { try readNeededVersions(at: needs) }
    }

    /// A string of the dynamic section, by its offset in the string table.
    private mutating func string(_ index: UInt64?) throws -> [UInt8]? {
        guard let index else { return nil }
        let tables = file.symbolTables
        guard index < tables.stringsSize, let table = tables.strings, let start = file.offset(of: table),
            let text = try bytes.string(at: start.addingReportingOverflow(index).partialValue)
        else {
            note("has a name outside its string table")
            return nil
        }
        return text
    }

    /// DT_VERDEF: a chain of definitions, each with the offset of the next and of its first name.
    private mutating func readDefinedVersions(at address: UInt64) throws {
        file.definedVersions = []
        guard var offset = file.offset(of: address) else {
            note("has its version definitions outside the file")
            return
        }
        for _ in 0..<Self.mostVersions {
            guard let definition = try fields(at: offset, length: 20),
                let auxiliary = try fields(
                    at: offset.addingReportingOverflow(UInt64(definition.word(12))).partialValue, length: 8),
                let name = try string(UInt64(auxiliary.word(0)))
            else {
                note("has its version definitions outside the file")
                return
            }
            file.definedVersions?.append(String(decoding: name, as: UTF8.self))
            let next = UInt64(definition.word(16))
            if next == 0 { return }
            offset = offset.addingReportingOverflow(next).partialValue
        }
        note("has a chain of version definitions without an end")
    }

    /// DT_VERNEED: a chain of files, each with a chain of versions.
    private mutating func readNeededVersions(at address: UInt64) throws {
        guard var offset = file.offset(of: address) else {
            note("has its needed versions outside the file")
            return
        }
        var left = Self.mostVersions
        while left > 0 {
            left -= 1
            guard let need = try fields(at: offset, length: 16), let object = try string(UInt64(need.word(4))) else {
                note("has its needed versions outside the file")
                return
            }
            var place = offset.addingReportingOverflow(UInt64(need.word(8))).partialValue
            var more = need.half(2) > 0
            while more, left > 0 {
                left -= 1
                guard let version = try fields(at: place, length: 16), let name = try string(UInt64(version.word(8)))
                else {
                    note("has its needed versions outside the file")
                    return
                }
                file.neededVersions.append(
                    ElfFile.VersionNeed(
                        file: object, name: String(decoding: name, as: UTF8.self), isWeak: version.half(4) & 2 != 0))
                let step = UInt64(version.word(12))
                more = step != 0
                place = place.addingReportingOverflow(step).partialValue
            }
            let next = UInt64(need.word(12))
            if next == 0 { return }
            offset = offset.addingReportingOverflow(next).partialValue
        }
        note("has a chain of needed versions without an end")
    }

    private mutating func readNotes() throws {
        for segment in file.segments where [SegmentType.note, SegmentType.gnuProperty].contains(segment.type) {
            guard let notes = try fields(at: segment.offset, length: min(segment.fileSize, Self.mostNoteBytes)) else {
                note("has its notes outside the file")
                continue
            }
            let alignment = segment.alignment == 8 ? 8 : 4
            var start = 0
            while start + 12 <= notes.bytes.count {
                let nameSize = Int(notes.word(start))
                let valueSize = Int(notes.word(start + 4))
                let type = notes.word(start + 8)
                let value = (start + 12 + nameSize).rounded(upTo: alignment)
                guard value + valueSize <= notes.bytes.count else { break }
                if nameSize == 4, notes.bytes[(start + 12)..<(start + 16)].elementsEqual("GNU\0".utf8) {
                    if type == 1, valueSize >= 16, notes.word(value) == 0 {
                        file.oldestKernel = [4, 8, 12].map { notes.word(value + $0) }
                    }
                    if type == 5 { readProperties(notes, value..<(value + valueSize)) }
                }
                start = (value + valueSize).rounded(upTo: alignment)
            }
        }
    }

    /// NT_GNU_PROPERTY_TYPE_0: properties, each padded to a word.
    private mutating func readProperties(_ notes: ElfFields, _ range: Range<Int>) {
        var start = range.lowerBound
        while start + 8 <= range.upperBound {
            let size = Int(notes.word(start + 4))
            guard start + 8 + size <= range.upperBound else { return }
            // GNU_PROPERTY_X86_ISA_1_NEEDED, …_USED
            if notes.word(start) == 0xC000_8002, size == 4 { file.neededISA |= notes.word(start + 8) }
            if notes.word(start) == 0xC001_0002, size == 4 { file.usedISA |= notes.word(start + 8) }
            start = (start + 8 + size).rounded(upTo: file.isWide ? 8 : 4)
        }
    }
}

extension Int {
    fileprivate func rounded(upTo alignment: Int) -> Int {
        (self + alignment - 1) / alignment * alignment
    }
}
