internal import RootfsModel

/// The folders of runit and s6 that are watched: each with an executable `run` file. A folder with a `down` file is not
/// started by itself. Only where the program that watches them is in the image.
func runFolderServices(in subject: CheckSubject) throws -> [Service] {
    let tree = subject.tree
    let watchers: [(programs: [TreePath], folders: [TreePath])] = [
        (
            ["/usr/bin/runsvdir", "/bin/runsvdir", "/sbin/runsvdir", "/usr/sbin/runsvdir"],
            ["/etc/service", "/etc/runit/runsvdir/default", "/service", "/var/service"]
        ),
        (
            ["/usr/bin/s6-svscan", "/bin/s6-svscan", "/command/s6-svscan"],
            ["/etc/services.d", "/etc/s6/services", "/var/run/s6/services", "/run/service"]
        ),
    ]
    var services = [Service]()
    var seen = Set<TreePath>()
    for watcher in watchers where watcher.programs.contains(where: { tree.resolvedNode($0)?.blob != nil }) {
        for folder in watcher.folders {
            guard let directory = tree.resolve(folder) else { continue }
            for index in tree.indices(below: directory) where tree.nodes[index].path.isChild(of: directory) {
                let entry = tree.nodes[index].path
                // runsvdir and s6-svscan pass over names that begin with a dot.
                guard entry.name.first != UInt8(ascii: "."), let place = tree.resolve(entry),
                    tree[place]?.isDirectory == true, seen.insert(place).inserted,
                    tree[place.appending("down".utf8)] == nil
                else { continue }
                let run = place.appending("run".utf8)
                guard tree[run] != nil else { continue }
                let name = String(decoding: entry.name, as: UTF8.self)
                let logger = place.appending("log".utf8).appending("run".utf8)
                let hasLogger = tree[logger] != nil
                services.append(
                    Service(
                        name: name, origin: .runFolder(place),
                        commands: [Service.Command(role: "run", words: [run.description])],
                        environment: ["PATH": systemdPath], workingDirectory: place,
                        output: hasLogger ? .file(logger) : .inherited))
                if hasLogger {
                    services.append(
                        Service(
                            name: "\(name)/log", origin: .runFolder(place),
                            commands: [Service.Command(role: "log/run", words: [logger.description])],
                            environment: ["PATH": systemdPath], workingDirectory: logger.parent))
                }
            }
        }
    }
    return services
}
