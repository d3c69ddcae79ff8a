import RootfsModel

/// `/etc/ld.so.cache`, which ldconfig writes: names and where they are (glibc, sysdeps/generic/dl-cache.h). It may stand
/// behind one of the old form, which is skipped; damaged bytes give fewer entries or none.
struct LoaderCache {
    struct Entry: Hashable {
        var path: [UInt8]
        /// What kind of object: FLAG_ELF_LIBC6 and the machine's.
        var flags: UInt32
        /// The folder below glibc-hwcaps that it is in: `x86-64-v3`; nil for what every processor can load.
        var capability: String?
    }

    private static let magic = Array("glibc-ld.so.cache1.1".utf8)
    private static let oldMagic = Array("ld.so-1.7.0".utf8)
    private static let hasExtension: UInt64 = 1 << 62

    /// By name, in ldconfig's order: the one that the loader prefers first.
    private(set) var entries: [[UInt8]: [Entry]] = [:]

    /// nil where the bytes are no cache.
    init?(_ bytes: [UInt8]) {
        var start = 0
        if bytes.starts(with: Self.oldMagic) {
            let old = ElfFields(bytes: bytes, isWide: true, isBigEndian: false)
            start = (16 + Int(old.word(12)) * 12 + 7) / 8 * 8
        }
        guard start + 48 <= bytes.count, bytes[start...].starts(with: Self.magic) else { return nil }
        // The byte order: 2 is little, 3 big; 0 means the host's, which glibc before 2.33 left open.
        let fields = ElfFields(bytes: Array(bytes[start...]), isWide: true, isBigEndian: bytes[start + 28] & 3 == 3)
        let capabilities = Self.capabilities(fields)
        let count = min(Int(fields.word(20)), (fields.bytes.count - 48) / 24)
        for index in 0..<count {
            let place = 48 + index * 24
            guard let name = Self.text(fields, at: fields.word(place + 4)),
                let path = Self.text(fields, at: fields.word(place + 8))
            else { continue }
            let hardware = fields.number(UInt64.self, place + 16)
            var capability: String?
            if hardware != 0 {
                // What is left are masks of processors that glibc 2.37 and later know no more.
                guard hardware & Self.hasExtension != 0, let known = capabilities[UInt32(truncatingIfNeeded: hardware)]
                else { continue }
                capability = known
            }
            entries[name, default: []].append(
                Entry(path: path, flags: fields.word(place), capability: capability))
        }
    }

    /// The names of glibc-hwcaps folders by their number, from the cache's extension.
    private static func capabilities(_ fields: ElfFields) -> [UInt32: String] {
        let start = Int(fields.word(32))
        guard start > 0, start + 8 <= fields.bytes.count, fields.word(start) == 0xEAA4_2174 else { return [:] }
        let sections = min(Int(fields.word(start + 4)), (fields.bytes.count - start - 8) / 16)
        var names = [UInt32: String]()
        for index in 0..<sections {
            let section = start + 8 + index * 16
            guard fields.word(section) == 1 else { continue }
            let table = Int(fields.word(section + 8))
            let count = min(Int(fields.word(section + 12)) / 4, max(0, fields.bytes.count - table) / 4)
            for number in 0..<count {
                if let name = text(fields, at: fields.word(table + number * 4)) {
                    names[UInt32(number)] = String(decoding: name, as: UTF8.self)
                }
            }
        }
        return names
    }

    private static func text(_ fields: ElfFields, at offset: UInt32) -> [UInt8]? {
        let start = Int(offset)
        guard start < fields.bytes.count, let end = fields.bytes[start...].prefix(4097).firstIndex(of: 0) else {
            return nil
        }
        return Array(fields.bytes[start..<end])
    }
}
