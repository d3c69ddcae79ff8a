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

    /// Levels by name, monitors' templates, and QEMU's models. Firecracker's C3, T2, T2S, T2CL and T2A hide AVX-512 from the
    /// guest, C3 AVX2 as well.
    private static let levels: [String: Int] = [
        "x86-64": 1, "x86-64-v1": 1, "x86-64-v2": 2, "x86-64-v3": 3, "x86-64-v4": 4,
        "c3": 2, "t2": 3, "t2s": 3, "t2cl": 3, "t2a": 3,
        "qemu64": 1, "kvm64": 1, "core2duo": 1, "conroe": 1, "penryn": 1,
        "nehalem": 2, "westmere": 2, "sandybridge": 2, "ivybridge": 2, "opteron_g4": 2, "opteron_g5": 2,
        "haswell": 3, "broadwell": 3, "skylake-client": 3, "epyc": 3, "epyc-rome": 3, "epyc-milan": 3,
        "skylake-server": 4, "cascadelake-server": 4, "icelake-server": 4, "sapphirerapids": 4, "epyc-genoa": 4,
    ]

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
