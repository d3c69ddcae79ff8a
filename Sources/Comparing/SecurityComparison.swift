import RootfsModel

/// What changed that makes an image easier to attack or that somebody has to look at for that, the gravest first.
func securityChanges(_ comparison: Comparison, _ old: ComparedImage, _ new: ComparedImage) throws -> [SecurityChange] {
    var changes = [SecurityChange]()
    for path in comparison.paths where path.change != .removed && !path.isTimeOnly {
        guard let node = new.tree?[path.treePath] else { continue }
        changes += modeChanges(path, node, old.tree?[path.treePath])
    }
    // Where nobody knows whose a path is, that nothing explains it says nothing.
    let knowsOwners = old.packages != nil || new.packages != nil
    for path in comparison.paths where !path.isTimeOnly { changes += placeChanges(path, knowsOwners: knowsOwners) }
    changes += accountChanges(comparison.accounts, comparison)
    changes += try unitChanges(comparison, old, new)
    if knowsOwners { changes += foreignPrograms(comparison, new) }
    return changes.sorted {
        ($0.severity, $0.kind, $0.path ?? $0.message) < ($1.severity, $1.kind, $1.path ?? $1.message)
    }
}

/// Rights that a path has now and had not.
private func modeChanges(_ change: PathChange, _ node: FileNode, _ before: FileNode?) -> [SecurityChange] {
    var found = [SecurityChange]()
    func add(_ kind: String, _ severity: SecurityChange.Severity, _ message: String, _ old: String?, _ new: String?) {
        found.append(
            SecurityChange(
                kind: kind, severity: severity, message: "\(change.path) \(message)", path: change.path, old: old,
                new: new, cause: change.cause))
    }
    // A link has all permissions and nobody asks for them.
    if node.linkTarget != nil { return [] }
    let metadata = node.metadata
    let was = before?.linkTarget == nil ? before?.metadata : nil
    let gained = metadata.mode & ~(was?.mode ?? 0)
    let modes = (was.map { octal($0.mode) }, octal(metadata.mode))
    let isExplained = change.cause.kind == .package
    if node.blob != nil, metadata.mode & 0o4000 != 0, gained & 0o4000 != 0 || was?.uid != metadata.uid {
        let name = metadata.uid == 0 ? "root" : "user \(metadata.uid)"
        add("setuid", isExplained ? .medium : .high, "is setuid \(name)", modes.0, modes.1)
    }
    if node.blob != nil, metadata.mode & 0o2010 == 0o2010, gained & 0o2000 != 0 || was?.gid != metadata.gid {
        add("setgid", isExplained ? .low : .medium, "is setgid group \(metadata.gid)", modes.0, modes.1)
    }
    func capability(_ metadata: Metadata?) -> [UInt8]? {
        metadata?.xattrs.first { $0.name == "security.capability" }?.value
    }
    if let now = capability(metadata), now != capability(was) {
        let texts = (capability(was).map { hexText($0) }, hexText(now))
        add(
            "capability", isExplained ? .medium : .high, "has capabilities (\(capabilityNames(now)))", texts.0, texts.1)
    }
    let isSticky = node.isDirectory && metadata.mode & 0o1000 != 0
    if gained & 0o002 != 0 || was.map({ $0.mode & 0o1000 }) == 0o1000 && metadata.mode & 0o1002 == 0o002, !isSticky,
        node.blob != nil || node.isDirectory
    {
        add("world-writable", .high, "can be written by everybody", modes.0, modes.1)
    }
    guard let was else { return found }
    if was.uid == 0, metadata.uid != 0, node.blob != nil || node.isDirectory {
        add(
            "owner", isExplained ? .low : .medium, "belongs to user \(metadata.uid) and no more to root",
            "\(was.uid):\(was.gid)", "\(metadata.uid):\(metadata.gid)")
    }
    // Reading matters where it was closed before.
    let loosened = gained & 0o022 & ~0o002 | (was.mode & 0o004 == 0 ? gained & 0o044 : 0)
    if loosened != 0, gained & 0o002 == 0 {
        add("mode", isExplained ? .low : .medium, "has a looser mode", modes.0, modes.1)
    }
    return found
}

