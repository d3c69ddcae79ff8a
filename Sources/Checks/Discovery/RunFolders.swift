internal import RootfsModel

/// The folders of runit and s6 that these supervisors watch: each with a `run` file. A folder with a `down` file is not
/// started by itself.
func runFolderServices(of supervisors: [Supervisor], in subject: CheckSubject) throws -> [Service] {
    let tree = subject.tree
    let usual: [TreePath] = [
        "/etc/service", "/etc/runit/runsvdir/default", "/service", "/var/service", "/etc/services.d",
        "/etc/s6/services", "/var/run/s6/services", "/run/service",
    ]
    let named = supervisors.flatMap(\.arguments).filter { $0.hasPrefix("/") }.compactMap { TreePath(normalizing: $0) }
    var services = [Service]()
    var seen = Set<TreePath>()
    for folder in usual + named {
        for entry in tree.resolvedChildren(of: folder) {
            // runsvdir and s6-svscan pass over names that begin with a dot.
            if entry.name.hasPrefix(".") { continue }
            // A link to nothing is a service that nobody can start.
            let place = tree.resolve(entry.path) ?? entry.path
            let isFolder = tree[place]?.isDirectory ?? false
            guard isFolder || place == entry.path && entry.linkTarget != nil, seen.insert(place).inserted,
                tree[place.appending("down".utf8)] == nil
            else { continue }
            let run = place.appending("run".utf8)
            guard !isFolder || tree[run] != nil else { continue }
            services += runFolder(place, named: entry.name, run: run, hasLogger: isFolder, in: tree)
        }
    }
    return services
}

private func runFolder(
    _ place: TreePath, named name: String, run: TreePath, hasLogger: Bool, in tree: FileTree
) -> [Service] {
    let logger = place.appending("log".utf8).appending("run".utf8)
    let isLogged = hasLogger && tree[logger] != nil
    let service = Service(
        name: name, origin: .runFolder(place), commands: [Service.Command(role: "run", words: [run.description])],
        environment: ["PATH": systemdPath], workingDirectory: hasLogger ? place : nil,
        output: isLogged ? .file(logger) : .inherited)
    if !isLogged { return [service] }
    return [
        service,
        Service(
            name: "\(name)/log", origin: .runFolder(place),
            commands: [Service.Command(role: "log/run", words: [logger.description])],
            environment: ["PATH": systemdPath], workingDirectory: logger.parent),
    ]
}

/// The services of s6-rc's source folders (s6-rc-compile(1)): those that a bundle names which is brought up at boot,
/// s6-overlay's `user` or the usual `default`, with what they depend on.
func compiledServices(in subject: CheckSubject) throws -> [Service] {
    let tree = subject.tree
    var services = [Service]()
    for source: TreePath in ["/etc/s6-overlay/s6-rc.d", "/etc/s6-rc/source", "/etc/s6/sv", "/etc/s6/rc"] {
        guard let folder = tree.resolve(source) else { continue }
        var pending = ["user", "user2", "default"]
        var seen = Set(pending)
        while let name = pending.popLast() {
            let place = tree.resolve(folder.appending(name.utf8)) ?? folder.appending(name.utf8)
            func text(_ file: String) throws -> String? {
                try subject.content(of: place.appending(file.utf8), limit: 1 << 16).map {
                    String(decoding: $0, as: UTF8.self)
                }
            }
            for list in ["contents", "dependencies"] {
                let names =
                    tree.resolvedChildren(of: place.appending("\(list).d".utf8)).map(\.name)
                    + (try text(list) ?? "").split(whereSeparator: \.isNewline).map(String.init)
                pending += names.filter { seen.insert($0).inserted }
            }
            let script = place.appending("run".utf8)
            switch try text("type")?.split(whereSeparator: \.isWhitespace).first {
            case "longrun" where tree[script] != nil:
                services += runFolder(place, named: name, run: script, hasLogger: false, in: tree)
            case "oneshot":
                // One line of execline.
                guard let command = try text("up").flatMap({ Execline(parsing: $0)?.command }) else { continue }
                var service = Service(
                    name: name, origin: .runFolder(place),
                    commands: [Service.Command(role: "up", words: command.words)],
                    environment: ["PATH": systemdPath].merging(command.environment) { $1 },
                    user: command.user ?? "root")
                service.isLongRunning = false
                services.append(service)
            default: break
            }
        }
    }
    return services
}
