/// The processor that an emulator of programs imitates in place of the machine's.
public struct EmulatedProcessor: Hashable, Sendable {
    /// As the emulator takes it behind `-cpu`.
    public var model: String
    /// What it is, for people.
    public var name: String

    /// All that the emulator can imitate.
    public static let everything = EmulatedProcessor(model: "max", name: "max")
}

extension CheckSubject {
    /// The model of qemu-user for the machine's processor; nil where it has none: for a processor that is not known, or
    /// with AVX-512, which it does not emulate.
    public var emulatedProcessor: EmulatedProcessor? {
        let cpu = machine.cpu?.lowercased()
        let model: String?
        switch architecture {
        case "amd64":
            // The processors between the levels: with AVX, without AVX2.
            if let cpu, ["c3", "sandybridge", "ivybridge"].contains(cpu) {
                model = "IvyBridge,-pcid,-x2apic,-tsc-deadline"
            } else if case .level(let level) = CPULevel(of: self), level < 4 {
                // Without what only kernels use, and the emulator warns of.
                model = ["qemu64", "Nehalem", "Haswell-noTSX,-pcid,-x2apic,-tsc-deadline,-invpcid"][level - 1]
            } else {
                model = nil
            }
        case "arm64":
            switch cpu {
            case nil: model = "cortex-a57"
            case "v1n1": model = "neoverse-n1"
            default: model = nil
            }
        default: model = nil
        }
        return model.map { EmulatedProcessor(model: $0, name: String($0.prefix { $0 != "," })) }
    }
}
