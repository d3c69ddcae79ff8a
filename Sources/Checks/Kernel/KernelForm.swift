import RootfsModel

/// What a kernel's file is, by its first bytes.
enum KernelForm: Hashable {
    case elf(machine: UInt16)
    /// x86's compressed kernel (Documentation/arch/x86/boot.rst).
    case bzImage
    /// arm64's flat kernel (Documentation/arch/arm64/booting.rst).
    case arm64Image
    case other

    /// - Parameter head: the file's first 1,024 bytes, or all where it has fewer.
    init(_ head: [UInt8]) {
        func has(_ text: [UInt8], at offset: Int) -> Bool {
            head.count >= offset + text.count && head[offset..<(offset + text.count)].elementsEqual(text)
        }
        if has([0x7F, 0x45, 0x4C, 0x46], at: 0), head.count >= 20 {
            let isBigEndian = head[5] == 2
            let first = UInt16(head[isBigEndian ? 18 : 19])
            self = .elf(machine: first << 8 | UInt16(head[isBigEndian ? 19 : 18]))
        } else if has(Array("HdrS".utf8), at: 0x202) {
            self = .bzImage
        } else if has(Array("ARMd".utf8), at: 0x38) {
            self = .arm64Image
        } else {
            self = .other
        }
    }

    var name: String {
        switch self {
        case .elf: "an ELF file"
        case .bzImage: "a bzImage"
        case .arm64Image: "an arm64 Image"
        case .other: "no kernel"
        }
    }

    /// The architecture's name in Debian; nil where it is not one that a microVM has.
    var architecture: String? {
        switch self {
        case .elf(62), .bzImage: "amd64"
        case .elf(183), .arm64Image: "arm64"
        case .elf(3): "i386"
        default: nil
        }
    }
}
