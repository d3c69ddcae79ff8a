// Kernels knows the files a Linux kernel comes in and what a microVM needs of one: the bzImage and its seven
// payload formats, the ELF kernel inside, the arm64 Image, the configuration, the modules and their order, and
// the initrd that loads them. It works on bytes that the caller read: it opens no file, starts no program and
// knows no package; where it must look for a file it asks a closure. Everything read here may be hostile: every
// offset is checked, every size is bounded by what the header promised, and a refusal says why. The same input
// gives the same bytes out, always.

/// The architectures a microVM kernel is made for, by their Debian names.
public enum KernelArchitecture: String, Sendable, CaseIterable {
    case amd64
    case arm64

    /// The machine's name as `uname -m` prints it, which is how messages name an ELF.
    public var machineName: String {
        switch self {
        case .amd64: "x86_64"
        case .arm64: "aarch64"
        }
    }

    /// e_machine of its ELF files.
    var elfMachine: UInt16 {
        switch self {
        case .amd64: 62
        case .arm64: 183
        }
    }
}

/// A count with its thousands separated: `14,063,308`.
func grouped(_ count: some BinaryInteger) -> String {
    let digits = Array(String(count))
    var text = ""
    for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
        text.append(digit)
    }
    return text
}
