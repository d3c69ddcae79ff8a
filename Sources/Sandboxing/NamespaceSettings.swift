import Glibc
import RootfsModel

/// What on this host forbids user namespaces, and how it is allowed.
struct NamespaceSettings: Sendable {
    /// The text of a file of /proc; nil where there is none.
    var read: @Sendable (String) -> String?

    static let ofHost = NamespaceSettings(read: { readSmallFile($0) })

    /// The settings that are in the way, each with the command that changes it.
    var obstacles: [String] {
        let settings: [(name: String, forbidding: String, allowing: String)] = [
            ("user.max_user_namespaces", "0", "15000"),
            // Debian's and Arch's kernels.
            ("kernel.unprivileged_userns_clone", "0", "1"),
            // Ubuntu: namespaces are made, but everything in them is forbidden.
            ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ]
        return settings.compactMap { setting in
            let path = "/proc/sys/" + setting.name.replacing(".", with: "/")
            guard read(path).map({ $0.prefix { $0 != "\n" } }) == setting.forbidding[...] else { return nil }
            return
                "sysctl \(setting.name) is \(setting.forbidding); to allow it: sysctl -w \(setting.name)=\(setting.allowing)"
        }
    }

    /// Notes on a refusal: what was refused, and why as far as it can be known.
    func notes(on refusal: String, code: Int32) -> [String] {
        var reasons = obstacles
        let filtered = read("/proc/self/status")?.contains("\nSeccomp:\t2\n") == true
        if reasons.isEmpty, filtered, [EPERM, ENOSYS, EACCES].contains(code) {
            reasons = [
                "a seccomp filter is in force, as in containers; without: docker run --security-opt seccomp=unconfined"
            ]
        }
        return ["\(refusal): \(errorText(code))"] + reasons
    }
}
