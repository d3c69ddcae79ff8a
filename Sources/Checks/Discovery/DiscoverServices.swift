public import RootfsModel

/// The services that an image starts by itself, whoever starts them: with systemd as init the enabled units, each by its
/// unit's whole name (`app-web.service`); else the lines of /etc/inittab, or the script that is init; the services of the
/// small supervisor where that is started; the folders of runit and s6, and supervisord's programs. `arguments` are the kernel's (`init=`, `systemd.unit=`). Throws only what `read` does.
public func discoverServices(
    in tree: FileTree, arguments: [String] = [],
    read: @escaping @Sendable (_ blob: Blob, _ range: Range<UInt64>) throws -> [UInt8]
) throws -> [Service] {
    let subject = CheckSubject(tree: tree, architecture: "", read: read)
    var services = [Service]()
    let initSystem = try initSystem(of: subject, arguments: arguments)
    switch initSystem {
    case .systemd:
        let accounts = try Accounts(subject)
        let defaults = try ManagerDefaults(subject)
        let directory = UnitDirectory(subject)
        let units = try startedUnits(directory, arguments: arguments, in: subject)
        for unit in units where unit.name.ending == "service" {
            let service = try Service(unit, accounts: accounts, defaults: defaults, in: subject)
            if !service.commands.isEmpty || service.refusal != nil { services.append(service) }
        }
        services += initScripts(in: subject, besides: directory)
    case .inittab: services += try inittabServices(in: subject)
    case .runit:
        for stage in ["1", "2"] {
            services.append(firstProcess("runit:\(stage)", words: ["/etc/runit/\(stage)"], origin: "/etc/runit"))
        }
    case .program(let path):
        // The kernel hands what is behind -- to init.
        let words = arguments.split(separator: "--", maxSplits: 1, omittingEmptySubsequences: false).dropFirst().first
        services.append(firstProcess("init", words: [path.description] + (words ?? []), origin: path))
    case .none: break
    }
    // Other supervisors run where something starts them, which with a first process of its own need not be seen.
    func starters(_ names: Set<String>) throws -> [Supervisor] {
        let found = try supervisors(named: names, of: services, in: subject)
        if !found.isEmpty || initSystem == .systemd { return found }
        let isThere = tree.nodes.contains { $0.blob != nil && names.contains($0.name) }
        return isThere ? [Supervisor(arguments: ["-n"], environment: ["PATH": systemdPath], output: .inherited)] : []
    }
    var others = [Service]()
    let isInTable = services.contains { service in
        service.origin == .inittab
            && service.commands.contains { $0.words.first == SmallSupervisor.program.description }
    }
    if SmallSupervisor.isFirst(initSystem, in: subject) || isInTable {
        others += try SmallSupervisor.services(in: subject)
    }
    let watchers = try starters(["runsvdir", "runit", "s6-svscan"])
    if !watchers.isEmpty { others += try runFolderServices(of: watchers, in: subject) }
    if try !starters(["s6-svscan", "s6-rc", "s6-rc-init"]).isEmpty { others += try compiledServices(in: subject) }
    if let supervisord = try starters(["supervisord"]).first {
        others += try supervisordServices(of: supervisord, in: subject)
    }
    return services + others
}

private func firstProcess(_ name: String, words: [String], origin: TreePath) -> Service {
    Service(
        name: name, origin: .script(origin), commands: [Service.Command(role: "init", words: words)],
        environment: ["PATH": kernelPath, "HOME": "/"])
}

/// What the kernel gives its first process (init/main.c).
let kernelPath = "/sbin:/usr/sbin:/bin:/usr/bin"

/// Who runs as the first process.
enum InitSystem: Hashable {
    case systemd
    case inittab
    case runit
    /// A script, or any other program.
    case program(TreePath)
    case none
}

/// The kernel's own order: `init=`, /sbin/init, /etc/init, /bin/init, /bin/sh (init/main.c, kernel_init).
func initSystem(of subject: CheckSubject, arguments: [String]) throws -> InitSystem {
    guard let (path, node) = firstProgram(of: subject, arguments: arguments) else { return .none }
    switch node.name {
    case "systemd": return .systemd
    case "runit", "runit-init": return .runit
    default: break
    }
    let isScript = try node.blob.map { try subject.beginning(of: $0, count: 2) } == Array("#!".utf8)
    if !isScript, node.name == "busybox" || subject.tree.resolvedNode("/etc/inittab") != nil { return .inittab }
    return .program(path)
}

/// What the kernel starts, as it is named, and the file that it leads to; a lone shell is no init.
func firstProgram(of subject: CheckSubject, arguments: [String]) -> (path: TreePath, node: FileNode)? {
    let asked = arguments.last { $0.hasPrefix("init=") }.map { String($0.dropFirst("init=".count)) }
    for candidate in [asked, "/sbin/init", "/etc/init", "/bin/init"] {
        guard let candidate, let path = TreePath(normalizing: candidate), let node = subject.tree.resolvedNode(path),
            node.blob != nil
        else { continue }
        return (path, node)
    }
    return nil
}
