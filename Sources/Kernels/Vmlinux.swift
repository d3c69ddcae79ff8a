public import RootfsModel

/// What a microVM starts: an ELF kernel or an arm64 Image, checked to be whole and for the wanted architecture.
public struct Vmlinux: Sendable {
    public enum Form: String, Sendable {
        /// An ELF executable: all amd64 kernels.
        case elf
        /// The flat arm64 Image.
        case arm64Image
    }

    public let form: Form
    public let architecture: KernelArchitecture
    /// The file's bytes, ready to be written.
    public let bytes: [UInt8]
    /// `Linux version 6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org) (gcc-12 …) #1 SMP …`; nil where the
    /// kernel does not hold its banner.
    public let banner: String?
    /// The GNU build-id in hexadecimal; nil where the linker left none. An arm64 Image has no notes to read it from.
    public let buildID: String?
    /// Whether a VMM can start it at its PVH entry (the note XEN_ELFNOTE_PHYS32_ENTRY).
    public let hasPVHEntry: Bool
    /// What it was taken from: `bzImage, lz4`, `ELF`, `arm64 Image, gzip`.
    public let origin: String

    /// `6.1.0-56-cloud-amd64`: the release out of the banner, the name of the directory of its modules.
    public var release: String? {
        banner?.split(separator: " ").dropFirst(2).first.map(String.init)
    }

    /// The configuration the kernel carries with it (CONFIG_IKCONFIG); nil where it carries none.
    public func embeddedConfiguration() throws(Failure) -> KernelConfig? {
        guard let mark = bytes.firstOffset(of: Array("IKCFG_ST".utf8)),
            let end = bytes.firstOffset(of: Array("IKCFG_ED".utf8), from: mark + 8)
        else { return nil }
        let text = try PayloadCompression.gzip.decompress(
            bytes[(mark + 8)..<end], name: "the configuration in the kernel", limit: 16 << 20)
        return KernelConfig(parsing: text)
    }

    /// `wanted` nil takes any architecture that has microVMs. A failure's message is the reason alone.
    init(elf: ELF, wanted: KernelArchitecture?, origin: String) throws(Failure) {
        let architecture = KernelArchitecture.allCases.first { $0.elfMachine == elf.machine && elf.isWide }
        if let wanted, wanted != architecture {
            throw Failure("ELF for \(elf.machineName), the recipe wants \(wanted.rawValue)")
        }
        guard let architecture else {
            throw Failure("ELF for \(elf.machineName), for which there is no microVM")
        }
        guard elf.end <= UInt64(elf.bytes.count) else {
            throw Failure("truncated: \(grouped(elf.bytes.count)) of \(grouped(elf.end)) bytes")
        }
        let banner = Self.findBanner(in: elf.bytes)
        guard elf.segments.contains(where: { $0.type == 1 && $0.fileSize > 0 }) else {
            throw Failure("not a kernel: an ELF with nothing to load")
        }
        let notes = elf.notes
        self.form = .elf
        self.architecture = architecture
        self.bytes = elf.bytes
        self.banner = banner
        self.buildID = notes.first { $0.owner == "GNU" && $0.type == 3 }.map { hexText($0.value) }
        self.hasPVHEntry = notes.contains { $0.owner == "Xen" && $0.type == 18 }
        self.origin = origin
    }

    init(arm64Image bytes: [UInt8], wanted: KernelArchitecture?, origin: String) throws(Failure) {
        if let wanted, wanted != .arm64 {
            throw Failure("arm64 Image, the recipe wants \(wanted.rawValue)")
        }
        if let size = Arm64Image.fileSize(bytes), size > UInt64(bytes.count) {
            throw Failure("truncated: \(grouped(bytes.count)) of \(grouped(size)) bytes")
        }
        self.form = .arm64Image
        self.architecture = .arm64
        self.bytes = bytes
        self.banner = Self.findBanner(in: bytes)
        self.buildID = nil
        self.hasPVHEntry = false
        self.origin = origin
    }

    /// The text `Linux version ` with a number behind it: the kernel also holds it with a `%s`. Since 6.1 it stands
    /// there twice, once without the build's number (`# SMP`), from before the last link; the one with it is printed.
    private static func findBanner(in bytes: [UInt8]) -> String? {
        let mark = Array("Linux version ".utf8)
        var first: String?
        var start = 0
        while let offset = bytes.firstOffset(of: mark, from: start) {
            start = offset + mark.count
            guard start < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[start]),
                let text = bytes.text(at: offset, limit: 1024)
            else { continue }
            let banner = String(text.prefix { !$0.isNewline })
            if !banner.contains(" # ") { return banner }
            first = first ?? banner
        }
        return first
    }
}
