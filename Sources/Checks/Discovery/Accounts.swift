internal import RootfsModel

/// The accounts that an image has when its services start: those of its tables and those that systemd-sysusers makes
/// at boot.
struct Accounts: Sendable {
    struct User: Hashable, Sendable {
        var name: String
        /// nil: given at boot.
        var uid: UInt32?
        var gid: UInt32?
        var home: String
        var shell: String
    }

    private(set) var users: [String: User] = [:]
    private(set) var groups: [String: UInt32?] = [:]
    private var members: [String: [String]] = [:]

    init(_ subject: CheckSubject) throws {
        for fields in try Self.rows("/etc/passwd", subject) where fields.count >= 7 && users[fields[0]] == nil {
            users[fields[0]] = User(
                name: fields[0], uid: UInt32(fields[2]), gid: UInt32(fields[3]), home: fields[5], shell: fields[6])
        }
        for fields in try Self.rows("/etc/group", subject) where fields.count >= 4 && groups[fields[0]] == nil {
            groups[fields[0]] = UInt32(fields[2])
            for member in fields[3].split(separator: ",") { members[String(member), default: []].append(fields[0]) }
        }
        try addThoseMadeAtBoot(subject)
        if users["root"] == nil { users["root"] = User(name: "root", uid: 0, gid: 0, home: "/root", shell: "/bin/sh") }
        if groups["root"] == nil { groups["root"] = 0 }
    }

    /// Who a service runs as; nil for a user whom nobody knows or whose number is given at boot.
    func identity(user: String, group: String?, supplementary: [String]) -> Identity? {
        let known = users[user] ?? users.values.first { $0.uid.map(String.init) == user }
        guard let uid = known?.uid ?? UInt32(user) else { return nil }
        var gids = Set<UInt32>()
        let own = group.flatMap(number(ofGroup:)) ?? known?.gid
        if let own { gids.insert(own) }
        for name in supplementary + (known.flatMap { members[$0.name] } ?? []) {
            if let gid = number(ofGroup: name) { gids.insert(gid) }
        }
        return Identity(name: user, uid: uid, gids: gids, gid: own)
    }

    func hasUser(_ name: String) -> Bool { UInt32(name) != nil || users[name] != nil }
    func hasGroup(_ name: String) -> Bool { UInt32(name) != nil || groups[name] != nil }

    func number(ofGroup name: String) -> UInt32? { UInt32(name) ?? groups[name].flatMap(\.self) }

    /// sysusers.d(5): `u` lines make a user and his group, `g` lines a group.
    private mutating func addThoseMadeAtBoot(_ subject: CheckSubject) throws {
        guard
            subject.tree.resolvedNode("/usr/bin/systemd-sysusers") != nil
                || subject.tree.resolvedNode("/bin/systemd-sysusers") != nil
        else { return }
        for file in configurationFiles("sysusers.d", in: subject.tree) {
            guard let bytes = try subject.content(of: file, limit: 1 << 20) else { continue }
            for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
                guard !line.hasPrefix("#"), let words = unitWords(String(line)), words.count >= 2 else { continue }
                let name = words[1]
                if words[0].hasPrefix("u"), users[name] == nil {
                    let home = words.count > 4 && words[4] != "-" ? words[4] : "/"
                    let id = words.count > 2 ? words[2].split(separator: ":").first.flatMap { UInt32($0) } : nil
                    users[name] = User(name: name, uid: id, gid: id, home: home, shell: "/usr/sbin/nologin")
                    if groups[name] == nil { groups[name] = .some(id) }
                } else if words[0].hasPrefix("g"), groups[name] == nil {
                    groups[name] = .some(words.count > 2 ? UInt32(words[2]) : nil)
                }
            }
        }
    }

    private static func rows(_ path: TreePath, _ subject: CheckSubject) throws -> [[String]] {
        guard let bytes = try subject.content(of: path) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).map { line in
            line.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        }
    }
}

/// Who a process is to the kernel when it opens a file.
struct Identity: Hashable, Sendable {
    var name: String
    var uid: UInt32
    var gids: Set<UInt32>
    /// Of these the one that is his own; nil where nobody knows.
    var gid: UInt32?

    static let root = Identity(name: "root", uid: 0, gids: [0], gid: 0)

    /// Whether the mode gives him these permission bits (1 execute, 2 write, 4 read). Root needs one execute bit.
    func may(_ bits: UInt16, _ node: FileNode) -> Bool {
        let metadata = node.metadata
        // An ACL may give more than the mode says.
        if metadata.xattrs.contains(where: { $0.name == "system.posix_acl_access" }) { return true }
        if uid == 0 { return bits & 1 == 0 || node.isDirectory || metadata.mode & 0o111 != 0 }
        let shift: UInt16 = metadata.uid == uid ? 6 : gids.contains(metadata.gid) ? 3 : 0
        return metadata.mode >> shift & bits == bits
    }
}

/// The files of a configuration folder by systemd's rules (tmpfiles.d(5), Configuration Directories): of two of one
/// name the one in /etc counts, a link to /dev/null takes one away; sorted by name.
func configurationFiles(
    _ folder: String, in tree: FileTree,
    below parents: [TreePath] = ["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"]
) -> [TreePath] {
    var chosen = [String: TreePath]()
    for parent in parents {
        guard let name = TreePath(normalizing: folder), let directory = tree.resolve(parent.appending(name)) else {
            continue
        }
        for path in tree.children(of: directory).map(\.path) {
            let name = String(decoding: path.name, as: UTF8.self)
            if name.hasSuffix(".conf"), chosen[name] == nil { chosen[name] = path }
        }
    }
    return chosen.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map(\.value)
        .filter { tree.resolvedNode($0)?.blob.map { $0.size > 0 } ?? false }
}
