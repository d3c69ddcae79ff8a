internal import RootfsModel

/// Where the supervisor overlay keeps its scripts.
let supervisorDirectory: TreePath = "/usr/lib/microvm"

/// The services as systemd units, enabled. What all of them share (where output goes, the report of a death)
/// is the supervisor overlay's drop-in for `app-*.service`; a unit holds what is the service's own.
func change(
    writingServices services: [ServiceSpecification], moment: Timestamp, warnings: inout [String]
) throws -> TreeChange {
    var puts = [FileNode]()
    var mistakes = [Failure]()
    var seen = Set<String>()
    for service in services {
        let found = mistakesIn(service, among: services) + (
            seen.insert(service.name).inserted
                ? [] : [Failure("service \(service.name) is there twice", at: service.location)])
        mistakes += found
        if !found.isEmpty { continue }
        let units: TreePath = "/etc/systemd/system"
        let wants: TreePath = "/etc/systemd/system/multi-user.target.wants"
        puts.append(.text(units.appending(service.unitName.utf8), unit(of: service), moment: moment))
        puts.append(.link(wants.appending(service.unitName.utf8), to: "../" + service.unitName, moment: moment))
        if let warning = unreachableLimit(of: service) { warnings.append(warning) }
    }
    if mistakes.isEmpty, let circle = circle(in: services) {
        mistakes.append(
            Failure(
                "services wait for each other: \(circle.map(\.name).joined(separator: " → "))",
                at: circle.first?.location, hint: "take one of them out of the other's after:"))
    }
    if !mistakes.isEmpty { throw Failures(mistakes) }
    return TreeChange(puts: puts)
}

/// The unit's text.
func unit(of service: ServiceSpecification) -> String {
    var lines = [
        "# From the recipe's service \(service.name). What all services share is in app-.service.d/10-visible.conf.",
        "[Unit]",
        "Description=\(service.name)",
    ]
    let after = service.after.map { $0.contains(".") ? $0 : "app-\($0).service" }
    if !after.isEmpty {
        // A unit with a readiness check counts as started when it is ready.
        lines.append("Wants=" + after.joined(separator: " "))
        lines.append("After=" + after.joined(separator: " "))
    }
    let restart = service.restart
    lines.append("StartLimitIntervalSec=\(unitSpan(restart.interval))")
    lines.append("StartLimitBurst=\(restart.count)")
    lines += ["", "[Service]", "Type=exec"]
    if let user = service.user { lines.append("User=\(unitValue(user))") }
    if let directory = service.workingDirectory { lines.append("WorkingDirectory=\(unitValue(directory))") }
    lines += service.environment.map { "Environment=" + unitAssignment($0.name, $0.value) }
    // report-exit pauses as this says: systemd learnt growing pauses with version 254 only.
    lines.append("Environment=SUPERVISOR_BACKOFF=\(restart.least)-\(restart.most)")
    let words = service.command.enumerated().map { unitWord($1, isProgram: $0 == 0) }
    lines.append("ExecStart=" + words.joined(separator: " "))
    if let ready = service.ready {
        let words = ["\(supervisorDirectory)/ready"] + ready.words + [String(service.within)]
        lines.append("ExecStartPost=" + words.map { unitWord($0) }.joined(separator: " "))
        // The check says itself that time is up; this is for a check that hangs.
        lines.append("TimeoutStartSec=\(unitSpan(service.within &+ 15_000))")
    }
    lines.append("Restart=\(restart.policy.rawValue)")
    lines.append("RestartSec=100ms")
    lines.append("TimeoutStopSec=\(unitSpan(max(90_000, restart.most &+ 30_000)))")
    lines += ["", "[Install]", "WantedBy=multi-user.target", ""]
    return lines.joined(separator: "\n")
}

extension ReadyCheck {
    /// What the ready script takes: the kind and its argument.
    var words: [String] {
        switch self {
        case .http(let url): ["http", url]
        case .tcp(let host, let port): ["tcp", "\(host):\(port)"]
        case .unix(let path): ["unix", path]
        case .file(let path): ["file", path]
        }
    }
}

