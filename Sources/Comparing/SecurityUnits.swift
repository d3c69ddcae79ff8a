import RootfsModel

/// Units that listen now, and settings of units that kept them in bounds and are gone.
func unitChanges(_ comparison: Comparison, _ old: ComparedImage, _ new: ComparedImage) throws -> [SecurityChange] {
    let folders: [TreePath] = ["etc/systemd", "usr/lib/systemd", "lib/systemd", "usr/local/lib/systemd"]
    var found = [SecurityChange]()
    for change in comparison.paths where !change.isMetadataOnly && change.change != .removed {
        guard folders.contains(where: { change.treePath.isWithin($0) }) else { continue }
        let name = String(decoding: change.treePath.name, as: UTF8.self)
        func add(_ kind: String, _ severity: SecurityChange.Severity, _ message: String, _ old: String?, _ new: String?)
        {
            found.append(
                SecurityChange(
                    kind: kind, severity: change.cause.kind == .package ? max(severity, .medium) : severity,
                    message: message, path: change.path, old: old, new: new, cause: change.cause))
        }
        // A link into a folder of what is wanted switches it on.
        if change.change == .added, name.hasSuffix(".socket"), change.type == "link" {
            add("listening", .high, "\(name) listens from the boot on", nil, nil)
        }
        guard change.type == "file" else { continue }
        let (before, after) = (try UnitSettings(old, change.treePath), try UnitSettings(new, change.treePath))
        if name.hasSuffix(".socket") || change.path.contains(".socket.d/") {
            let listens = after.listens.subtracting(before.listens).sorted()
            if !listens.isEmpty {
                add(
                    "listening", .high, "\(name) listens on \(listens.joined(separator: ", "))", nil,
                    listens.joined(separator: ", "))
            }
        }
        guard change.change == .changed else { continue }
        for (key, value) in before.hardening.sorted(by: { $0.key < $1.key }) where after.hardening[key] != value {
            if let now = after.hardening[key], UnitSettings.isAsTight(key, now, as: value) { continue }
            add("hardening", .high, "\(name) is kept in bounds less tightly: \(key)", value, after.hardening[key])
        }
    }
    return found
}

/// What one unit's file says that matters here.
private struct UnitSettings {
    var listens = Set<String>()
    /// What keeps the service in bounds, by key: those that are switched on.
    var hardening: [String: String] = [:]

    private static let keys: Set<String> = [
        "NoNewPrivileges", "PrivateTmp", "PrivateDevices", "PrivateNetwork", "PrivateUsers", "PrivateMounts",
        "ProtectSystem", "ProtectHome", "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs",
        "ProtectControlGroups", "ProtectClock", "ProtectHostname", "ProtectProc", "ProcSubset", "RestrictNamespaces",
        "RestrictRealtime", "RestrictSUIDSGID", "RestrictAddressFamilies", "LockPersonality", "MemoryDenyWriteExecute",
        "SystemCallFilter", "SystemCallArchitectures", "CapabilityBoundingSet", "AmbientCapabilities", "User",
        "DynamicUser", "ReadOnlyPaths", "InaccessiblePaths", "NoExecPaths", "IPAddressDeny", "DevicePolicy", "UMask",
        "KeyringMode", "RemoveIPC",
    ]

    init(_ image: ComparedImage, _ path: TreePath) throws {
        for line in try image.lines(of: path) {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !line.hasPrefix("#"), !line.hasPrefix(";") else { continue }
            let key = String(parts[0].filter { $0 != " " && $0 != "\t" })
            let value = parts[1].split(separator: " ").joined(separator: " ")
            if key.hasPrefix("Listen"), !value.isEmpty { listens.insert(value) }
            if Self.keys.contains(key) {
                hardening[key] = ["", "no", "false", "off", "0"].contains(value) ? nil : value
            }
        }
        // Ambient capabilities are rights, not bounds; root is no user to be kept to.
        hardening["AmbientCapabilities"] = nil
        if hardening["User"] == "root" { hardening["User"] = nil }
    }

    /// Whether another value keeps the service as tight: another user is, and so is a stricter word.
    static func isAsTight(_ key: String, _ now: String, as before: String) -> Bool {
        if key == "User" { return now != "root" }
        if key == "ProtectSystem" || key == "ProtectHome" {
            let order = ["yes", "true", "1", "on", "read-only", "tmpfs", "full", "strict"]
            return (order.firstIndex(of: now) ?? 0) >= (order.firstIndex(of: before) ?? 0)
        }
        let lists = ["SystemCallFilter", "CapabilityBoundingSet", "RestrictAddressFamilies"]
        if lists.contains(key), !before.hasPrefix("~"), !now.hasPrefix("~") {
            return Set(now.split(separator: " ")).isSubset(of: before.split(separator: " "))
        }
        return ["yes", "true", "1", "on"].contains(now) && ["yes", "true", "1", "on"].contains(before)
    }
}
