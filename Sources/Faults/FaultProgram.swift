/// A small x86_64 program made of bytes, for faults that lie in a program's file: what it needs that is not there.
/// It does nothing but end with status 0, or, with `usesAVX2`, execute one AVX2 instruction before.
///
/// One load segment at a fixed address holds everything; sources: System V ABI and its x86-64 supplement, "Linux
/// extensions to the gABI" for the property note.
struct FaultProgram {
    /// nil for a program that is linked with nothing.
    var interpreter: String?
    /// DT_NEEDED.
    var needed: [String] = []
    /// A version that the first needed library would have to define.
    var version: String?
    /// Bits of GNU_PROPERTY_X86_ISA_1_NEEDED; 0 for no note. Bit 2 is x86-64-v3.
    var neededISA: UInt32 = 0
    var usesAVX2 = false

    private static let base: UInt64 = 0x400000
    private static let headerSize = 64
    private static let segmentSize = 56

    var bytes: [UInt8] {
        // Headers first, at places that are known before anything else is.
        let segments = 1 + (interpreter == nil ? 0 : 2) + (neededISA == 0 ? 0 : 2)
        var file = [UInt8](repeating: 0, count: Self.headerSize + segments * Self.segmentSize)
        func align(_ to: Int = 8) { while file.count % to != 0 { file.append(0) } }
        func address(_ offset: Int) -> UInt64 { Self.base + UInt64(offset) }
        var table = [UInt8]()
        func addSegment(_ type: UInt32, flags: UInt32, offset: Int, size: Int, alignment: UInt64) {
            table += number(type) + number(flags) + number(UInt64(offset))
            table += number(address(offset)) + number(address(offset))
            table += number(UInt64(size)) + number(UInt64(size)) + number(alignment)
        }
        var parts = [(type: UInt32, offset: Int, size: Int, alignment: UInt64)]()

        if let interpreter {
            let text = Array(interpreter.utf8) + [0]
            parts.append((3, file.count, text.count, 1))
            file += text
        }
        if neededISA != 0 {
            align()
            let property = number(UInt32(0xC000_8002)) + number(UInt32(4)) + number(neededISA) + number(UInt32(0))
            let note = number(UInt32(4)) + number(UInt32(property.count)) + number(UInt32(5)) + Array("GNU\0".utf8)
            // As PT_NOTE and as PT_GNU_PROPERTY: glibc reads the first for x86.
            for type in [4, 0x6474_E553] as [UInt32] {
                parts.append((type, file.count, note.count + property.count, 8))
            }
            file += note + property
        }
        align()
        let entry = file.count
        // vpaddd %ymm0, %ymm0, %ymm0
        if usesAVX2 { file += [0xC5, 0xFD, 0xFE, 0xC0] }
        // exit(0): mov $60, %eax; xor %edi, %edi; syscall
        file += [0xB8, 60, 0, 0, 0, 0x31, 0xFF, 0x0F, 0x05]
        if interpreter != nil {
            align()
            let dynamic = addDynamic(to: &file)
            parts.append((2, dynamic.offset, dynamic.size, 8))
        }
        // The loader writes into the dynamic section.
        addSegment(1, flags: 7, offset: 0, size: file.count, alignment: 0x1000)
        for part in parts.sorted(by: { $0.type == 3 && $1.type != 3 }) {
            addSegment(part.type, flags: 4, offset: part.offset, size: part.size, alignment: part.alignment)
        }
        file.replaceSubrange(Self.headerSize..<Self.headerSize + table.count, with: table)
        file.replaceSubrange(0..<Self.headerSize, with: header(entry: address(entry), segments: segments))
        return file
    }

    private func header(entry: UInt64, segments: Int) -> [UInt8] {
        // ELF, 64 bits, little-endian, version 1, System V; an executable for x86-64.
        var header: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0] + [UInt8](repeating: 0, count: 8)
        header += number(UInt16(2)) + number(UInt16(62)) + number(UInt32(1)) + number(entry)
        header += number(UInt64(Self.headerSize)) + number(UInt64(0)) + number(UInt32(0))
        header += number(UInt16(Self.headerSize)) + number(UInt16(Self.segmentSize)) + number(UInt16(segments))
        return header + number(UInt16(64)) + number(UInt16(0)) + number(UInt16(0))
    }

    /// Strings, one empty symbol, versions, and the section that names them; where it lies.
    private func addDynamic(to file: inout [UInt8]) -> (offset: Int, size: Int) {
        var strings: [UInt8] = [0]
        func place(_ text: String) -> UInt64 {
            defer { strings += Array(text.utf8) + [0] }
            return UInt64(strings.count)
        }
        func address(_ offset: Int) -> UInt64 { Self.base + UInt64(offset) }
        var entries = needed.map { (tag: UInt64(1), value: place($0)) }
        let symbols = file.count
        file += [UInt8](repeating: 0, count: 24)
        entries += [(6, address(symbols)), (11, 24)]
        // Nobody finds anything in a table of one bucket and one empty symbol.
        let hash = file.count
        file += [1, 1, 0, 0].flatMap { number(UInt32($0)) }
        entries.append((4, address(hash)))
        if let version, let library = needed.first {
            let versions = file.count
            file += number(UInt16(0))
            while file.count % 8 != 0 { file.append(0) }
            let need = file.count
            file += number(UInt16(1)) + number(UInt16(1)) + number(UInt32(truncatingIfNeeded: place(library)))
            file += number(UInt32(16)) + number(UInt32(0))
            file += number(Self.hash(version)) + number(UInt16(0)) + number(UInt16(2))
            file += number(UInt32(truncatingIfNeeded: place(version))) + number(UInt32(0))
            entries += [(0x6FFF_FFF0, address(versions)), (0x6FFF_FFFE, address(need)), (0x6FFF_FFFF, 1)]
        }
        let text = file.count
        file += strings
        entries += [(5, address(text)), (10, UInt64(strings.count)), (0, 0)]
        while file.count % 8 != 0 { file.append(0) }
        let offset = file.count
        file += entries.flatMap { number($0.tag) + number($0.value) }
        return (offset, entries.count * 16)
    }

    /// The hash of the System V ABI.
    private static func hash(_ name: String) -> UInt32 {
        var hash: UInt32 = 0
        for byte in name.utf8 {
            hash = (hash << 4) &+ UInt32(byte)
            hash = (hash ^ (hash & 0xF000_0000) >> 24) & 0x0FFF_FFFF
        }
        return hash
    }

    private func number(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}
