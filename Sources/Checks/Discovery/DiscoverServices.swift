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
    case .script(let path):
        services.append(
            Service(
                name: String(decoding: path.name, as: UTF8.self), origin: .script(path),
                commands: [Service.Command(role: "init", words: [path.description])],
                environment: ["PATH": kernelPath, "HOME": "/"]))
    case .none: break
    }
    // Under systemd other supervisors run where a unit starts them.
    func runs(_ names: [String]) -> Bool {
        initSystem != .systemd
            || services.contains { service in
                service.commands.contains { command in
                    command.words.contains { word in names.contains { baseName(word).hasPrefix($0) } }
                }
            }
    }
    var others = [Service]()
    let isInTable = services.contains { service in
        service.origin == .inittab
            && service.commands.contains { $0.words.first == SmallSupervisor.program.description }
    }
    if SmallSupervisor.isFirst(initSystem, in: subject) || isInTable {
        others += try SmallSupervisor.services(in: subject)
    }
    if runs(["runsvdir", "runit", "s6-svscan"]) { others += try runFolderServices(in: subject) }
    if runs(["supervisord"]) { others += try supervisordServices(in: subject, isSystemd: initSystem == .systemd) }
    return services + others
}

/// What the kernel gives its first process (init/main.c).
let kernelPath = "/sbin:/usr/sbin:/bin:/usr/bin"

/// Who runs as the first process.
enum InitSystem: Hashable {
    case systemd
    case inittab
    case script(TreePath)
    case none
}

/// The kernel's own order: `init=`, /sbin/init, /etc/init, /bin/init, /bin/sh (init/main.c, kernel_init).
func initSystem(of subject: CheckSubject, arguments: [String]) throws -> InitSystem {
    let asked = arguments.last { $0.hasPrefix("init=") }.map { String($0.dropFirst("init=".count)) }
    for candidate in [asked, "/sbin/init", "/etc/init", "/bin/init"] {
        guard let candidate, let path = TreePath(normalizing: candidate), let node = subject.tree.resolvedNode(path),
            let blob = node.blob
        else { continue }
        let name = String(decoding: node.path.name, as: UTF8.self)
        if name == "systemd" { return .systemd }
        if try subject.read(blob, 0..<min(blob.size, 2)) == Array("#!".utf8) { return .script(path) }
        if subject.tree.resolvedNode("/etc/inittab") != nil { return .inittab }
        return .none
    }
    return .none
}
