import Glibc
import RootfsModel

/// What runs the guest's instructions, and what the machine's devices are.
public enum Engine: String, Sendable, CaseIterable {
    case firecracker
    /// QEMU's microvm on this host's processor.
    case kvm
    /// QEMU's microvm, emulated: slow, and works everywhere.
    case tcg
}

/// The programs that can run a machine, and which of them is wanted.
public struct EngineChoice: Sendable {
    /// nil: the best one that works here.
    public var wanted: Engine?
    public var firecracker = "firecracker"
    public var qemu = "qemu-system-x86_64"
    public var kvmDevice = "/dev/kvm"
    /// Where programs are looked for, as in PATH.
    public var path: String
    /// How long a kernel may take under KVM to look for its root device.
    public var probeLimit = Duration.seconds(6)

    public init(wanted: Engine? = nil, path: String) {
        self.wanted = wanted
        self.path = path
    }

    /// An engine that works, and why better ones do not.
    func choose(for request: BootRequest, needsNetwork: Bool) throws -> (engine: Engine, notes: [String]) {
        if let wanted {
            if wanted == .firecracker { try requireFirecracker(needsNetwork) }
            guard wanted != .tcg, let obstacle = try kvmObstacle(request, wanted) else { return (wanted, []) }
            throw Failure(
                "this host's KVM cannot run the machine: \(obstacle)", hint: "emulate it with --engine tcg")
        }
        let hasFirecracker = isInstalled(firecracker)
        if hasFirecracker, !needsNetwork {
            guard let obstacle = try kvmObstacle(request, .firecracker) else { return (.firecracker, []) }
            return (.tcg, ["Firecracker is installed, and KVM cannot be used: \(obstacle)"])
        }
        var notes = [String]()
        if hasFirecracker {
            notes.append("Firecracker has no user network, through which the host asks or reaches the guest")
        }
        guard let obstacle = try kvmObstacle(request, .kvm) else { return (.kvm, notes) }
        return (.tcg, notes + ["KVM cannot be used: \(obstacle)"])
    }

    private func requireFirecracker(_ needsNetwork: Bool) throws(Failure) {
        guard isInstalled(firecracker) else {
            throw Failure("firecracker is not installed", hint: "take QEMU with --engine kvm or --engine tcg")
        }
        if needsNetwork {
            throw Failure(
                "Firecracker has no user network, through which ports of the guest could be reached",
                hint: "take QEMU with --engine kvm or --engine tcg")
        }
    }

    func isInstalled(_ program: String) -> Bool {
        if program.contains("/") { return access(program, X_OK) == 0 }
        return path.split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
    }

    /// Why KVM cannot be used; nil where it can: this kernel, without initrd and disk, comes under it to the panic that
    /// it has no root device. By then it has used clocks, interrupts and a processor. On some hosts the device opens,
    /// and guests stand still.
    private func kvmObstacle(_ request: BootRequest, _ engine: Engine) throws -> String? {
        let descriptor = open(kvmDevice, O_RDWR | O_CLOEXEC)
        if descriptor < 0 { return "\(kvmDevice): \(errorText(errno))" }
        close(descriptor)
        let machine = VirtualMachine(request, engines: self)
        return try machine.probe(engine, within: probeLimit)
    }
}
