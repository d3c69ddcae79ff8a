internal import RootfsModel

/// The programs of a supervisord's configuration (supervisord.org, Configuration File): those that it starts by itself.
func supervisordServices(of starter: Supervisor, in subject: CheckSubject) throws -> [Service] {
    let tree = subject.tree
    let named = starter.value(of: ["-c", "--configuration"]).flatMap { TreePath(normalizing: $0) }
    let mains: [TreePath] = named.map { [$0] } ?? ["/etc/supervisor/supervisord.conf", "/etc/supervisord.conf"]
    guard let main = mains.first(where: { tree.resolvedNode($0)?.blob != nil }) else { return [] }
    let files = try [main] + included(by: main, in: subject)
    let sections = try files.map { file in
        (file, supervisordSections(try subject.content(of: file, limit: 1 << 20) ?? [], file))
    }
    var context = SupervisordContext(environment: starter.environment, output: .null)
    let own = sections[0].1.first { $0.name == "supervisord" }
    context.environment.merge(
        supervisordPairs(context.expand(own?["environment"] ?? "", in: main, program: ""))
    ) { $1 }
    // In the background its own descriptors lead to nothing.
    if isTrue(own?["nodaemon"]) || starter.has(["-n", "--nodaemon"]) { context.output = starter.output }
    context.isSilent = isTrue(own?["silent"]) || starter.has(["-s", "--silent"])
    return sections.flatMap { file, sections in
        sections.compactMap { section -> Service? in
            let kind = section.name.prefix { $0 != ":" }
            guard ["program", "eventlistener", "fcgi-program"].contains(kind), kind.count + 1 < section.name.count,
                section["autostart"].map(isTrue) ?? true
            else { return nil }
            return service(section, named: String(section.name.dropFirst(kind.count + 1)), in: file, context)
        }
    }
}

private func isTrue(_ value: String?) -> Bool {
    ["true", "yes", "on", "1"].contains(value?.lowercased() ?? "")
}

/// What all programs of a supervisord have of it.
private struct SupervisordContext {
    var environment: [String: String]
    /// Where its own output leads.
    var output: Service.Output
    var isSilent = false

    /// `%(program_name)s`, `%(ENV_NAME)s` and the like, where their values are known.
    func expand(_ text: String, in file: TreePath, program name: String) -> String {
        var text = text.replacing("%(program_name)s", with: name).replacing("%(group_name)s", with: name)
            .replacing("%(process_num)d", with: "0").replacing("%(process_num)02d", with: "00")
            .replacing("%(here)s", with: (file.parent ?? .root).description)
        for (name, value) in environment { text = text.replacing("%(ENV_\(name))s", with: value) }
        return text.replacing("%%", with: "%")
    }
}

private func service(
    _ section: SupervisordSection, named name: String, in file: TreePath, _ context: SupervisordContext
) -> Service? {
    var environment = context.environment
    let pairs = supervisordPairs(context.expand(section["environment"] ?? "", in: file, program: name))
    environment.merge(pairs) { $1 }
    func expand(_ text: String) -> String {
        SupervisordContext(environment: environment, output: .null).expand(text, in: file, program: name)
    }
    guard let command = section["command"].map(expand), let words = unitWords(command), let program = words.first,
        !program.contains("%(")
    else { return nil }
    func sink(_ key: String) -> Service.Output {
        switch section[key].map(expand) ?? "AUTO" {
        case "NONE", "none", "/dev/null": .null
        case "/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2", "/proc/self/fd/1", "/proc/self/fd/2":
            context.output
        case "syslog": .journal
        case "AUTO": .file("/tmp")
        case let text: TreePath(normalizing: text).map { $0.isWithin("/dev") ? .terminal($0) : .file($0) } ?? .inherited
        }
    }
    let output = sink("stdout_logfile")
    let joins = isTrue(section["redirect_stderr"])
    var service = Service(
        name: name, origin: .script(file),
        commands: [Service.Command(role: "command", words: words, location: section.location(of: "command"))],
        environment: environment, user: section["user"] ?? "root",
        workingDirectory: section["directory"].map(expand).flatMap { TreePath(normalizing: $0) }, output: output,
        errors: joins ? output : sink("stderr_logfile"), location: section.location(of: "command"))
    service.managerOutput = context.isSilent ? .null : context.output
    return service
}

/// `A="1, 2",B=3`: names and values, quotes taken off.
private func supervisordPairs(_ text: String) -> [String: String] {
    var result = [String: String]()
    var word = ""
    var quote: Character?
    func take() {
        if let (name, value) = assignment(word.trimmingBlanks) { result[name] = value }
        word = ""
    }
    for character in text {
        if let open = quote {
            if character == open { quote = nil } else { word.append(character) }
        } else if character == "\"" || character == "'" {
            quote = character
        } else if character == "," {
            take()
        } else {
            word.append(character)
        }
    }
    take()
    return result
}

extension String {
    fileprivate var trimmingBlanks: String {
        let blank = { (character: Character) in character.isWhitespace }
        return String(drop(while: blank).reversed().drop(while: blank).reversed())
    }
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
