import CSandbox
import Glibc
public import RootfsModel
import Synchronization

extension Sandbox {
    /// Whether sandboxes can be made at all.
    public enum Availability: Hashable, Sendable {
        case available
        case unavailable(Failure)
    }

    /// Asks the kernel, by trying, whether this process may make sandboxes: as root, or as root of a user namespace.
    public static func availability() -> Availability {
        guard geteuid() == 0 else { return .unavailable(ordinaryUsersRefusal()) }
        if case .nested(let ids) = UserNamespace.current, ids <= SubordinateIDs.needed {
            return .unavailable(
                Failure(
                    "cannot run maintainer scripts: this user namespace has \(ids) user ids, packages need \(SubordinateIDs.needed + 1)",
                    hint: "start it outside, as root or as a user with subordinate ids"))
        }
        var step: UnsafePointer<CChar>?
        let code = csandbox_probe(&step)
        guard code != 0 else { return .available }
        return .unavailable(
            Failure(
                "cannot run maintainer scripts: \(step.map { String(cString: $0) } ?? "start"): \(errorText(code))",
                notes: ["this process is root but may not make namespaces or mounts"]
                    + NamespaceSettings.ofHost.obstacles,
                hint: "in a container, give it CAP_SYS_ADMIN (docker run --privileged)"))
    }

    /// Why this process did not become root of a user namespace.
    private static func ordinaryUsersRefusal() -> Failure {
        do throws(Failure) {
            // It can be had, so it was made already and the kernel did not let us in.
            close(try makeUserNamespace())
            return refusal(
                OrdinaryUser.current(),
                [
                    "the namespace was made but not entered: \(errorText(restartError.withLock { $0 == 0 ? csandbox_entry_error() : $0 }))"
                ])
        } catch {
            return error
        }
    }
}
