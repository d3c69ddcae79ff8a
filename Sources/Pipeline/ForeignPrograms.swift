internal import Recipes
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// Whether this host runs the programs of another architecture: maintainer scripts are such programs.
///
/// The kernel hands a foreign program to an emulator that is registered with binfmt_misc
/// (Documentation/admin-guide/binfmt-misc.rst). Only one that was opened when it was registered, flag F, is there inside
/// of a tree, which has no emulator of its own.
struct ForeignPrograms {
    /// Where binfmt_misc is mounted.
    var formats: FilePath = "/proc/sys/fs/binfmt_misc"

    /// Class, byte order and e_machine in the header of an architecture's programs.
    private static let headers: [String: (wide: Bool, little: Bool, machine: UInt8)] = [
        "amd64": (true, true, 62), "arm64": (true, true, 183), "armel": (false, true, 40), "armhf": (false, true, 40),
        "i386": (false, true, 3), "ppc64el": (true, true, 21), "riscv64": (true, true, 243), "s390x": (true, false, 22),
    ]

    /// Throws where nothing here runs them, with what is missing.
    func check(_ architecture: Located<String>, on host: String) throws(Failure) {
        func failure(_ reason: String, hint: String) -> Failure {
            Failure(
                "cannot build for \(architecture.value) on \(host): maintainer scripts have to run, and \(reason)",
                at: architecture.location, hint: hint)
        }
        let another = "or build on a machine of that architecture"
        guard let header = Self.header(of: architecture.value) else {
            throw failure("no emulator is known for them", hint: "build on a machine of that architecture")
        }
        let entries = formatEntries().filter { $0.format.takes(header) }
        if entries.contains(where: { $0.format.isEnabled && $0.format.isFixed }) { return }
        if let entry = entries.first(where: { $0.format.isEnabled }) {
            throw failure(
                "the emulator \(entry.format.interpreter) is not to be found inside of a tree",
                hint: "register \(entry.name) with the flag F, as Debian's package qemu-user-static does, \(another)")
        }
        if let entry = entries.first {
            throw failure(
                "its emulator is switched off", hint: "echo 1 >\(formats)/\(entry.name), as root, \(another)")
        }
        let isMounted = exists(formats.appending("register"))
        throw failure(
            isMounted
                ? "no emulator for them is registered with binfmt_misc" : "binfmt_misc is not mounted on \(formats)",
            hint: (isMounted ? "" : "mount -t binfmt_misc binfmt_misc \(formats), as root; then ")
                + "apt-get install qemu-user-static binfmt-support, \(another)")
    }

    /// The first twenty bytes of a program.
    static func header(of architecture: String) -> [UInt8]? {
        guard let (wide, little, machine) = headers[architecture] else { return nil }
        var bytes: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, wide ? 2 : 1, little ? 1 : 2, 1]
        bytes += [UInt8](repeating: 0, count: 9)
        return bytes + (little ? [2, 0, machine, 0] : [0, 2, 0, machine])
    }

    /// Sorted by name.
    private func formatEntries() -> [(name: String, format: BinaryFormat)] {
        let names = ((try? directoryNames(at: formats)) ?? []).map { String(decoding: $0, as: UTF8.self) }
        return names.filter { $0 != "register" && $0 != "status" }.sorted().compactMap { name in
            guard let bytes = try? readFile(at: formats.appending(name)) else { return nil }
            return BinaryFormat(String(decoding: bytes, as: UTF8.self)).map { (name, $0) }
        }
    }
}

/// A file of binfmt_misc: what an emulator takes, by the first bytes of a program.
struct BinaryFormat {
    var isEnabled: Bool
    var interpreter: String
    /// Whether the emulator's file was opened when it was registered.
    var isFixed: Bool
    private var offset = 0
    private var magic: [UInt8] = []
    private var mask: [UInt8] = []

    /// nil for one that goes by a file's name.
    init?(_ text: String) {
        var fields = [Substring: Substring]()
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 1)
            if let name = words.first { fields[name] = words.count > 1 ? words[1] : "" }
        }
        guard let magic = fields["magic"].flatMap({ Self.bytes($0) }), let interpreter = fields["interpreter"] else {
            return nil
        }
        isEnabled = fields["enabled"] != nil
        isFixed = fields["flags:"]?.contains("F") == true
        self.interpreter = String(interpreter)
        self.magic = magic
        mask = fields["mask"].flatMap { Self.bytes($0) } ?? [UInt8](repeating: 0xFF, count: magic.count)
        offset = fields["offset"].flatMap { Int($0) } ?? 0
    }

    func takes(_ header: [UInt8]) -> Bool {
        guard mask.count == magic.count, offset >= 0, offset + magic.count <= header.count else { return false }
        return magic.indices.allSatisfy { (header[offset + $0] ^ magic[$0]) & mask[$0] == 0 }
    }

    private static func bytes(_ hexadecimal: Substring) -> [UInt8]? {
        let digits = hexadecimal.compactMap(\.hexDigitValue)
        guard digits.count == hexadecimal.count, digits.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
