internal import RootfsModel

/// Units that systemd's generators add at boot (systemd.generator(7)), as far as the image and the kernel's arguments
/// decide it: PostgreSQL's clusters and a login on the serial console.
func generatedUnits(in subject: CheckSubject, arguments: [String]) throws -> [String] {
    let tree = subject.tree
    func has(_ generator: String) -> Bool {
        // One in /etc takes the place of the package's; a link to /dev/null takes it away.
        for folder in [
            "/etc/systemd/system-generators", "/usr/lib/systemd/system-generators", "/lib/systemd/system-generators",
        ] {
            guard let path = TreePath(normalizing: "\(folder)/\(generator)"),
                let place = tree.resolve(path, followingLast: false), tree[place] != nil
            else { continue }
            return tree.resolvedNode(place)?.blob.map { $0.size > 0 } ?? false
        }
        return false
    }
    var names = [String]()
    if has("postgresql-generator"), let clusters = tree.resolve("/etc/postgresql") {
        for index in tree.indices(below: clusters) where tree.nodes[index].path.name.elementsEqual("start.conf".utf8) {
            let path = tree.nodes[index].path
            let parts = (path.relative(to: clusters) ?? path).components.map { String(decoding: $0, as: UTF8.self) }
            guard parts.count == 3, let text = try subject.content(of: path, limit: 1 << 16) else { continue }
            let lines = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
            if lines.contains(where: { $0.hasPrefix("auto") }) {
                names.append("postgresql@\(parts[0])-\(parts[1]).service")
            }
        }
    }
    if has("systemd-getty-generator"), let console = arguments.last(where: { $0.hasPrefix("console=") }) {
        let terminal = console.dropFirst("console=".count).prefix { $0 != "," }
        // Virtual terminals have logins of their own.
        if isOutside(terminal: "/dev/\(terminal)") { names.append("serial-getty@\(terminal).service") }
    }
    return names
}

/// The scripts of /etc/init.d that are enabled and that no unit stands for: systemd-sysv-generator makes services of
/// them.
func initScripts(in subject: CheckSubject, besides directory: UnitDirectory) -> [Service] {
    enabledScripts(of: ["2", "3", "4", "5"], in: subject.tree).filter { !directory.knows("\($0.name).service") }.map {
        name, script in
        Service(
            name: "\(name).service", origin: .systemd(script),
            commands: [
                Service.Command(role: "ExecStart", words: [script.description, "start"]),
                Service.Command(role: "ExecStop", words: [script.description, "stop"], mayFail: true),
            ],
            environment: ["PATH": systemdPath], output: .journal, errors: .journal)
    }
}

/// The scripts of /etc/init.d that these run levels start, by their names, sorted.
func enabledScripts(of levels: [String], in tree: FileTree) -> [(name: String, script: TreePath)] {
    var found = [String: TreePath]()
    for level in levels {
        guard let path = TreePath(normalizing: "/etc/rc\(level).d") else { continue }
        for entry in tree.resolvedChildren(of: path) {
            let name = entry.name
            guard name.hasPrefix("S"), name.count > 3, name.dropFirst().prefix(2).allSatisfy(\.isNumber),
                let script = tree.resolve(entry.path), (tree[script]?.metadata.mode ?? 0) & 0o111 != 0
            else { continue }
            let own = name.dropFirst(3)
            found[String(own.hasSuffix(".sh") ? own.dropLast(3) : own)] = script
        }
    }
    return found.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
}
