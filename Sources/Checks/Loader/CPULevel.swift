import RootfsModel

/// The x86-64 level of a machine's processor, as far as it is said (System V ABI, x86-64 supplement, 3.1.1).
enum CPULevel: Hashable {
    /// 1 ... 4: the machine has this and no more.
    case level(Int)
    /// It is said, but not known to us, or is the host's own.
    case unknown

    /// By what the machine is said to have; what nobody said is the least that the architecture has.
    init(of subject: CheckSubject) {
        guard let name = subject.machine.cpu?.lowercased() else {
            self = .level(1)
            return
        }
        self = Self.levels[name].map { .level($0) } ?? .unknown
    }

    /// All processors that a machine may be said to have, as their makers spell them: levels, Firecracker's templates,
    /// QEMU's models, and the words for the host's own.
    static let names = ["x86-64", "x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v4"] + spelled.map(\.name) + hosts

    /// Of the host's own nobody knows the level before it runs; V1N1 is for arm64, which has none.
    private static let hosts = ["host", "max", "V1N1"]

    /// Monitors' templates and QEMU's models. Firecracker's C3, T2, T2S, T2CL and T2A hide AVX-512 from the guest, C3
    /// AVX2 as well.
    private static let spelled: [(name: String, level: Int)] = [
        ("C3", 2), ("T2", 3), ("T2S", 3), ("T2CL", 3), ("T2A", 3),
        ("qemu64", 1), ("kvm64", 1), ("core2duo", 1), ("Conroe", 1), ("Penryn", 1),
        ("Nehalem", 2), ("Westmere", 2), ("SandyBridge", 2), ("IvyBridge", 2), ("Opteron_G4", 2), ("Opteron_G5", 2),
        ("Haswell", 3), ("Broadwell", 3), ("Skylake-Client", 3), ("EPYC", 3), ("EPYC-Rome", 3), ("EPYC-Milan", 3),
        ("Skylake-Server", 4), ("Cascadelake-Server", 4), ("Icelake-Server", 4), ("SapphireRapids", 4),
        ("EPYC-Genoa", 4),
    ]

    /// By the name in lower case.
    private static let levels = Dictionary(
        uniqueKeysWithValues: [("x86-64", 1), ("x86-64-v1", 1), ("x86-64-v2", 2), ("x86-64-v3", 3), ("x86-64-v4", 4)]
            + spelled.map { ($0.name.lowercased(), $0.level) })

    /// The folders below glibc-hwcaps that the loader looks into, the best first.
    func capabilities(machine: UInt16) -> [String] {
        guard machine == 62, case .level(let level) = self, level > 1 else { return [] }
        return (2...level).reversed().map { "x86-64-v\($0)" }
    }

    /// The highest level of a GNU property's bits; 0 for none.
    static func highest(of bits: UInt32) -> Int { 32 - bits.leadingZeroBitCount }

    /// The level's name.
    static func name(_ level: Int) -> String { level == 1 ? "x86-64" : "x86-64-v\(level)" }
}
