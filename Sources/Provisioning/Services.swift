internal import Recipes
internal import RootfsModel

/// Where the supervisor overlay keeps its programs.
let supervisorDirectory: TreePath = "/usr/lib/microvm"

/// The services for who starts them: units for systemd, else the small supervisor's configuration; and the file that
/// keeps their deaths.
func change(
    writingServicesOf recipe: Recipe, in tree: FileTree, moment: Timestamp, warnings: inout [String],
    read: (Blob) throws -> [UInt8]
) throws -> TreeChange {
    let services = recipe.services
    if services.isEmpty { return TreeChange() }
    var mistakes = [Failure]()
    var seen = Set<String>()
    for service in services {
        mistakes += mistakesIn(service, among: services)
        if !seen.insert(service.name.value).inserted {
            mistakes.append(Failure("service \(service.name.value) is there twice", at: service.name.location))
        }
        if let warning = unreachableLimit(of: service) { warnings.append(warning) }
    }
    if !mistakes.isEmpty { throw Failures(mistakes) }
    return TreeChange(puts: unitNodes(of: recipe, moment: moment))
}

/// The units, enabled. What all of them share (where output goes, the report of a death) is the supervisor overlay's
/// drop-in for `app-*.service`; a unit holds what is the service's own.
private func unitNodes(of recipe: Recipe, moment: Timestamp) -> [FileNode] {
    let units: TreePath = "/etc/systemd/system"
    let wants: TreePath = "/etc/systemd/system/multi-user.target.wants"
    var nodes = [FileNode]()
    for service in recipe.services {
        nodes.append(.text(units.appending(service.unitName.utf8), unit(of: service), moment: moment))
        nodes.append(.link(wants.appending(service.unitName.utf8), to: "../" + service.unitName, moment: moment))
    }
    let log = recipe.supervisor.log.value
    if log != Recipe.Supervisor().log.value {
        nodes.append(
            .text(
                units.appending("microvm-applog.service.d/50-recipe.conf"),
                """
                # The recipe's supervisor.log.
                [Unit]
                RequiresMountsFor=\(unitValue(log.parent?.description ?? "/"))

                [Service]
                Environment=\(unitAssignment("APP_LOG", log.description))

                """, moment: moment))
    }
    return nodes
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
    var probe = [String]()
    if let ready = service.ready { probe = ready.probe.value.words }
    let texts = command + [user] + service.environment.map(\.value) + probe
    if texts.contains(where: { $0.utf8.contains(0) }) { mistake("has a NUL in it, which no argument can hold") }
    let values = [("user", user), ("group", service.group?.value), ("directory", service.directory?.value.description)]
    for case (let what, let value?) in values where !isUnitValue(value) {
        mistake("has \(quoted(value)) as \(what), which a unit cannot hold")
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

/// Whether systemd takes a text to the end of its line as it is.
private func isUnitValue(_ text: String) -> Bool {
    !text.isEmpty && !text.utf8.contains { $0 < 32 } && !text.hasPrefix(" ") && !text.hasSuffix(" ")
        && !text.hasSuffix("\\")
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
