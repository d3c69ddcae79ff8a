internal import RootfsModel

/// The processes of /etc/inittab. Both forms are `id:runlevels:action:process`; busybox takes the first field for the
/// terminal and has no levels, sysvinit runs those of the default level.
func inittabServices(in subject: CheckSubject) throws -> [Service] {
    let isBusybox = subject.tree.resolve("/sbin/init").map { $0.name.elementsEqual("busybox".utf8) } ?? false
    guard let bytes = try subject.content(of: "/etc/inittab", limit: 1 << 20) else {
        // busybox has lines of its own then: this script, and shells.
        guard let script = subject.tree.resolve("/etc/init.d/rcS") else { return [] }
        return [
            Service(
                name: "rcS", origin: .script(script),
                commands: [Service.Command(role: "sysinit", words: ["/etc/init.d/rcS"])],
                environment: ["PATH": kernelPath])
        ]
    }
    let text = String(decoding: bytes, as: UTF8.self)
    let source = SourceText(name: "/etc/inittab", text: text)
    var services = [Service]()
    var level: Character?
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for line in lines where !line.hasPrefix("#") {
        let fields = line.split(separator: ":", maxSplits: 3, omittingEmptySubsequences: false)
        if fields.count > 2, fields[2] == "initdefault" { level = fields[1].first }
    }
    for (index, line) in lines.enumerated() where !line.hasPrefix("#") {
        let fields = line.split(separator: ":", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
        guard fields.count == 4,
            ["respawn", "askfirst", "once", "wait", "sysinit", "boot", "bootwait"].contains(fields[2])
        else { continue }
        if !isBusybox, let level, !["sysinit", "boot", "bootwait"].contains(fields[2]), !fields[1].isEmpty,
            !fields[1].contains(level)
        {
            continue
        }
        // busybox starts a shell with a dash, sysvinit without accounting with a plus.
        let process = String(fields[3].drop { "-+ ".contains($0) })
        guard !process.isEmpty else { continue }
        let shellSigns = "~`!$^&*()=|\\{}[];\"'<>?"
        let words =
            process.contains(where: shellSigns.contains)
            ? ["/bin/sh", "-c", process] : process.split(whereSeparator: \.isWhitespace).map(String.init)
        let terminal = isBusybox && !fields[0].isEmpty ? TreePath(normalizing: "/dev/" + fields[0]) : nil
        let location = source.location(line: index + 1, column: 1, length: line.count)
        services.append(
            Service(
                name: "inittab:\(index + 1)", origin: .inittab,
                commands: [Service.Command(role: fields[2], words: words, location: location)],
                environment: ["PATH": kernelPath], output: terminal.map(Service.Output.terminal) ?? .inherited,
                errors: terminal.map(Service.Output.terminal) ?? .inherited, location: location))
    }
    return services + levelServices(level: level, isBusybox: isBusybox, in: subject)
}

/// What sysvinit's /etc/init.d/rc starts: the scripts of the boot's level and of the default one.
private func levelServices(level: Character?, isBusybox: Bool, in subject: CheckSubject) -> [Service] {
    if isBusybox || subject.tree.resolvedNode("/etc/init.d/rc") == nil { return [] }
    let levels = ["S"] + (level.map { [String($0)] } ?? [])
    return enabledScripts(of: levels, in: subject.tree).map { name, script in
        Service(
            name: name, origin: .script(script),
            commands: [Service.Command(role: "init.d", words: [script.description, "start"])],
            environment: ["PATH": kernelPath])
    }
}