/// The names of the capabilities of a `security.capability` attribute (capabilities(7), linux/capability.h).
func capabilityNames(_ value: [UInt8]) -> String {
    let names = [
        "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
        "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
        "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
        "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
        "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
        "checkpoint_restore",
    ]
    func word(_ offset: Int) -> UInt64 {
        guard offset + 4 <= value.count else { return 0 }
        return (0..<4).reduce(0) { $0 | UInt64(value[offset + $1]) << UInt64($1 * 8) }
    }
    // A magic word, then permitted and inheritable, lower halves first.
    let sets = (word(4) | word(12) << 32) | (word(8) | word(16) << 32)
    let found = (0..<64).filter { sets >> UInt64($0) & 1 == 1 }.map { $0 < names.count ? names[$0] : "\($0)" }
    return found.isEmpty ? "unreadable" : found.joined(separator: ", ")
}

/// Users and groups that came, and what they may now.
private func accountChanges(_ accounts: [AccountChange], _ comparison: Comparison) -> [SecurityChange] {
    var found = [SecurityChange]()
    let table = Dictionary(comparison.paths.map { ($0.path, $0.cause) }, uniquingKeysWith: { first, _ in first })
    let privileged: Set<String> = [
        "root", "sudo", "wheel", "adm", "shadow", "disk", "docker", "lxd", "kvm", "systemd-journal",
    ]
    for account in accounts where account.change != .removed {
        let cause = table[account.kind == .user ? "/etc/passwd" : "/etc/group"] ?? table["/etc/shadow"] ?? Cause(.none)
        func add(_ kind: String, _ severity: SecurityChange.Severity, _ message: String, _ field: PathChange.Field?) {
            found.append(
                SecurityChange(
                    kind: kind, severity: severity, message: message, path: nil, old: field?.old, new: field?.new,
                    cause: cause))
        }
        func field(_ name: String) -> PathChange.Field? { account.fields.first { $0.name == name } }
        if account.kind == .group {
            guard let members = field("members"), privileged.contains(account.name) else { continue }
            let before = Set((members.old ?? "").split(separator: ","))
            let new = (members.new ?? "").split(separator: ",").filter { !before.contains($0) }
            if !new.isEmpty {
                add("group", .high, "\(new.joined(separator: ", ")) is in the group \(account.name) now", members)
            }
            continue
        }
        let shell = field("shell")
        let isLogin =
            shell?.new.map {
                !$0.hasSuffix("/nologin") && !$0.hasSuffix("/false") && !$0.hasSuffix("/sync") && !$0.isEmpty
            } ?? false
        if account.change == .added {
            let isRoot = field("uid")?.new == "0"
            let words = isRoot ? " with root's number" : isLogin ? " with the shell \(shell?.new ?? "")" : ""
            let number = field("uid")?.new ?? ""
            add("user", isRoot ? .high : isLogin ? .medium : .low, "new user \(account.name) (\(number))\(words)", nil)
        } else {
            if field("uid")?.new == "0" { add("user", .high, "\(account.name) has root's number 0 now", field("uid")) }
            if isLogin, let shell {
                add("shell", .medium, "\(account.name) has the shell \(shell.new ?? "") now", shell)
            }
        }
        if let password = field("password"), password.new == "empty" || password.new == "set" && password.old != nil {
            add(
                "password", password.new == "empty" ? .high : .medium,
                "\(account.name)'s password is \(password.new ?? "") now", password)
        }
    }
    return found
}

/// Programs and libraries that changed and no package's change explains.
private func foreignPrograms(_ comparison: Comparison, _ new: ComparedImage) -> [SecurityChange] {
    comparison.paths.compactMap { change in
        guard change.change != .removed, change.type == "file", !change.isMetadataOnly,
            ![.package, .script, .kernel].contains(change.cause.kind), let node = new.tree?[change.treePath],
            node.metadata.mode & 0o111 != 0 || change.treePath.name.isLibrary
        else { return nil }
        let word = change.change == .added ? "is a new program" : "is another program"
        return SecurityChange(
            kind: "program", severity: change.cause.kind == .none ? .high : .low,
            message: "\(change.path) \(word) outside of any package's change", path: change.path, old: nil, new: nil,
            cause: change.cause)
    }
}

extension ArraySlice<UInt8> {
    /// `libx.so`, `libx.so.1`.
    fileprivate var isLibrary: Bool {
        let text = String(decoding: self, as: UTF8.self)
        return text.hasSuffix(".so") || text.contains(".so.")
    }
}
