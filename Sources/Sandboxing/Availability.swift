import CSandbox
import Glibc
public import RootfsModel

extension Sandbox {
    /// Whether sandboxes can be made at all.
    public enum Availability: Hashable, Sendable {
        case available
        case unavailable(Failure)
    }

    /// Asks the kernel, by trying, whether this process may make sandboxes.
    public static func availability() -> Availability {
        guard geteuid() == 0 else { return .unavailable(rootless()) }
        var step: UnsafePointer<CChar>?
        let code = csandbox_probe(0, &step)
        guard code != 0 else { return .available }
        return .unavailable(
            Failure(
                "cannot run maintainer scripts: \(step.map { String(cString: $0) } ?? "start"): \(errorText(code))",
                notes: ["this process is root but may not make namespaces or mounts"],
                hint: "in a container, give it CAP_SYS_ADMIN (docker run --privileged)"))
    }

    /// What an ordinary user lacks.
    private static func rootless() -> Failure {
        var step: UnsafePointer<CChar>?
        let code = csandbox_probe(1, &step)
        let namespaces =
            code == 0
            ? "user namespaces are allowed here, but building in one is not supported yet"
            : "no user namespaces: \(errorText(code)) (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone)"
        return Failure(
            "cannot run maintainer scripts: not root", notes: [namespaces], hint: "run as root: sudo rootfs-build …")
    }
}
