internal import RootfsModel

/// A program that starts others by its own configuration, as something of the image starts it.
struct Supervisor: Sendable {
    /// What stands behind its name.
    var arguments: [String]
    var environment: [String: String]
    var output: Service.Output

    /// Whether one of these options is given.
    func has(_ options: [String]) -> Bool { arguments.contains { options.contains($0) } }

    /// The value of an option: `-c FILE`, `-cFILE`, `--configuration=FILE`.
    func value(of options: [String]) -> String? {
        for (index, word) in arguments.enumerated() {
            if options.contains(word) { return index + 1 < arguments.count ? arguments[index + 1] : nil }
            for option in options {
                let prefix = option.hasPrefix("--") ? option + "=" : option
                if word.hasPrefix(prefix), option.hasPrefix("--") || !word.hasPrefix("--") {
                    return String(word.dropFirst(prefix.count))
                }
            }
        }
        return nil
    }
}

/// The programs of these names that the services start, themselves or through wrappers and scripts.
func supervisors(named names: Set<String>, of services: [Service], in subject: CheckSubject) throws -> [Supervisor] {
    // Following everything takes time, and few images have one.
    let isThere = subject.tree.nodes.contains { names.contains($0.name) && !$0.isDirectory }
    guard isThere else { return [] }
    var subject = subject
    subject.services = services
    return try subject.serviceStarts().flatMap { start in
        start.launches.compactMap { launch in
            guard launch.role != "ExecStop", !launch.names.allSatisfy({ !names.contains($0) }),
                let place = launch.words.firstIndex(where: { names.contains(baseName($0)) })
            else { return nil }
            let discards = launch.output == .file("/dev/null")
            return Supervisor(
                arguments: Array(launch.words[(place + 1)...]),
                environment: ["PATH": systemdPath].merging(launch.environment) { $1.isEmpty ? $0 : $1 },
                output: discards ? .null : start.service.output)
        }
    }
}
