internal import RootfsModel

/// What systemd gives every service for its PATH where it names none.
let systemdPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/// Settings of system.conf that every unit starts with.
struct ManagerDefaults {
    var output = "journal"
    var errors = "inherit"
    var environment: [String: String] = [:]

    init(_ subject: CheckSubject) throws {
        var text = UnitText()
        let parts = configurationFiles("systemd/system.conf.d", in: subject.tree)
        for path in ["/etc/systemd/system.conf"] + parts {
            if let content = try subject.content(of: path, limit: 1 << 20) { text.append(content, of: path) }
        }
        output = text.value("Manager", "DefaultStandardOutput") ?? output
        errors = text.value("Manager", "DefaultStandardError") ?? errors
        for word in text.words("Manager", "DefaultEnvironment") + text.words("Manager", "ManagerEnvironment") {
            if let (name, value) = assignment(word) { environment[name] = value }
        }
    }
}

extension Service {
    /// A unit of systemd as a service (systemd.service(5), systemd.exec(5)); its name is the unit's whole name.
    init(_ unit: Unit, accounts: Accounts, defaults: ManagerDefaults, in subject: CheckSubject) throws {
        let text = unit.text
        func value(_ key: String) -> String? { text.value("Service", key).map(unit.expand) }
        self.init(name: unit.name.text, origin: .systemd(unit.path))
        let isDynamic = text.isTrue("Service", "DynamicUser")
        user = value("User") ?? "root"
        group = value("Group")
        supplementaryGroups = text.words("Service", "SupplementaryGroups").map(unit.expand)
        hasDynamicUser = isDynamic
        let home = accounts.users[user]?.home ?? "/root"
        let searched = text.values("Service", "ExecSearchPath").map { unit.expand($0.value) }.joined(separator: ":")
        searchPath = searched.isEmpty ? nil : searched
        // It is the program's PATH too, unless that is given.
        environment = ["PATH": searchPath ?? systemdPath].merging(defaults.environment) { $1 }
        if text.value("Service", "User") != nil {
            environment["USER"] = user
            environment["LOGNAME"] = user
            environment["HOME"] = home
            environment["SHELL"] = accounts.users[user]?.shell
        }
        for word in text.values("Service", "Environment").flatMap({ unitWords($0.value) ?? [] }) {
            if let (name, value) = assignment(unit.expand(word)) { environment[name] = value }
        }
        for name in text.words("Service", "UnsetEnvironment") { environment[name] = nil }
        for assignment in text.values("Service", "EnvironmentFile") {
            var path = Substring(unit.expand(assignment.value))
            let isOptional = path.hasPrefix("-")
            if isOptional { path = path.dropFirst() }
            guard path.hasPrefix("/"), let file = TreePath(normalizing: String(path)) else { continue }
            environmentFiles.append(EnvironmentFile(file, isOptional: isOptional))
            environment.merge(try environmentFile(file, in: subject)) { $1 }
        }
        if let directory = value("WorkingDirectory") {
            let isOptional = directory.hasPrefix("-")
            let path = isOptional ? String(directory.dropFirst()) : directory
            workingDirectory = TreePath(normalizing: path == "~" ? home : path)
            mayMissWorkingDirectory = isOptional
        }
        let output = value("StandardOutput") ?? defaults.output
        let input = value("StandardInput") ?? "null"
        let terminal = value("TTYPath") ?? "/dev/console"
        self.output = Self.output(
            output, inherited: Self.output(input, inherited: .null, terminal: terminal), terminal: terminal)
        errors = Self.output(value("StandardError") ?? defaults.errors, inherited: self.output, terminal: terminal)
        isLongRunning = value("Type") != "oneshot"
        logLevel = value("SyslogLevel").flatMap(Checks.logLevel(named:)) ?? 6
        memory = value("MemoryMin").flatMap(byteCount) ?? value("MemoryLow").flatMap(byteCount)
        made = Self.directoriesMade(by: unit)
        required = [
            "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ExecPaths", "NoExecPaths", "BindPaths",
            "BindReadOnlyPaths",
        ].flatMap { key in
            text.words("Service", key).map(unit.expand).filter { $0.hasPrefix("/") }
                .compactMap { TreePath(normalizing: String($0.prefix { $0 != ":" })) }
        }
        hasPrivateTmp = text.isTrue("Service", "PrivateTmp") || isDynamic
        if value("ProtectSystem") == "strict" || isDynamic {
            writablePaths =
                text.words("Service", "ReadWritePaths").map(unit.expand)
                .compactMap { word in TreePath(normalizing: String(word.drop { "+-".contains($0) })) } + made
        }
        hasOwnRoot = value("RootDirectory") != nil || value("RootImage") != nil
        commands = commands(of: unit)
        refusal = unit.refusal(of: commands)
        location = commands.first { $0.role == "ExecStart" }?.location ?? text.assignments.first?.location
    }

    /// The Exec lines, in the order in which systemd runs them.
    private func commands(of unit: Unit) -> [Command] {
        let roles = [
            "ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost",
        ]
        return roles.flatMap { role in
            unit.text.values("Service", role).flatMap { assignment in
                (unitCommandLines(assignment.value) ?? []).compactMap { line in
                    command(line, role: role, of: unit, at: assignment.location)
                }
            }
        }
    }

