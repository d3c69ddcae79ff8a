internal import RootfsModel

/// Where the journal's lines go besides the machine's own disk and memory: journald's settings (journald.conf(5)), the
/// kernel's arguments for it, and services that carry lines away.
struct Journal: Sendable {
    /// Whether lines of the weight that PID 1 gives a death get out of the machine.
    let leavesMachine: Bool
    /// The least grave of syslog's levels that gets out.
    let highestLevel: Int
    /// Why, or why not, a line each.
    let reasons: [String]

    /// PID 1 tells a failed service at this level.
    private static let deathLevel = 4
    /// Programs that carry the journal's lines to another machine.
    private static let carriers: Set<String> = [
        "systemd-journal-upload", "systemd-netlogd", "fluent-bit", "fluentd", "vector", "promtail", "filebeat",
        "td-agent", "alloy", "otelcol",
    ]

    init(_ subject: CheckSubject) throws {
        var text = UnitText()
        let parts = configurationFiles("systemd/journald.conf.d", in: subject.tree)
        for path in ["/etc/systemd/journald.conf"] + parts {
            if let content = try subject.content(of: path, limit: 1 << 20) { text.append(content, of: path) }
        }
        func setting(_ key: String, _ argument: String) -> (value: String, source: String)? {
            for word in (subject.kernel?.arguments ?? []).reversed() {
                for name in [argument, argument.replacing("_", with: "-")]
                where word == name || word.hasPrefix(name + "=") {
                    return (word == name ? "yes" : String(word.dropFirst(name.count + 1)), "the kernel's arguments")
                }
            }
            return text.values("Journal", key).last.map { ($0.value, "\($0.location.file):\($0.location.line)") }
        }
        let isTrue = { (text: String) in ["1", "yes", "y", "true", "t", "on"].contains(text.lowercased()) }
        var reasons = [String]()
        var leaves = false
        var highest = 7
        if let (value, source) = setting("ForwardToConsole", "systemd.journald.forward_to_console"), isTrue(value) {
            let terminal = text.value("Journal", "TTYPath") ?? "/dev/console"
            let level = setting("MaxLevelConsole", "systemd.journald.max_level_console")?.value ?? "info"
            let number = logLevel(named: level) ?? 6
            reasons.append("journald forwards to \(terminal) what is at least \(level) (\(source))")
            if number < Self.deathLevel {
                reasons.append("a service's death is told at the level warning, which does not pass")
            } else if isOutside(terminal: terminal) {
                leaves = true
                highest = number
            } else {
                reasons.append("\(terminal) is no console that is seen outside of the machine")
            }
        } else {
            reasons.append("journald forwards nothing to the console: no ForwardToConsole=yes in journald.conf")
        }
        if let (value, source) = setting("ForwardToKMsg", "systemd.journald.forward_to_kmsg"), isTrue(value) {
            // What the kernel prints depends on its level: 7 by itself, 4 with quiet.
            let arguments = subject.kernel?.arguments ?? []
            let named = arguments.last { $0.hasPrefix("loglevel=") }.flatMap { Int($0.dropFirst("loglevel=".count)) }
            let level = named ?? (arguments.contains("quiet") ? 4 : 7)
            reasons.append(
                "journald forwards to the kernel's log (\(source)), which prints what is below level \(level)")
            if level > Self.deathLevel {
                highest = max(leaves ? highest : 0, level - 1)
                leaves = true
            }
        }
        let remote = try Self.syslogSendsAway(subject)
        if let carrier = subject.services.first(where: { service in
            service.commands.contains { command in
                let names = command.words.map(baseName)
                return names.contains(where: Self.carriers.contains)
                    || remote && names.contains { ["rsyslogd", "syslog-ng"].contains($0) }
            }
        }) {
            reasons.append("\(carrier.name) may carry lines to another machine")
            leaves = true
            highest = 7
        }
        for service in subject.services {
            // A service that follows the journal and prints it on a console.
            let follows = service.commands.contains { command in
                let text = command.words.joined(separator: " ")
                return text.contains("journalctl") && (text.contains(" -f") || text.contains("--follow"))
                    && (isOutside(service.output)
                        || ["/dev/console", "/dev/ttyS", "/dev/hvc"].contains { text.contains($0) })
            }
            if follows {
                reasons.append("\(service.name) prints the journal on a console")
                leaves = true
                highest = 7
            }
        }
        leavesMachine = leaves
        highestLevel = highest
        self.reasons = reasons
    }

    /// Whether a syslog daemon's configuration names another machine: rsyslog's `@host` and omfwd, syslog-ng's network
    /// drivers.
    private static func syslogSendsAway(_ subject: CheckSubject) throws -> Bool {
        let files =
            ["/etc/rsyslog.conf", "/etc/syslog-ng/syslog-ng.conf"] + configurationFiles("rsyslog.d", in: subject.tree)
            + configurationFiles("syslog-ng/conf.d", in: subject.tree)
        return try files.contains { file in
            guard let bytes = try subject.content(of: file, limit: 1 << 20) else { return false }
            return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).contains { line in
                let text = line.drop { $0 == " " || $0 == "\t" }
                if text.hasPrefix("#") { return false }
                return text.contains("omfwd") || text.contains(" @") || text.contains("\t@")
                    || ["network(", "tcp(", "udp(", "syslog("].contains { text.contains($0) }
            }
        }
    }
}

/// Whether a terminal is one that the machine's outside sees; a virtual terminal is not.
func isOutside(terminal: String) -> Bool {
    guard terminal.hasPrefix("/dev/") else { return false }
    let name = terminal.dropFirst("/dev/".count)
    let virtual = name.hasPrefix("tty") && name.dropFirst(3).allSatisfy(\.isNumber)
    return !virtual && name != "null" && name != "zero" && name != "full"
}

/// Whether what is written there leaves the machine without the journal's help.
func isOutside(_ output: Service.Output) -> Bool {
    switch output {
    case .journalAndConsole, .socket: true
    case .terminal(let path): isOutside(terminal: path.description)
    case .inherited, .journal, .null, .file: false
    }
}
