/// A small ELF file made from what a test wants the loader to see: one load segment over the whole file, a dynamic
/// section, versions and notes.
struct ElfFixture {
    var isWide = true
    var isBigEndian = false
    var machine: UInt16 = 62
    var kind: UInt16 = 3
    var interpreter: String?
    var soname: String?
    var needed: [String] = []
    var rpath: String?
    var runpath: String?
    var flags1: UInt64 = 0
    var needs: [(file: String, versions: [String])] = []
    var weakNeeds: Set<String> = []
    var defines: [String] = []
    var isa: UInt32 = 0
    var kernel: [UInt32] = []
    /// The first bytes of a writable segment at an address that is a multiple of 16; none without any.
    var data: [UInt8] = []
    /// Names of dynamic symbols that it defines.
    var symbols: [String] = []

    private func number(_ value: some FixedWidthInteger) -> [UInt8] {
        let little = withUnsafeBytes(of: value.littleEndian) { Array($0) }
        return isBigEndian ? little.reversed() : little
    }

    private func long(_ value: Int) -> [UInt8] {
        isWide ? number(UInt64(value)) : number(UInt32(value))
    }

    var bytes: [UInt8] {
        let headerSize = isWide ? 64 : 52
        let segmentSize = isWide ? 56 : 32
        var strings: [UInt8] = [0]
        func place(_ text: String) -> Int {
            strings += Array(text.utf8) + [0]
            return strings.count - text.utf8.count - 1
        }
        var notes = [UInt8]()
        if isa != 0 {
            let property = number(UInt32(0xC000_8002)) + number(UInt32(4)) + number(isa) + [0, 0, 0, 0]
            notes += number(UInt32(4)) + number(UInt32(property.count)) + number(UInt32(5)) + Array("GNU\0".utf8)
            notes += property
        }
        if !kernel.isEmpty {
            notes += number(UInt32(4)) + number(UInt32(16)) + number(UInt32(1)) + Array("GNU\0".utf8)
            notes += number(UInt32(0)) + kernel.flatMap { number($0) }
        }
        var dynamic = [(tag: Int, value: Int)]()
        for name in needed { dynamic.append((1, place(name))) }
        if let soname { dynamic.append((14, place(soname))) }
        if let rpath { dynamic.append((15, place(rpath))) }
        if let runpath { dynamic.append((29, place(runpath))) }
        if flags1 != 0 { dynamic.append((0x6FFF_FFFB, Int(flags1))) }

        var versionNeeds = [UInt8]()
        for (index, need) in needs.enumerated() {
            let size = 16 + 16 * need.versions.count
            versionNeeds += number(UInt16(1)) + number(UInt16(need.versions.count)) + number(UInt32(place(need.file)))
            versionNeeds += number(UInt32(16)) + number(UInt32(index == needs.count - 1 ? 0 : size))
            for (number, version) in need.versions.enumerated() {
                versionNeeds += self.number(UInt32(0)) + self.number(UInt16(weakNeeds.contains(version) ? 2 : 0))
                versionNeeds += self.number(UInt16(2)) + self.number(UInt32(place(version)))
                versionNeeds += self.number(UInt32(number == need.versions.count - 1 ? 0 : 16))
            }
        }
        var definitions = [UInt8]()
        for (index, name) in defines.enumerated() {
            definitions += number(UInt16(1)) + number(UInt16(index == 0 ? 1 : 0)) + number(UInt16(index + 1))
            definitions += number(UInt16(1)) + number(UInt32(0)) + number(UInt32(20))
            definitions += number(UInt32(index == defines.count - 1 ? 0 : 28))
            definitions += number(UInt32(place(name))) + number(UInt32(0))
        }
        var table = [UInt8](repeating: 0, count: isWide ? 24 : 16)
        for symbol in symbols {
            let name = number(UInt32(place(symbol)))
            // Global, a function, in some section.
            table +=
                isWide
                ? name + [0x12, 0] + number(UInt16(1)) + number(UInt64(0)) + number(UInt64(0))
                : name + number(UInt32(0)) + number(UInt32(0)) + [0x12, 0] + number(UInt16(1))
        }
        let hash = number(UInt32(1)) + number(UInt32(symbols.count + 1))

        var segments = [(type: UInt32, offset: Int, size: Int)]()
        let count = 2 + (interpreter == nil ? 0 : 1) + (notes.isEmpty ? 0 : 1) + (data.isEmpty ? 0 : 1)
        var content = [UInt8]()
        func add(_ bytes: [UInt8]) -> Int {
            while (headerSize + segmentSize * count + content.count) % 8 != 0 { content.append(0) }
            let start = headerSize + segmentSize * count + content.count
            content += bytes
            return start
        }
        if let interpreter {
            let text = Array(interpreter.utf8) + [0]
            segments.append((3, add(text), text.count))
        }
        if !notes.isEmpty { segments.append((4, add(notes), notes.count)) }
        dynamic += [(6, add(table)), (4, add(hash)), (5, add(strings)), (10, strings.count)]
        if !needs.isEmpty { dynamic += [(0x6FFF_FFFE, add(versionNeeds)), (0x6FFF_FFFF, needs.count)] }
        if !defines.isEmpty { dynamic += [(0x6FFF_FFFC, add(definitions)), (0x6FFF_FFFD, defines.count)] }
        let section = (dynamic + [(0, 0)]).flatMap { long($0.tag) + long($0.value) }
        segments.append((2, add(section), section.count))
        if !data.isEmpty {
            while (headerSize + segmentSize * count + content.count) % 16 != 0 { content.append(0) }
            segments.append((1, add(data), data.count))
        }
        segments.insert((1, 0, headerSize + segmentSize * count + content.count), at: 0)

        var header: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, isWide ? 2 : 1, isBigEndian ? 2 : 1, 1]
        header += [UInt8](repeating: 0, count: 9)
        header += number(kind) + number(machine) + number(UInt32(1)) + long(0) + long(headerSize) + long(0)
        header += number(UInt32(0)) + number(UInt16(headerSize)) + number(UInt16(segmentSize))
        header += number(UInt16(count)) + number(UInt16(0)) + number(UInt16(0)) + number(UInt16(0))
        let headers = segments.flatMap { segment -> [UInt8] in
            let alignment = segment.type == 4 ? (isWide ? 8 : 4) : 8
            return isWide
                ? number(segment.type) + number(UInt32(segment.offset > 0 && segment.type == 1 ? 6 : 5))
                    + long(segment.offset) + long(segment.offset)
                    + long(segment.offset) + long(segment.size) + long(segment.size) + long(alignment)
                : number(segment.type) + long(segment.offset) + long(segment.offset) + long(segment.offset)
                    + long(segment.size) + long(segment.size) + number(UInt32(5)) + long(alignment)
        }
        return header + headers + content
    }
}