private func mistakesIn(_ service: ServiceSpecification, among services: [ServiceSpecification]) -> [Failure] {
    var mistakes = [Failure]()
    func mistake(_ message: String, hint: String? = nil) {
        mistakes.append(Failure("service \(service.name) \(message)", at: service.location, hint: hint))
    }
    let isName = service.name.utf8.enumerated().allSatisfy { index, byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: index > 0 && "_-".utf8.contains(byte)
        }
    }
    guard isName, (1...100).contains(service.name.utf8.count) else {
        return [
            Failure(
                "\(quoted(service.name)) cannot be a service's name", at: service.location,
                hint: "1 to 100 of letters, digits, _ and -, the first a letter or digit")
        ]
    }
    if service.command.first?.isEmpty ?? true { mistake("has no command") }
    if let program = service.command.first, !program.hasPrefix("/"), program.contains("/") {
        mistake("runs \(quoted(program)), which is no absolute path", hint: "a service starts in no directory of its own")
    }
    if let program = service.command.first, let sign = program.first, "@-:+!|".contains(sign) {
        mistake("runs \(quoted(program)): systemd takes the \(sign) for a prefix of its own")
    }
    let texts = service.command + [service.user, service.workingDirectory].compactMap { $0 }
        + service.environment.map(\.value)
    if texts.contains(where: { $0.utf8.contains(0) }) { mistake("has a NUL in it, which no argument can hold") }
    for value in [service.user, service.workingDirectory].compactMap({ $0 })
    where value.isEmpty || value.utf8.contains(where: { $0 < 32 }) || value.hasPrefix(" ") || value.hasSuffix(" ")
        || value.hasSuffix("\\")
    {
        mistake("has \(quoted(value)) as user or working directory, which a unit cannot hold")
    }
    for (name, _) in service.environment {
        let isVariable = name.utf8.enumerated().allSatisfy { index, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): index > 0
            default: false
            }
        }
        if !isVariable || name.isEmpty {
            mistake("sets \(quoted(name)), which is no name of an environment variable")
        }
    }
    for name in service.after where !name.contains(".") && !services.contains(where: { $0.name == name }) {
        let meant = nearestName(to: name, among: services.map(\.name))
        mistake(
            "waits for \(quoted(name)), which is no service of the recipe",
            hint: meant.map { "did you mean \($0)?" } ?? "a unit of systemd's own is named with its ending, network.target")
    }
    for name in service.after where name.contains(".") && !name.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "%") }) {
        mistake("waits for \(quoted(name)), which cannot be a unit's name")
    }
    if case .http(let url) = service.ready, !isPlainURL(url) {
        mistake(
            "is ready by \(quoted(url)), which is no address to ask", hint: "write http://HOST:PORT/PATH; https is not asked")
    }
    if service.restart.least > service.restart.most { mistake("pauses from more to less before a restart") }
    if service.restart.count < 1 { mistake("may start less than once") }
    return mistakes
}

/// `http://host[:port][/path]`, in printable ASCII.
private func isPlainURL(_ url: String) -> Bool {
    guard url.hasPrefix("http://"), url.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else { return false }
    let authority = url.dropFirst("http://".count).prefix { $0 != "/" && $0 != "?" }
    let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), !parts[0].isEmpty else { return false }
    return parts.count == 1 || UInt16(parts[1]).map { $0 > 0 } ?? false
}

/// Starts follow each other after pauses that double; when `count` of them take longer than the interval, systemd
/// never sees too many.
private func unreachableLimit(of service: ServiceSpecification) -> String? {
    let restart = service.restart
    if restart.policy == .never || restart.interval == 0 { return nil }
    var pause = max(1, restart.least), sum: UInt64 = 0
    for _ in 0..<restart.count {
        sum = sum.addingReportingOverflow(min(pause, restart.most)).partialValue
        if sum >= restart.interval { break }
        pause = min(pause &* 2, restart.most)
    }
    if sum < restart.interval { return nil }
    return "service \(service.name): it is never given up, for \(restart.count) restarts with pauses of "
        + "\(unitSpan(restart.least)) to \(unitSpan(restart.most)) take longer than \(unitSpan(restart.interval))"
}

/// Services that wait for each other in a circle, the first again at the end.
private func circle(in services: [ServiceSpecification]) -> [ServiceSpecification]? {
    let byName = Dictionary(services.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var done = Set<String>()
    for start in services {
        // Depth first, with the way from the start at hand.
        var way = [(service: start, next: 0)]
        while let (service, next) = way.last {
            if next >= service.after.count || done.contains(service.name) {
                done.insert(service.name)
                way.removeLast()
                continue
            }
            way[way.count - 1].next += 1
            guard let other = byName[service.after[next]] else { continue }
            if let begin = way.firstIndex(where: { $0.service.name == other.name }) {
                return way[begin...].map(\.service) + [other]
            }
            way.append((other, 0))
        }
    }
    return nil
}
