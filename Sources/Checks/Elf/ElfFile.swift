public import RootfsModel

/// What the kernel and the dynamic loader see of an ELF file: headers, segments, the dynamic section, symbol versions
/// and the properties in its notes. Both classes, both byte orders. It follows addresses through the load segments,
/// as the loader does, and never needs section headers, which may be stripped. What lies outside the file is left
/// out and named in `defect`.
///
/// System V ABI, chapters 4 and 5; symbol versions: Linux Standard Base, core, 10.7; properties: the Linux extensions
/// to the gABI.
public struct ElfFile: Hashable, Sendable {
    /// e_type.
    public enum Kind: Hashable, Sendable {
        case relocatable, executable, shared, core
        case other(UInt16)
    }

    public struct Segment: Hashable, Sendable {
        /// p_type: 1 is PT_LOAD.
        public var type: UInt32
        /// p_flags: 1 execute, 2 write, 4 read.
        public var flags: UInt32
        public var offset: UInt64
        public var address: UInt64
        public var fileSize: UInt64
        public var memorySize: UInt64
        public var alignment: UInt64
    }

    /// A version that its symbols are bound to.
    public struct VersionNeed: Hashable, Sendable {
        /// The needed object that has to define it.
        public var file: [UInt8]
        /// `GLIBC_2.34`.
        public var name: String
        /// Whether the loader starts it without.
        public var isWeak: Bool
    }

    /// The file's size in bytes.
    public let size: UInt64
    public internal(set) var isWide = false
    public internal(set) var isBigEndian = false
    public internal(set) var kind = Kind.other(0)
    /// e_machine: 62 is x86-64, 183 arm64.
    public internal(set) var machine: UInt16 = 0
    public internal(set) var flags: UInt32 = 0
    public internal(set) var segments: [Segment] = []
    /// PT_INTERP, without the NUL; nil for libraries and static programs.
    public internal(set) var interpreter: [UInt8]?
    /// Whether it has a dynamic section.
    public internal(set) var isDynamic = false
    /// DT_SONAME.
    public internal(set) var soname: [UInt8]?
    /// DT_NEEDED, in order.
    public internal(set) var needed: [[UInt8]] = []
    /// DT_RPATH as it stands; the loader ignores it where there is a DT_RUNPATH.
    public internal(set) var rpath: [UInt8]?
    public internal(set) var runpath: [UInt8]?
    /// DT_FLAGS_1 has DF_1_NODEFLIB: the cache and the default directories are not for it.
    public internal(set) var ignoresDefaultLibraries = false
    /// DT_FLAGS_1 has DF_1_PIE: a program, though its kind says shared.
    public internal(set) var isPositionIndependentProgram = false
    /// Versions it needs, in order.
    public internal(set) var neededVersions: [VersionNeed] = []
    /// Versions it defines, with its own base version; nil where it has none at all.
    public internal(set) var definedVersions: [String]?
    /// GNU_PROPERTY_X86_ISA_1_NEEDED: bits for baseline, v2, v3, v4.
    public internal(set) var neededISA: UInt32 = 0
    /// GNU_PROPERTY_X86_ISA_1_USED, likewise: what some of its code uses, perhaps after a look at the processor.
    public internal(set) var usedISA: UInt32 = 0
    /// The oldest kernel that it runs on, from its ABI tag: `[3, 2, 0]`.
    public internal(set) var oldestKernel: [UInt32]?
    /// Whether its headers themselves are wrong, so that nothing can load it.
    public internal(set) var isUnreadable = false
    /// The first thing that is wrong with it, as a clause; nil for a sound file.
    public internal(set) var defect: String?
    /// Where the dynamic symbols are.
    var symbolTables = ElfSymbolTables()

    init(size: UInt64) {
        self.size = size
    }

    /// The headers of a file; nil where it does not begin as an ELF file. Throws what `read` throws, and nothing for
    /// any bytes.
    public init?(reading blob: Blob, with read: (_ blob: Blob, _ range: Range<UInt64>) throws -> [UInt8]) throws {
        let file: ElfFile? = try withoutActuallyEscaping(read) { read in
            var reader = ElfReader(ElfBytes(blob, read))
            return try reader.wholeFile()
        }
        guard let file else { return nil }
        self = file
    }

    /// Whether it is started, rather than loaded by another: it names an interpreter, or is of a kind that only
    /// programs are.
    public var isProgram: Bool {
        interpreter != nil || kind == .executable || isPositionIndependentProgram
    }

    /// A machine's name as `uname -m` prints it; `machine 123` for others.
    public var machineName: String {
        switch (machine, isWide, isBigEndian) {
        case (3, _, _): "i686"
        case (8, false, true): "mips"
        case (8, true, true): "mips64"
        case (8, false, false): "mipsel"
        case (8, true, false): "mips64el"
        case (20, _, _): "ppc"
        case (21, _, true): "ppc64"
        case (21, _, false): "ppc64le"
        case (22, true, _): "s390x"
        case (22, false, _): "s390"
        case (40, _, _): "arm"
        case (62, true, _): "x86_64"
        case (62, false, _): "x32"
        case (183, _, _): "aarch64"
        case (243, true, _): "riscv64"
        case (243, false, _): "riscv32"
        case (258, _, _): "loongarch64"
        default: "machine \(machine)"
        }
    }

    /// The end of the last byte that a load segment has in the file.
    public var loadedEnd: UInt64 {
        segments.reduce(0) { end, segment in
            guard segment.type == ElfReader.SegmentType.load else { return end }
            return max(end, segment.offset.addingReportingOverflow(segment.fileSize).partialValue)
        }
    }

    /// Whether bytes are missing at its end that it is to be loaded with: the process dies of SIGBUS.
    public var isCutOff: Bool {
        segments.contains { segment in
            guard segment.type == ElfReader.SegmentType.load else { return false }
            let (end, overflow) = segment.offset.addingReportingOverflow(segment.fileSize)
            return overflow || end > size
        }
    }

    /// Where in the file the byte of an address is.
    func offset(of address: UInt64) -> UInt64? {
        for segment in segments where segment.type == ElfReader.SegmentType.load && address >= segment.address {
            let distance = address - segment.address
            if distance < segment.fileSize {
                let (offset, overflow) = segment.offset.addingReportingOverflow(distance)
                return overflow ? nil : offset
            }
        }
        return nil
    }
}

/// Where the dynamic section says that symbols, their names and hashes are; addresses.
struct ElfSymbolTables: Hashable, Sendable {
    var symbols: UInt64?
    var strings: UInt64?
    var stringsSize: UInt64 = 0
    var hash: UInt64?
    var gnuHash: UInt64?
}
