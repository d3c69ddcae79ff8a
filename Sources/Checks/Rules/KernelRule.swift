import RootfsModel

/// The kernel, the machine and the image each work alone and not together.
public struct KernelRule: Rule {
    public static let name = "kernel"
    public static let reason =
        "a kernel without the root device's driver panics, and one without what systemd needs hangs, on a console that may be off"
    public static let specification =
        "systemd's README (REQUIREMENTS); Firecracker's docs/kernel-policy.md and docs/rootfs-and-kernel-setup.md; Linux's Documentation/admin-guide/kernel-parameters.txt"

    public init() {}

    public func findings(in subject: CheckSubject) throws -> [Finding] {
        guard let drivers = subject.drivers else { return [] }
        return try BootPath(subject: subject, drivers: drivers).findings()
            + KernelFeatures(subject: subject, drivers: drivers).findings()
    }
}
