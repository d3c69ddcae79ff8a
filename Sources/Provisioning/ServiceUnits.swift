public import Recipes
internal import RootfsModel

// A service as a unit of systemd.

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
        // A unit counts as started when its readiness check is through.
        lines.append("Wants=" + after.joined(separator: " "))
        lines.append("After=" + after.joined(separator: " "))
    }
    let restart = service.restart
    let backoff = restart.backoff
    lines.append("StartLimitIntervalSec=\(unitSpan(restart.limit.window))")
    lines.append("StartLimitBurst=\(restart.limit.count)")
    lines += ["", "[Service]"]
    if let watchdog = service.watchdog {
        // A helper process may speak for the service.
        lines += ["Type=notify", "NotifyAccess=all", "WatchdogSec=\(unitSpan(watchdog))"]
    } else {
        lines.append("Type=exec")
    }
    if service.user.value != "root" { lines.append("User=\(unitValue(service.user.value))") }
    if let group = service.group { lines.append("Group=\(unitValue(group.value))") }
    if let directory = service.directory { lines.append("WorkingDirectory=\(unitValue(directory.value.description))") }
    lines += service.environment.map { "Environment=" + unitAssignment($0.name, $0.value) }
    // report-exit pauses as this says: systemd learnt growing pauses with version 254 only.
    lines.append(
        "Environment=SUPERVISOR_BACKOFF=\(backoff.first.wholeMilliseconds)-\(backoff.longest.wholeMilliseconds)")
    let words = service.command.enumerated().map { unitWord($1.value, isProgram: $0 == 0) }
    lines.append("ExecStart=" + words.joined(separator: " "))
    lines += readiness(of: service)
    lines += limits(of: service.resources)
    lines.append("Restart=\(restart.policy == .never ? "no" : restart.policy.rawValue)")
    lines.append("RestartSec=100ms")
    lines.append("TimeoutStopSec=\(unitSpan(max(.seconds(90), backoff.longest + .seconds(30))))")
    lines += ["", "[Install]", "WantedBy=multi-user.target", ""]
    return lines.joined(separator: "\n")
}

/// Every start says when it is ready, one without a check too.
private func readiness(of service: Recipe.Service) -> [String] {
    let within = service.ready?.within ?? .seconds(30)
    let words =
        ["\(supervisorDirectory)/ready", String(within.wholeMilliseconds)]
        + (service.ready?.probe.value.words ?? ["start"])
    // Only root may read the journal, where the service's lines are.
    var prefix = ""
    if case .console? = service.ready?.probe.value { prefix = "+" }
    var lines = ["ExecStartPost=" + prefix + words.map { unitWord($0) }.joined(separator: " ")]
    // The check says itself that time is up; this is for a check that hangs.
    if service.ready != nil || service.watchdog != nil {
        lines.append("TimeoutStartSec=\(unitSpan(within + .seconds(15)))")
    }
    return lines
}

private func limits(of resources: Recipe.Resources) -> [String] {
    var lines = [String]()
    // Without swap the limit is what it says.
    if let memory = resources.memory { lines += ["MemoryMax=\(memory.bytes)", "MemorySwapMax=0"] }
    if let files = resources.files { lines.append("LimitNOFILE=\(files)") }
    if let tasks = resources.tasks { lines.append("TasksMax=\(tasks)") }
    return lines
}

extension Recipe.ReadinessProbe {
    /// What the ready script takes: the kind and its argument.
    public var words: [String] {
        switch self {
        case .http(let url): ["http", url]
        case .tcp(let host, let port): ["tcp", "\(host):\(port)"]
        case .unix(let path): ["unix", path.description]
        case .file(let path): ["file", path.description]
        case .console(let text): ["console", text]
        case .command(let words): ["command"] + words.map(\.value)
        }
    }
}
