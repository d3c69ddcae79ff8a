import CSandbox
import Glibc
public import RootfsModel

extension Sandbox {
    /// Whether sandboxes can be made at all.
    public enum Availability: Hashable, Sendable {
        case available
        case unavailable(Failure)
    }

    /// Asks the kernel, by trying, whether this process may make sandboxes: as root, or as root of a user namespace.
    public static func availability() -> Availability {
        guard geteuid() == 0 else { return .unavailable(notRoot(OrdinaryUser.current())) }
        if case .nested(let ids) = UserNamespace.current, ids < OrdinaryUser.neededIDs {
            return .unavailable(
                Failure(
                    "cannot run maintainer scripts: this user namespace has \(ids) user ids, packages need \(OrdinaryUser.neededIDs)",
                    hint: "run as root, or in a namespace with subordinate ids: unshare --map-auto --map-root-user rootfs-build …"))
        }
        var step: UnsafePointer<CChar>?
        let code = csandbox_probe(0, &step)
        guard code != 0 else { return .available }
        return .unavailable(
            Failure(
                "cannot run maintainer scripts: \(step.map { String(cString: $0) } ?? "start"): \(errorText(code))",
                notes: ["this process is root but may not make namespaces or mounts"],
                hint: "in a container, give it CAP_SYS_ADMIN (docker run --privileged)"))
    }

    /// Says what an ordinary user can do about it.
    static func notRoot(_ user: OrdinaryUser) -> Failure {
        var missing = [String]()
        if user.namespaceError != 0 {
            missing.append(
                "no user namespaces here: \(errorText(user.namespaceError))"
                    + " (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone)")
        }
        if !user.hasMapper { missing.append("newuidmap and newgidmap are not installed (package uidmap)") }
        if !user.hasSubordinateIDs {
            missing.append(
                "\(user.name) has no subordinate ids (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \(user.name))")
        }
        let namespace = "unshare --map-auto --map-root-user rootfs-build …"
        return Failure(
            "cannot run maintainer scripts: neither root nor in a user namespace",
            notes: missing,
            hint: missing.isEmpty
                ? "run it in a user namespace: \(namespace); or as root: sudo rootfs-build …"
                : "run it as root: sudo rootfs-build …; or, with the above mended, in a user namespace: \(namespace)")
    }
}

/// What an ordinary user needs for a user namespace with enough ids, and has or not.
struct OrdinaryUser {
    /// Debian's packages use ids up to 65534, nobody.
    static let neededIDs: UInt64 = 65535

    var name: String
    /// 0, or why the kernel makes no user namespace.
    var namespaceError: Int32
    var hasMapper: Bool
    var hasSubordinateIDs: Bool

    static func current() -> OrdinaryUser {
        let uid = getuid()
        let name = userName(uid)
        var step: UnsafePointer<CChar>?
        return OrdinaryUser(
            name: name,
            namespaceError: csandbox_probe(1, &step),
            hasMapper: ["newuidmap", "newgidmap"].allSatisfy { access("/usr/bin/\($0)", X_OK) == 0 },
            hasSubordinateIDs: ["/etc/subuid", "/etc/subgid"].allSatisfy {
                grantsIDs(readSmallFile($0) ?? "", to: [name, String(uid)])
            })
    }

    /// Reads subuid(5): `user:first:count`, the user by name or number.
    static func grantsIDs(_ text: String, to names: [String]) -> Bool {
        text.split(separator: "\n").contains { line in
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count == 3, let count = UInt64(fields[2]) else { return false }
            return names.contains(String(fields[0])) && count >= neededIDs
        }
    }

    private static func userName(_ uid: uid_t) -> String {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16 << 10) { buffer in
            guard let address = buffer.baseAddress, getpwuid_r(uid, &entry, address, buffer.count, &found) == 0, found != nil,
                let name = entry.pw_name
            else { return String(uid) }
            return String(cString: name)
        }
    }
}
