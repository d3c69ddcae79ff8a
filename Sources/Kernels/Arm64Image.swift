import RootfsModel

/// The arm64 kernel as it lies under /boot: a 64-byte header, then the kernel uncompressed
/// (Documentation/arch/arm64/booting.rst). A microVM starts it as it is.
enum Arm64Image {
    static func isRecognized(_ bytes: [UInt8]) -> Bool {
        bytes.holds(Array("ARM\u{64}".utf8), at: 56)
    }

    /// How many bytes the file must have: where the sections of its PE header end, for an Image that EFI can start
    /// too; nil for one without.
    static func fileSize(_ bytes: [UInt8]) -> UInt64? {
        guard bytes.holds(Array("MZ".utf8), at: 0), let header = bytes.littleEndian(UInt32.self, at: 0x3C),
            bytes.holds([0x50, 0x45, 0, 0], at: Int(header)),
            let sections = bytes.littleEndian(UInt16.self, at: Int(header) + 6),
            let optionalSize = bytes.littleEndian(UInt16.self, at: Int(header) + 20)
        else { return nil }
        let table = Int(header) + 24 + Int(optionalSize)
        var end: UInt64 = 0
        for index in 0..<Int(sections) {
            guard let size = bytes.littleEndian(UInt32.self, at: table + index * 40 + 16),
                let offset = bytes.littleEndian(UInt32.self, at: table + index * 40 + 20)
            else { break }
            end = max(end, UInt64(size) + UInt64(offset))
        }
        return end
    }
}

/// A kernel wrapped into a program for EFI (drivers/firmware/efi/libstub/zboot.lds of the Linux kernel).
enum EFIZboot {
    static func isRecognized(_ bytes: [UInt8]) -> Bool {
        bytes.holds(Array("MZ".utf8), at: 0) && bytes.holds(Array("zimg".utf8), at: 4)
    }
}
