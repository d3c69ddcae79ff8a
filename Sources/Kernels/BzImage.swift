public import RootfsModel

/// An x86 kernel as it lies under /boot: real-mode setup code with a header, then a program that carries the
/// compressed kernel and unpacks it (Documentation/arch/x86/boot.rst of the Linux kernel).
public struct BzImage: Sendable {
    /// The boot protocol's version, major in the high byte: 0x020F is 2.15.
    public let protocolVersion: UInt16
    /// `6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org) #1 SMP …` out of the setup code; nil where it has none.
    public let version: String?
    public let compression: PayloadCompression
    /// Where the payload stands in the file, with the size that the kernel's build appends to it.
    public let payload: Range<Int>
    /// How many bytes the payload gives, by its own last four bytes.
    public let uncompressedSize: Int

    private let bytes: [UInt8]

    /// The largest kernel this believes in; the largest built so far, with everything in it, has about 500 MB.
    static let largestKernel = 1 << 30

    /// Whether the bytes have a boot header's two marks.
    static func isRecognized(_ bytes: [UInt8]) -> Bool {
        bytes.holds([0x55, 0xAA], at: 0x1FE) && bytes.holds(Array("HdrS".utf8), at: 0x202)
    }

    /// Reads the boot header. A failure's message is a reason: `truncated: 1,024 of 14,184,960 bytes`.
    public init(_ bytes: [UInt8]) throws(Failure) {
        guard Self.isRecognized(bytes) else { throw Failure("not a kernel: it has no boot header") }
        guard let setupSectors = bytes.littleEndian(UInt8.self, at: 0x1F1),
            let systemSize = bytes.littleEndian(UInt32.self, at: 0x1F4),
            let version = bytes.littleEndian(UInt16.self, at: 0x206),
            let versionOffset = bytes.littleEndian(UInt16.self, at: 0x20E),
            let flags = bytes.littleEndian(UInt8.self, at: 0x211)
        else { throw Failure("truncated: \(grouped(bytes.count)) bytes, less than a boot header") }
        guard version >= 0x0208 else {
            throw Failure(
                "its boot protocol \(version >> 8).\(version & 0xFF < 10 ? "0" : "")\(version & 0xFF) does not say where the kernel is",
                hint: "Linux 2.6.26 and newer have protocol 2.08, which does")
        }
        guard flags & 1 == 1 else { throw Failure("a zImage, not a bzImage") }
        guard let payloadOffset = bytes.littleEndian(UInt32.self, at: 0x248),
            let payloadLength = bytes.littleEndian(UInt32.self, at: 0x24C)
        else { throw Failure("truncated: \(grouped(bytes.count)) bytes, less than a boot header") }

        // 0 means 4, for the oldest loaders; the boot sector itself is not counted.
        let setup = (setupSectors == 0 ? 4 : Int(setupSectors)) * 512 + 512
        let start = setup + Int(payloadOffset)
        let end = start + Int(payloadLength)
        let whole = max(end, setup + Int(systemSize) * 16)
        guard end <= bytes.count else {
            throw Failure("truncated: \(grouped(bytes.count)) of \(grouped(whole)) bytes")
        }
        guard payloadLength > 4, payloadOffset > 0 else {
            throw Failure("its boot header names no payload")
        }
        guard let compression = PayloadCompression(recognizing: bytes, at: start) else {
            let first = bytes[start..<min(end, start + 4)].map { byte in
                (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
            throw Failure("its payload begins with \(first.joined(separator: " ")): no compression that Linux has")
        }
        let size = Int(bytes.littleEndian(UInt32.self, at: end - 4) ?? 0)
        guard size > 0, size <= Self.largestKernel else {
            throw Failure("damaged: its payload promises a kernel of \(grouped(size)) bytes")
        }
        self.protocolVersion = version
        self.version = versionOffset == 0 ? nil : bytes.text(at: Int(versionOffset) + 0x200, limit: 512)
        self.compression = compression
        self.payload = start..<end
        self.uncompressedSize = size
        self.bytes = bytes
    }

    /// What the payload holds: the ELF kernel, with the relocations that some kernels carry behind it.
    /// Byte for byte what the kernel's scripts/extract-vmlinux prints.
    public func decompressedPayload() throws(Failure) -> [UInt8] {
        // The appended size is gzip's own last field, but foreign bytes behind all other streams.
        let stream = compression == .gzip ? payload : payload.lowerBound..<(payload.upperBound - 4)
        let result = try compression.decompress(bytes[stream], name: "its payload", limit: uncompressedSize)
        guard result.count == uncompressedSize else {
            throw Failure(
                "damaged: its payload gives \(grouped(result.count)) of \(grouped(uncompressedSize)) bytes")
        }
        return result
    }
}
