import RootfsModel

/// What a change of some places means, whatever it is.
func placeChanges(_ change: PathChange, knowsOwners: Bool) -> [SecurityChange] {
    if change.type == "directory" || change.isMetadataOnly { return [] }
    let bytes = change.treePath.bytes
    guard
        let place = securityPlaces.first(where: { place in
            place.patterns.contains { bytes.matches(wildcards: $0) }
        })
    else { return [] }
    let isExplained = [.package, .script].contains(change.cause.kind)
    // What a package's new version brings is its maintainers' affair; what nobody explains is everybody's.
    let severity: SecurityChange.Severity =
        isExplained || change.change == .removed
        ? .low : change.cause.kind == .none && knowsOwners ? .high : place.severity
    let word =
        switch change.change {
        case .added: "is new"
        case .removed: "is gone"
        case .changed: "changed"
        }
    return [
        SecurityChange(
            kind: place.kind, severity: severity, message: "\(change.path) \(word): \(place.meaning)",
            path: change.path, old: nil, new: nil, cause: change.cause)
    ]
}

private struct SecurityPlace: Sendable {
    var kind: String
    var severity: SecurityChange.Severity
    var meaning: String
    var patterns: [[UInt8]]

    init(_ kind: String, _ severity: SecurityChange.Severity, _ meaning: String, _ patterns: [String]) {
        self.kind = kind
        self.severity = severity
        self.meaning = meaning
        self.patterns = patterns.map { Array($0.utf8) }
    }
}

private let securityPlaces = [
    SecurityPlace(
        "sudo", .high, "who may become root",
        ["etc/sudoers", "etc/sudoers.d/*", "etc/doas.conf", "etc/polkit-1/rules.d/*"]),
    SecurityPlace(
        "key", .high, "who may log in",
        [
            "*/.ssh/authorized_keys*", "etc/ssh/authorized_keys*", "etc/ssh/*.pub", "etc/ssh/ssh_host_*",
            "etc/ssh/trusted*",
        ]),
    SecurityPlace("key", .medium, "a key", ["*/.ssh/id_*", "etc/ssl/private/*", "*_rsa", "*_ed25519"]),
    SecurityPlace("key", .medium, "how one may log in", ["etc/ssh/sshd_config*"]),
    SecurityPlace(
        "certificate", .high, "which certificates are trusted",
        [
            "usr/local/share/ca-certificates/*", "etc/ca-certificates.conf", "etc/ssl/certs/*",
            "usr/share/ca-certificates/*", "etc/ca-certificates/*",
        ]),
    SecurityPlace(
        "archive", .high, "whose packages are trusted",
        ["etc/apt/trusted.gpg*", "etc/apt/sources.list*", "etc/apt/keyrings/*", "usr/share/keyrings/*"]),
    SecurityPlace(
        "pam", .high, "who is let in", ["etc/pam.d/*", "etc/pam.conf", "etc/security/*", "etc/nsswitch.conf"]),
    SecurityPlace("preload", .high, "what is loaded into every program", ["etc/ld.so.preload", "etc/ld.so.conf*"]),
    SecurityPlace(
        "sysctl", .medium, "the kernel's settings",
        ["etc/sysctl.conf", "etc/sysctl.d/*", "usr/lib/sysctl.d/*", "usr/local/lib/sysctl.d/*", "etc/modprobe.d/*"]),
    SecurityPlace(
        "schedule", .medium, "what runs by itself",
        ["etc/cron*", "var/spool/cron/*", "etc/anacrontab", "etc/rc.local", "etc/profile", "etc/profile.d/*"]),
]
