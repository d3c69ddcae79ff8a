internal import RootfsModel

/// The small supervisor of images without systemd: its program, and the services in its settings, which the build wrote.
enum SmallSupervisor {
    static let program: TreePath = "/usr/lib/microvm/supervise"
    private static let settings: TreePath = "/etc/microvm/services"

    /// Whether it is what runs as the first process.
    static func isFirst(_ initSystem: InitSystem, in subject: CheckSubject) -> Bool {
        guard case .program(let path) = initSystem, let file = subject.tree.resolve(path) else { return false }
        return file == subject.tree.resolve(program)
    }

    /// The services by their units' names, as its lines on the console have them.
    static func services(in subject: CheckSubject) throws -> [Service] {
        guard let bytes = try subject.content(of: settings, limit: 1 << 20) else { return [] }
        let source = SourceText(name: settings.description, text: String(decoding: bytes, as: UTF8.self))
        let accounts = try Accounts(subject)
        var services = [Service]()
        for (index, line) in source.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var words = line.split(separator: " ", omittingEmptySubsequences: false).map(unescaped)
            guard words.count > 1, !line.hasPrefix("#") else { continue }
            let key = words.removeFirst()
            if key == "service" {
                services.append(
                    Service(
                        name: "app-\(words[0]).service", origin: .script(settings),
                        environment: ["PATH": systemdPath], output: .terminal("/dev/console"),
                        errors: .terminal("/dev/console"),
                        location: source.location(line: index + 1, column: 1, length: line.count)))
            }
            guard let last = services.indices.last else { continue }
            let location = source.location(line: index + 1, column: 1, length: line.count)
            switch key {
            case "command":
                services[last].commands.insert(.init(role: "command", words: words, location: location), at: 0)
            case "ready" where words[0] == "command":
                services[last].commands.append(
                    .init(role: "ready", words: Array(words.dropFirst()), location: location))
            case "user":
                services[last].user = words[0]
                guard words[0] != "root", let home = accounts.users[words[0]]?.home else { continue }
                services[last].environment.merge(["USER": words[0], "LOGNAME": words[0], "HOME": home]) { $1 }
            case "group": services[last].group = words[0]
            case "directory": services[last].workingDirectory = TreePath(normalizing: words[0])
            case "environment":
                for word in words {
                    if let (name, value) = assignment(word) { services[last].environment[name] = value }
                }
            default: continue
            }
        }
        return services
    }

    /// A word without its escapes: `%` and two digits for a byte, `%` alone for no byte at all.
    private static func unescaped(_ word: Substring) -> String {
        if word == "%" { return "" }
        var bytes = [UInt8]()
        var rest = Array(word.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
