internal import Recipes
internal import RootfsModel

/// Where the supervisor's programs read the services.
let supervisorSettingsPath: TreePath = "/etc/microvm/services"

/// The services for the supervisor's own programs: a line is a key and a value, words escaped. On images with systemd
/// they read of it what a unit cannot tell them; without systemd it is all that the small supervisor goes by.
func supervisorSettings(of recipe: Recipe) -> String {
    var lines = ["# Written by the build from the recipe's services."]
    func put(_ key: String, _ words: [String]) {
        lines.append(([key] + words.map(escaped)).joined(separator: " "))
    }
    put("log", [recipe.supervisor.log.value.description])
    if let health = recipe.supervisor.health { put("health", [health.value]) }
    for service in recipe.services {
        lines.append("")
        put("service", [service.name.value])
        put("command", service.command.map(\.value))
        put("user", [service.user.value])
        if let group = service.group { put("group", [group.value]) }
        if let directory = service.directory { put("directory", [directory.value.description]) }
        if !service.environment.isEmpty { put("environment", service.environment.map { "\($0.name)=\($0.value)" }) }
        // Units are systemd's; without it there is nothing to wait for.
        let after = service.after.map(\.value).filter { !isUnitName($0) }
        if !after.isEmpty { put("after", after) }
        let restart = service.restart
        put("restart", [restart.policy.rawValue])
        put(
            "backoff", [restart.backoff.first, restart.backoff.longest].map { String($0.wholeMilliseconds) })
        put("limit", [String(restart.limit.count), String(restart.limit.window.wholeMilliseconds)])
        if let ready = service.ready {
            put("ready", ready.probe.value.words)
            put("within", [String(ready.within.wholeMilliseconds)])
        }
        if let watchdog = service.watchdog { put("watchdog", [String(watchdog.wholeMilliseconds)]) }
        if let memory = service.resources.memory { put("memory", [String(memory.bytes)]) }
        if let files = service.resources.files { put("files", [String(files)]) }
        if let tasks = service.resources.tasks { put("tasks", [String(tasks)]) }
    }
    return lines.joined(separator: "\n") + "\n"
}

/// Each byte that is no plain character as `%` and two digits; an empty word is `%` alone.
private func escaped(_ word: String) -> String {
    if word.isEmpty { return "%" }
    var result = ""
    for byte in word.utf8 {
        if (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "%") {
            result.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
            let digits = String(byte, radix: 16, uppercase: true)
            result += "%" + (digits.count == 1 ? "0" : "") + digits
        }
    }
    return result
}

/// Whether an image is one of systemd's.
func hasSystemd(_ tree: FileTree) -> Bool {
    let programs: [TreePath] = ["/lib/systemd/systemd", "/usr/lib/systemd/systemd"]
    return programs.contains { tree.resolvedNode($0)?.blob != nil }
}

/// What makes the small supervisor start in an image without systemd: it is init where there is none, and a line of
/// /etc/inittab where another init reads that.
func startingSupervisor(
    of recipe: Recipe, in tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]
) throws -> [FileNode] {
    let program = "\(supervisorDirectory)/supervise"
    if recipe.kernel?.arguments.contains(where: { $0.value.hasPrefix("init=") }) ?? false { return [] }
    let candidates: [TreePath] = ["/sbin/init", "/etc/init", "/bin/init"]
    guard let path = candidates.first(where: { tree[tree.placement(of: $0)] != nil }) else {
        return [.link("/sbin/init", to: program, moment: moment)]
    }
    if tree[tree.placement(of: path)]?.linkTarget == Array(program.utf8) { return [] }
    guard let table = tree.resolve("/etc/inittab"), let node = tree[table], let blob = node.blob else {
        throw Failure(
            "the recipe has services, and the image has an init that nothing tells of them: \(path)",
            at: recipe.services.first?.name.location,
            hint: "start the supervisor with it, and write init= among the kernel's arguments; init=\(program) is the "
                + "supervisor alone")
    }
    let text = String(decoding: try read(blob), as: UTF8.self)
    if text.contains(program) { return [] }
    // busybox takes the first field for a terminal and has no levels; sysvinit's is a name.
    let isBusybox = tree.resolve(path).map { $0.name.elementsEqual("busybox".utf8) } ?? false
    let line = (isBusybox ? "::" : "mvm:2345:") + "respawn:\(program) --machine\n"
    var changed = FileNode.text(
        table, text + (text.isEmpty || text.hasSuffix("\n") ? "" : "\n") + line, moment: moment)
    changed.metadata.mode = node.metadata.mode
    return [changed]
}
