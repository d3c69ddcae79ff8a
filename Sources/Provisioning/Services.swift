public import Recipes
internal import RootfsModel

/// Where the supervisor overlay keeps its scripts.
let supervisorDirectory: TreePath = "/usr/lib/microvm"

/// The services as systemd units, enabled. What all of them share (where output goes, the report of a death)
/// is the supervisor overlay's drop-in for `app-*.service`; a unit holds what is the service's own.
func change(
    writingServices services: [Recipe.Service], moment: Timestamp, warnings: inout [String]
) throws -> TreeChange {
    var puts = [FileNode]()
    var mistakes = [Failure]()
    var seen = Set<String>()
    for service in services {
        let found =
            mistakesIn(service, among: services)
            + (seen.insert(service.name.value).inserted
                ? [] : [Failure("service \(service.name.value) is there twice", at: service.name.location)])
        mistakes += found
        if !found.isEmpty { continue }
        let units: TreePath = "/etc/systemd/system"
        let wants: TreePath = "/etc/systemd/system/multi-user.target.wants"
        puts.append(.text(units.appending(service.unitName.utf8), unit(of: service), moment: moment))
        puts.append(.link(wants.appending(service.unitName.utf8), to: "../" + service.unitName, moment: moment))
        if let warning = unreachableLimit(of: service) { warnings.append(warning) }
    }
    if !mistakes.isEmpty { throw Failures(mistakes) }
    return TreeChange(puts: puts)
}

extension Recipe.Service {
    var unitName: String { "app-\(name.value).service" }
}

/// The unit's text.
func unit(of service: Recipe.Service) -> String {
    var lines = [
        "# From the recipe's service \(service.name.value). What all services share is in app-.service.d/10-visible.conf.",
        "[Unit]",
        "Description=\(service.name.value)",
    ]
    let after = service.after.map(\.value).map { isUnitName($0) ? $0 : "app-\($0).service" }
    if !after.isEmpty {
        // A unit with a readiness check counts as started when it is ready.
        lines.append("Wants=" + after.joined(separator: " "))
        lines.append("After=" + after.joined(separator: " "))
    }
    let restart = service.restart
    let backoff = restart.backoff
    lines.append("StartLimitIntervalSec=\(unitSpan(restart.limit.window))")
    lines.append("StartLimitBurst=\(restart.limit.count)")
    lines += ["", "[Service]", "Type=exec"]
    if service.user.value != "root" { lines.append("User=\(unitValue(service.user.value))") }
    lines += service.environment.map { "Environment=" + unitAssignment($0.name, $0.value) }
    // report-exit pauses as this says: systemd learnt growing pauses with version 254 only.
    lines.append(
        "Environment=SUPERVISOR_BACKOFF=\(backoff.first.wholeMilliseconds)-\(backoff.longest.wholeMilliseconds)")
    let words = service.command.enumerated().map { unitWord($1.value, isProgram: $0 == 0) }
    lines.append("ExecStart=" + words.joined(separator: " "))
    if let ready = service.ready {
        let words =
            ["\(supervisorDirectory)/ready"] + ready.probe.value.words + [String(ready.within.wholeMilliseconds)]
        lines.append("ExecStartPost=" + words.map { unitWord($0) }.joined(separator: " "))
        // The check says itself that time is up; this is for a check that hangs.
        lines.append("TimeoutStartSec=\(unitSpan(ready.within + .seconds(15)))")
    }
    lines.append("Restart=\(restart.policy == .never ? "no" : restart.policy.rawValue)")
    lines.append("RestartSec=100ms")
    lines.append("TimeoutStopSec=\(unitSpan(max(.seconds(90), backoff.longest + .seconds(30))))")
    lines += ["", "[Install]", "WantedBy=multi-user.target", ""]
    return lines.joined(separator: "\n")
}

extension Recipe.ReadinessProbe {
    /// What the ready script takes: the kind and its argument.
    public var words: [String] {
        switch self {
        case .http(let url): ["http", url]
        case .tcp(let host, let port): ["tcp", "\(host):\(port)"]
        case .unix(let path): ["unix", path.description]
        case .file(let path): ["file", path.description]
        }
    }
}

private func mistakesIn(_ service: Recipe.Service, among services: [Recipe.Service]) -> [Failure] {
    var mistakes = [Failure]()
    func mistake(_ message: String, hint: String? = nil) {
        mistakes.append(Failure("service \(service.name.value) \(message)", at: service.name.location, hint: hint))
    }
    do throws(Failure) {
        try Recipe.checkServiceName(service.name)
    } catch {
        return [error]
    }
    let command = service.command.map(\.value)
    let user = service.user.value
    if command.first?.isEmpty ?? true { mistake("has no command") }
    if let program = command.first, !program.hasPrefix("/"), program.contains("/") {
        mistake(
            "runs \(quoted(program)), which is no absolute path", hint: "a service starts in no directory of its own")
    }
    if let program = command.first, let sign = program.first, "@-:+!|".contains(sign) {
        mistake("runs \(quoted(program)): systemd takes the \(sign) for a prefix of its own")
    }
    let texts = command + [user] + service.environment.map(\.value)
    if texts.contains(where: { $0.utf8.contains(0) }) { mistake("has a NUL in it, which no argument can hold") }
    if user.isEmpty || user.utf8.contains(where: { $0 < 32 }) || user.hasPrefix(" ") || user.hasSuffix(" ")
        || user.hasSuffix("\\")
    {
        mistake("has \(quoted(user)) as user, which a unit cannot hold")
    }
    for name in service.after.map(\.value)
    where !isUnitName(name) && !services.contains(where: { $0.name.value == name }) {
        let meant = nearestName(to: name, among: services.map(\.name.value))
        mistake(
            "waits for \(quoted(name)), which is no service of the recipe",
            hint: meant.map { "did you mean \($0)?" }
                ?? "a unit of systemd's own is named with its ending, network.target")
    }
    if case .http(let url)? = service.ready?.probe.value, !isPlainURL(url) {
        mistake(
            "is ready by \(quoted(url)), which is no address to ask",
            hint: "write http://HOST:PORT/PATH; https is not asked")
    }
    if service.restart.backoff.first > service.restart.backoff.longest {
        mistake("pauses from more to less before a restart")
    }
    if service.restart.limit.count < 1 { mistake("may start less than once") }
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
private func unreachableLimit(of service: Recipe.Service) -> String? {
    let restart = service.restart
    let (first, longest) = (restart.backoff.first, restart.backoff.longest)
    if restart.policy == .never || restart.limit.window == .zero { return nil }
    var pause = max(.milliseconds(1), first)
    var sum = Duration.zero
    for _ in 0..<restart.limit.count {
        sum += min(pause, longest)
        if sum >= restart.limit.window { break }
        pause = min(pause * 2, longest)
    }
    if sum < restart.limit.window { return nil }
    return "service \(service.name.value): it is never given up, for \(restart.limit.count) restarts with pauses of "
        + "\(unitSpan(first)) to \(unitSpan(longest)) take longer than \(unitSpan(restart.limit.window))"
}