    private func command(_ line: [String], role: String, of unit: Unit, at location: SourceLocation) -> Command? {
        var program = Substring(line[0])
        var prefixes = Set<Character>()
        while let sign = program.first, "@-:+!|".contains(sign) {
            prefixes.insert(sign)
            program = program.dropFirst()
        }
        var arguments = line.dropFirst()
        if program.isEmpty { return nil }
        // With @ the word after the program is the name that it sees, and no argument.
        if prefixes.contains("@") { arguments = arguments.dropFirst() }
        var words = [unit.expand(String(program))]
        for argument in arguments.map(unit.expand) {
            words += prefixes.contains(":") ? [argument] : withVariables(argument)
        }
        var command = Command(
            role: role, words: words, mayFail: prefixes.contains("-") || role == "ExecCondition", location: location)
        command.runsAsRoot = prefixes.contains("+")
        return command
    }

    /// systemd.service(5), Command lines: `$NAME` as a word of its own becomes the words of the value, `${NAME}` the value
    /// as part of the word, `$$` a dollar.
    private func withVariables(_ argument: String) -> [String] {
        guard argument.contains("$") else { return [argument] }
        if argument.hasPrefix("$"), !argument.hasPrefix("${"), !argument.hasPrefix("$$"),
            argument.dropFirst().allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" }), argument.count > 1
        {
            return environment[String(argument.dropFirst())].flatMap(unitWords) ?? []
        }
        var result = ""
        var rest = Substring(argument)
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            if rest.hasPrefix("$") {
                result += "$"
                rest = rest.dropFirst()
            } else if rest.hasPrefix("{"), let close = rest.firstIndex(of: "}") {
                result += environment[String(rest[rest.index(after: rest.startIndex)..<close])] ?? ""
                rest = rest[rest.index(after: close)...]
            } else {
                result += "$"
            }
        }
        return [result + rest]
    }

    private static func output(_ value: String, inherited: Output, terminal: String) -> Output {
        switch value {
        case "inherit": return inherited
        case "null": return .null
        case "tty", "tty-force", "tty-fail": return TreePath(normalizing: terminal).map(Output.terminal) ?? .null
        case "journal", "syslog": return .journal
        case "journal+console", "syslog+console", "kmsg+console": return .journalAndConsole
        case "kmsg": return .terminal("/dev/kmsg")
        case "socket": return .socket
        default:
            guard let colon = value.firstIndex(of: ":"),
                let path = TreePath(normalizing: String(value[value.index(after: colon)...]))
            else { return value.hasPrefix("fd:") ? .socket : inherited }
            if value.hasPrefix("fd:") { return .socket }
            return path.isWithin("/dev") ? .terminal(path) : .file(path)
        }
    }

    /// The directories that systemd makes for the service, the user's own.
    private static func directoriesMade(by unit: Unit) -> [TreePath] {
        let places: [(String, TreePath)] = [
            ("RuntimeDirectory", "/run"), ("StateDirectory", "/var/lib"), ("CacheDirectory", "/var/cache"),
            ("LogsDirectory", "/var/log"), ("ConfigurationDirectory", "/etc"),
        ]
        return places.flatMap { key, parent in
            unit.text.words("Service", key).compactMap { word in
                TreePath(normalizing: String(unit.expand(word).prefix { $0 != ":" })).map(parent.appending)
            }
        }
    }
}

/// syslog(3)'s level by its name or number; nil where it is none.
func logLevel(named text: String) -> Int? {
    ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"].firstIndex(of: text)
        ?? Int(text).flatMap { (0...7).contains($0) ? $0 : nil }
}

/// `NAME=value`.
func assignment(_ word: String) -> (name: String, value: String)? {
    guard let equals = word.firstIndex(of: "="), equals != word.startIndex else { return nil }
    return (String(word[..<equals]), String(word[word.index(after: equals)...]))
}

/// The assignments of an EnvironmentFile (systemd.exec(5)); none where it is missing.
func environmentFile(_ path: TreePath, in subject: CheckSubject) throws -> [String: String] {
    guard let bytes = try subject.content(of: path, limit: 1 << 20) else { return [:] }
    var result = [String: String]()
    for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
        let text = line.drop { $0 == " " || $0 == "\t" }
        guard !text.hasPrefix("#"), !text.hasPrefix(";"), let (name, value) = assignment(String(text)) else { continue }
        // Quotes go; what stands apart is one value all the same.
        result[name] = value.contains("\"") || value.contains("'") ? unitWords(value)?.joined(separator: " ") : value
    }
    return result
}

/// `512M` in bytes; nil where it is no number of bytes (`infinity`, `10%`).
private func byteCount(_ text: String) -> UInt64? {
    let powers: [Character: UInt64] = ["K": 10, "M": 20, "G": 30, "T": 40]
    if let suffix = text.last, let power = powers[suffix] {
        return UInt64(text.dropLast()).flatMap { $0 < 1 << 20 ? $0 << power : nil }
    }
    return UInt64(text)
}
