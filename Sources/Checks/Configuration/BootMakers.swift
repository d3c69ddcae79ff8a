import RootfsModel

/// Commands that may make a file before a service needs it: they name it, or call what makes it.
struct BootMakers {
    enum Answer: Hashable {
        /// A command that runs before.
        case before
        /// A command that runs, and nothing says that it is before: by its service.
        case unordered(String)
        case nobody
    }

    private let subject: CheckSubject
    private let units: UnitDirectory
    private let temporary: TemporaryFiles

    init(_ subject: CheckSubject) throws {
        self.subject = subject
        units = UnitDirectory(subject)
        temporary = try TemporaryFiles(subject)
    }

    /// Who makes a file for a command of a service.
    ///
    /// - Parameter programs: names of programs whose every run needs the file; what makes it has to stand before them.
    func maker(of path: TreePath, for service: Service, before programs: Set<String>) throws -> Answer {
        if temporary.makes(path) { return .before }
        for command in service.commands {
            guard let program = command.words.first else { continue }
            if !["ExecCondition", "ExecStartPre", "ExecStart", "init", "command"].contains(command.role) { continue }
            // A maker behind the first run comes too late: a start that fails ends the unit.
            if try makes(path, command) { return .before }
            if programs.contains(baseName(program)), !command.mayFail || command.role == "ExecStart" { break }
        }
        if try service.commands.contains(where: { try makes(path, $0) }) { return .unordered(service.name) }
        var unordered: String?
        for other in subject.services where other.name != service.name {
            let starts = other.commands.filter { !["ExecReload", "ExecStop", "ExecStopPost"].contains($0.role) }
            guard try starts.contains(where: { try makes(path, $0) }) else { continue }
            if try isOrdered(other, before: service) { return .before }
            unordered = unordered ?? other.name
        }
        return unordered.map(Answer.unordered) ?? .nobody
    }

    private func makes(_ path: TreePath, _ command: Service.Command) throws -> Bool {
        let text = command.words.joined(separator: " ")
        if makes(path, by: text) { return true }
        for word in command.words where word.hasPrefix("/") {
            guard let file = TreePath(normalizing: word), let blob = subject.tree.resolvedNode(file)?.blob,
                blob.size < 1 << 18, let bytes = try subject.content(of: file), bytes.starts(with: "#!".utf8)
            else { continue }
            let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
            if makes(path, by: lines.filter { !$0.trimmed.hasPrefix("#") }.joined(separator: "\n")) { return true }
        }
        return false
    }

    private func makes(_ path: TreePath, by text: String) -> Bool {
        let name = String(decoding: path.name, as: UTF8.self)
        if name.hasPrefix("ssh_host_") {
            if text.contains("ssh-keygen -A") || text.contains("dpkg-reconfigure") && text.contains("openssh-server")
                || text.contains("cloud-init")
            {
                return true
            }
            return text.contains("ssh-keygen") && text.contains("-f") && text.contains(path.description)
        }
        if name.hasPrefix("ssl-cert-snakeoil"), text.contains("make-ssl-cert"), text.contains("snakeoil") {
            return true
        }
        if text.contains("pg_createcluster"), path.isWithin("/var/lib/postgresql") { return true }
        // A server that is told its own file does not make it.
        let makers = [
            "openssl", "certtool", "mkcert", "initdb", "cp ", "install ", "mv ", "ln ", "tar ", "mkdir ", "> ",
        ]
        return text.contains(path.description) && makers.contains { text.contains($0) }
    }

    /// Whether a unit is through, or has begun, before another is started (systemd.unit(5), Before=, After=).
    private func isOrdered(_ first: Service, before second: Service) throws -> Bool {
        guard let one = unitName(of: first), let two = unitName(of: second) else { return false }
        // What sysinit.target waits for is before all ordinary services.
        if try names(of: one, "Before").contains(where: {
            $0 == two || ["sysinit.target", "basic.target"].contains($0)
        }) {
            return true
        }
        let after = try names(of: two, "After")
        if after.contains(one) { return true }
        // Through a target between them.
        return try names(of: one, "Before").contains { $0.hasSuffix(".target") && after.contains($0) }
    }

    private func names(of unit: String, _ key: String) throws -> [String] {
        guard let unit = try units.unit(unit) else { return [] }
        return unit.text.words("Unit", key).map(unit.expand)
    }

    private func unitName(of service: Service) -> String? {
        guard case .systemd = service.origin else { return nil }
        return service.name.contains(".") ? service.name : "app-\(service.name).service"
    }
}
