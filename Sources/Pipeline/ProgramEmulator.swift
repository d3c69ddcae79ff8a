internal import Checks
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// qemu-user on this host, for an architecture and a processor.
struct ProgramEmulator {
    let path: FilePath
    let processor: EmulatedProcessor

    /// - Throws: where it is not installed, or cannot imitate the machine's processor.
    init(for subject: CheckSubject, directories: [FilePath] = ["/usr/bin", "/usr/local/bin", "/bin"]) throws {
        let names = ["amd64": "qemu-x86_64", "arm64": "qemu-aarch64"]
        guard let name = names[subject.architecture] else {
            throw Failure("cannot run programs for \(subject.architecture)", hint: "check without --run")
        }
        guard let processor = subject.emulatedProcessor else {
            throw Failure(
                "qemu-user cannot imitate the processor \(subject.machine.cpu ?? "of the machine")",
                notes: ["it knows levels up to x86-64-v3 and their templates: it has no AVX-512"],
                hint: "check without --run, or name the processor with --cpu")
        }
        let found = directories.flatMap { [$0.appending(name + "-static"), $0.appending(name)] }.filter(exists)
        guard let path = try found.first(where: { try isStatic($0) }) else {
            throw Failure(
                "there is no \(name)-static on this host to run programs with",
                notes: found.map { "\($0) is linked dynamically, and cannot run in an image's tree" }
                    + ["programs are not run on the host's own processor: it may have more than the machine's"],
                hint: "apt-get install qemu-user-static, or check without --run")
        }
        self.path = path
        self.processor = processor
    }
}

/// Whether a program names no interpreter (System V ABI, 5.1).
private func isStatic(_ path: FilePath) throws -> Bool {
    let reader = try BlobReader(try Blob(file: path))
    var head = [UInt8](repeating: 0, count: 64 + 56 * 32)
    try head.withUnsafeMutableBytes { try reader.read(into: $0, at: 0) }
    func number(_ offset: Int, _ size: Int) -> Int {
        head[offset..<offset + size].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    guard head.starts(with: [0x7f, 0x45, 0x4c, 0x46, 2, 1]), number(32, 8) == 64 else { return false }
    return !(0..<min(number(56, 2), 32)).contains { number(64 + 56 * $0, 4) == 3 }
}
