internal import RootfsModel

/// The programs of supervisord's configuration (supervisord.org, Configuration File), where supervisord is in the image:
/// those that it starts by itself.
func supervisordServices(in subject: CheckSubject, isSystemd: Bool) throws -> [Service] {
    let tree = subject.tree
    let programs: [TreePath] = ["/usr/bin/supervisord", "/usr/local/bin/supervisord"]
    guard programs.contains(where: { tree.resolvedNode($0)?.blob != nil }) else { return [] }
    let mains: [TreePath] = ["/etc/supervisor/supervisord.conf", "/etc/supervisord.conf"]
    guard let main = mains.first(where: { tree.resolvedNode($0)?.blob != nil }) else { return [] }
    var services = [Service]()
    for file in [main] + (try included(by: main, in: subject)) {
        guard let bytes = try subject.content(of: file, limit: 1 << 20) else { continue }
        for section in supervisordSections(bytes, file) where section.name.hasPrefix("program:") {
            if ["false", "0", "no", "off"].contains((section["autostart"] ?? "true").lowercased()) { continue }
            if let service = service(section, in: file, isSystemd: isSystemd) { services.append(service) }
        }
    }
    return services
}

private func service(_ section: SupervisordSection, in file: TreePath, isSystemd: Bool) -> Service? {
    let name = String(section.name.dropFirst("program:".count))
    var environment = ["PATH": systemdPath]
    for pair in (section["environment"] ?? "").split(separator: ",") {
        let words = unitWords(String(pair)) ?? []
        if let (name, value) = words.first.flatMap(assignment) { environment[name] = value }
    }
    func expand(_ text: String) -> String {
        var text = text.replacing("%(program_name)s", with: name).replacing("%(process_num)d", with: "0")
            .replacing("%(here)s", with: (file.parent ?? .root).description).replacing("%%", with: "%")
        for (name, value) in environment { text = text.replacing("%(ENV_\(name))s", with: value) }
        return text
    }
    guard let command = section["command"].map(expand), let words = unitWords(command), let program = words.first,
        !program.contains("%(")
    else { return nil }
    func sink(_ key: String) -> Service.Output {
        switch section[key].map(expand) ?? "AUTO" {
        case "NONE", "none", "/dev/null": .null
        case "/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2", "/proc/self/fd/1", "/proc/self/fd/2":
            // supervisord's own.
            isSystemd ? .journal : .inherited
        case "syslog": .journal
        case "AUTO": .file("/tmp")
        case let text: TreePath(normalizing: text).map { $0.isWithin("/dev") ? .terminal($0) : .file($0) } ?? .inherited
        }
    }
    let output = sink("stdout_logfile")
    let joins = ["true", "1", "yes", "on"].contains((section["redirect_stderr"] ?? "").lowercased())
    return Service(
        name: name, origin: .script(file),
        commands: [Service.Command(role: "command", words: words, location: section.location(of: "command"))],
        environment: environment, user: section["user"] ?? "root",
        workingDirectory: section["directory"].map(expand).flatMap { TreePath(normalizing: $0) }, output: output,
        errors: joins ? output : sink("stderr_logfile"), location: section.location(of: "command"))
}

/// The files that `[include] files=` names by patterns, relative to the configuration's directory.
private func included(by main: TreePath, in subject: CheckSubject) throws -> [TreePath] {
    guard let bytes = try subject.content(of: main, limit: 1 << 20),
        let patterns = supervisordSections(bytes, main).first(where: { $0.name == "include" })?["files"]
    else { return [] }
    return patterns.split(whereSeparator: \.isWhitespace).flatMap { pattern -> [TreePath] in
        let whole = pattern.hasPrefix("/") ? String(pattern) : "\(main.parent ?? .root)/\(pattern)"
        guard let path = TreePath(normalizing: whole), let folder = path.parent.flatMap({ subject.tree.resolve($0) })
        else { return [] }
        // Patterns of a name: what is before and behind one star.
        let parts = path.name.split(separator: UInt8(ascii: "*"), maxSplits: 1, omittingEmptySubsequences: false)
        return subject.tree.children(of: folder).map(\.path).filter { file in
            if parts.count == 1 { return file.name.elementsEqual(path.name) }
            return file.name.starts(with: parts[0]) && file.name.reversed().starts(with: parts[1].reversed())
        }
    }
}

/// One section, its keys and where they stand.
private struct SupervisordSection {
    var name: String
    var values: [String: (value: String, location: SourceLocation)] = [:]

    subscript(key: String) -> String? { values[key]?.value }

    func location(of key: String) -> SourceLocation? { values[key]?.location }
}

/// Sections in their order; a comment begins with `;` behind a blank, a line that begins with a blank goes on with the
/// value before it.
private func supervisordSections(_ bytes: [UInt8], _ path: TreePath) -> [SupervisordSection] {
    let text = String(decoding: bytes, as: UTF8.self)
    let source = SourceText(name: path.description, text: text)
    var sections = [SupervisordSection]()
    var key: String?
    for (index, raw) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
        if raw.hasPrefix(";") || raw.hasPrefix("#") { continue }
        let line = raw.replacing("\t", with: " ")
        let content = line.firstRange(of: " ;").map { line[..<$0.lowerBound] } ?? line[...]
        let words = content.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
        if words.isEmpty { continue }
        if words.hasPrefix("["), words.hasSuffix("]") {
            sections.append(SupervisordSection(name: String(words.dropFirst().dropLast())))
            key = nil
        } else if sections.isEmpty {
            continue
        } else if content.hasPrefix(" "), let open = key {
            sections[sections.count - 1].values[open]?.value += " " + words
        } else if let equals = words.firstIndex(of: "=") {
            let name = String(words[..<equals].filter { $0 != " " })
            let value = String(words[words.index(after: equals)...].drop { $0 == " " })
            sections[sections.count - 1].values[name] = (value, source.location(line: index + 1, column: 1))
            key = name
        }
    }
    return sections
}
