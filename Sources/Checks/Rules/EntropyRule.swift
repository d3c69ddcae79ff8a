import RootfsModel

/// Programs that wait at boot for random numbers that nobody brings.
public struct EntropyRule: Rule {
    public static let name = "entropy"
    public static let reason =
        "getrandom(2) blocks until the kernel's generator has its first 256 bits: a service hangs, silently"
    public static let specification = "getrandom(2); Linux's drivers/char/random.c (try_to_generate_entropy since 5.4)"

    public init() {}

    public func findings(in subject: CheckSubject) throws -> [Finding] {
        guard let drivers = subject.drivers, drivers.kernel.options != nil, drivers.version != nil else { return [] }
        if trustsProcessor(drivers, architecture: subject.architecture) { return [] }
        let device = drivers.place(of: "HW_RANDOM_VIRTIO", module: "virtio_rng")
        if device == .builtIn || device == .initrd { return [] }
        let reasons = [
            subject.architecture == "amd64"
                ? "the kernel does not trust the processor's generator (CONFIG_RANDOM_TRUST_CPU, random.trust_cpu)"
                : "\(subject.architecture) processors need not have a generator",
            "the kernel has no virtio-rng before the services start (CONFIG_HW_RANDOM_VIRTIO)",
        ]
        guard drivers.isOlder(than: 5, 4) else {
            return [
                Finding(
                    "entropy/late", .note, "random numbers come only after about a second of the processor's jitter",
                    reasons: reasons,
                    remedy: "random.trust_cpu=on, or virtio_rng in kernel.modules and an entropy device")
            ]
        }
        return [
            Finding(
                "entropy/none", subject.services.isEmpty ? .warning : .error,
                "what asks for random numbers at boot waits, maybe for ever: the machine has no source of them",
                reasons: reasons + ["kernels before 5.4 do not make their own from jitter"],
                remedy: "random.trust_cpu=on, or virtio_rng in kernel.modules and an entropy device")
        ]
    }

    /// Since 6.2 there is no option: the kernel trusts it unless the command line says no.
    private func trustsProcessor(_ drivers: KernelDrivers, architecture: String) -> Bool {
        guard architecture == "amd64" else { return false }
        switch drivers.argument("random.trust_cpu") {
        case "on", "1", "y", "yes", "": return true
        case "off", "0", "n", "no": return false
        default: return !drivers.isOlder(than: 6, 2) || drivers.value(of: "RANDOM_TRUST_CPU") == "y"
        }
    }
}
