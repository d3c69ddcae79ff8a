internal import RootfsModel

/// A path that a machine's disk has otherwise than the golden image.
public struct AutopsyChange: Encodable, Sendable {
    /// What kind of file it is, in the order in which it is likely to make a service die.
    public enum Group: String, Encodable, CaseIterable, Sendable {
        case programs, libraries, configuration, others
    }

    public var path: String
    public var group: Group
    /// `added`, `missing` or `changed`.
    public var kind: String
    /// What is otherwise, in words.
    public var fields: [String]
}

/// What a disk has otherwise than the golden tree: changes worth a look, the likeliest causes first; and how many
/// there are that every machine makes, by kind.
func autopsyChanges(of tree: FileTree, since golden: FileTree) -> (changes: [AutopsyChange], churn: [String: Int]) {
    var changes = [AutopsyChange]()
    var churn = [String: Int]()
    for difference in tree.differences(from: golden) {
        if let place = churnPlace(of: difference) {
            churn[place, default: 0] += 1
            continue
        }
        let entry = VerifyReport.Difference(difference)
        let node = tree[difference.path] ?? golden[difference.path]
        changes.append(
            AutopsyChange(
                path: entry.path, group: node.map(group) ?? .others, kind: entry.kind, fields: entry.fields))
    }
    let order = AutopsyChange.Group.allCases
    return (order.flatMap { group in changes.filter { $0.group == group } }, churn)
}

/// Where machines write as they run: logs, state, identity.
private let churnPlaces: [TreePath] = [
    "run", "tmp", "var/run", "var/tmp", "var/log", "var/cache", "var/spool", "var/backups", "var/lib/systemd",
    "var/lib/microvm", "var/lib/dbus", "var/lib/private", "var/lib/dhcp", "var/lib/misc", "var/lib/logrotate",
    "var/lib/urandom", "var/lib/chrony", "var/lib/apt", "var/.updated", "lost+found", "proc", "sys", "dev",
    "etc/machine-id", "etc/resolv.conf", "etc/mtab", "etc/adjtime", "etc/.updated", "etc/.pwd.lock",
    "etc/fake-hwclock.data",
]

/// The kind of a change that says nothing; nil for one worth a look.
private func churnPlace(of difference: TreeDifference) -> String? {
    if let place = churnPlaces.first(where: { difference.path.isWithin($0) }) { return place.description }
    if difference.path.components.contains(where: { $0.elementsEqual(".cache".utf8) }) { return ".cache" }
    if case .changed(let fields) = difference.kind, fields.allSatisfy({ $0.name == "time" }) { return "only its time" }
    return nil
}

private func group(of node: FileNode) -> AutopsyChange.Group {
    func has(_ suffixes: [String]) -> Bool {
        let name = String(decoding: node.path.name, as: UTF8.self)
        return suffixes.contains { name.hasSuffix($0) }
    }
    let name = String(decoding: node.path.name, as: UTF8.self)
    let configurations: [TreePath] = ["etc", "lib/systemd", "usr/lib/systemd", "usr/local/etc"]
    if configurations.contains(where: { node.path.isWithin($0) }) { return .configuration }
    if has([".so", ".node", ".ko"]) || name.contains(".so.") { return .libraries }
    let programs: [TreePath] = ["bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", "usr/libexec"]
    if programs.contains(where: { node.path.isWithin($0) }) || has([".js", ".mjs", ".cjs", ".py", ".pl", ".rb", ".sh"])
    {
        return .programs
    }
    if node.blob != nil, node.metadata.mode & 0o111 != 0 { return .programs }
    return .others
}
