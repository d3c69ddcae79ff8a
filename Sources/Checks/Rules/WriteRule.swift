internal import RootfsModel

/// Whether a service can write where it has to, and whether the paths are there without which systemd does not start it.
struct WriteRule: Rule {
    static let name = "write"
    static let reason = "a program that cannot make its lock, its profile or its log file ends at once"
    static let specification =
        "systemd.exec(5), tmpfiles.d(5), fstab(5); xserver os/utils.c (LockServer), Chromium's --user-data-dir"

    func findings(in subject: CheckSubject) throws -> [Finding] {
        let accounts = try Accounts(subject)
        let access = WriteAccess(
            subject: subject, mounts: try MountPlan(subject), made: try TemporaryFiles(subject), accounts: accounts)
        var findings = [Finding]()
        for start in try subject.serviceStarts() where !start.service.hasOwnRoot {
            let service = start.service
            findings += settings(of: service, access)
            findings += environment(of: service, access)
            var told = Set<String>()
            for launch in start.launches {
                let restricted = launch.isUnrestricted ? unrestricted(service) : service
                findings += redirections(of: launch, restricted, access)
                // A script and the program that it starts need the same.
                findings += needs(of: launch, restricted, access).filter { told.insert($0.id).inserted }
            }
        }
        return findings
    }

    /// What the unit itself names.
    private func settings(of service: Service, _ access: WriteAccess) -> [Finding] {
        var findings = [Finding]()
        for path in service.required
        where !isMadeAtBoot(path) && !access.made.makes(path) && access.subject.tree.resolve(path) == nil
            && !service.made.contains(where: { path.isWithin($0) }) && access.mounts.mount(of: path) == nil
        {
            findings.append(
                Finding(
                    "write/namespace", .error, "its sandbox names \(path), which does not exist", service: service.name,
                    path: path, reasons: ["systemd ends a start with 226/NAMESPACE for a path without a - before it"],
                    remedy: "add the directory to an overlay, or write -\(path)", missing: path,
                    location: service.location))
        }
        for path in service.made where access.isOnReadOnlyRoot(path) {
            // What is there with the right owner is taken as it is.
            if access.subject.tree.resolvedNode(path)?.isDirectory ?? false { continue }
            findings.append(
                Finding(
                    "write/read-only", .error, "systemd cannot make \(path) for it", service: service.name, path: path,
                    reasons: ["the root file system is mounted for reading only, and nothing is mounted over \(path)"],
                    remedy: "mount a tmpfs there, or add the directory to an overlay", location: service.location))
        }
        for (name, output) in [("output", service.output), ("errors", service.errors)] {
            guard case .file(let path) = output, case .systemd = service.origin,
                let reason = access.mayWrite(path, as: .root, of: unrestricted(service)).reason
            else { continue }
            findings.append(
                Finding(
                    "write/output", .error, "systemd cannot open \(path) for its \(name)", service: service.name,
                    path: path, reasons: [reason, "systemd ends the start with 209/STDOUT"],
                    remedy: "add the directory, or let the output lead to the journal", location: service.location))
        }
        return findings
    }

    /// Directories that the environment names: programs keep caches in HOME, and sockets in XDG_RUNTIME_DIR.
    private func environment(of service: Service, _ access: WriteAccess) -> [Finding] {
        if case .systemd(let path) = service.origin, isPackages(path) { return [] }
        guard
            let identity = access.accounts.identity(
                user: service.user, group: service.group, supplementary: service.supplementaryGroups),
            identity.uid != 0, !service.hasDynamicUser
        else { return [] }
        var findings = [Finding]()
        func need(_ id: String, _ variable: String, _ path: TreePath, _ reason: String) {
            findings.append(
                Finding(
                    id, .warning, "\(service.user) cannot write to \(path), its \(variable)",
                    service: service.name, path: path, reasons: [reason],
                    remedy: "make the directory and give it to \(service.user)", location: service.location))
        }
        // A system's account often has no home, and needs none.
        let usual = access.accounts.users[service.user]?.home
        if let home = service.environment["HOME"], home != usual || identity.uid >= 1000, home.hasPrefix("/"),
            let path = TreePath(normalizing: home),
            let reason = access.mayWrite(path.appending(".cache".utf8), as: identity, of: service).reason
        {
            need("write/home", "HOME", path, reason)
        }
        if let text = service.environment["XDG_RUNTIME_DIR"], text.hasPrefix("/"),
            let path = TreePath(normalizing: text), isMadeAtBoot(path), !access.made.makes(path),
            !service.made.contains(where: { path.isWithin($0) })
        {
            need(
                "write/runtime-directory", "XDG_RUNTIME_DIR", path,
                "nothing makes it: it is a login that does, and there is none")
        }
        return findings
    }

    /// The service without its sandbox: what systemd opens itself, and what runs with all rights, is outside of it.
    private func unrestricted(_ service: Service) -> Service {
        var service = service
        service.writablePaths = nil
        return service
    }

    /// Files that a script sends a program's output to.
    private func redirections(of launch: Launch, _ service: Service, _ access: WriteAccess) -> [Finding] {
        // A command before the program may make the directory and give it away.
        let isPrepared = service.commands.contains { command in
            command.role == "ExecStartPre"
                && command.words.contains { word in
                    word.split(separator: " ").contains { directoryMakers.contains(baseName(String($0))) }
                }
        }
        if isPrepared { return [] }
        var paths = [String]()
        for case .file(let path) in [launch.output, launch.errors] where !paths.contains(path) { paths.append(path) }
        return paths.compactMap { text in
            guard let path = TreePath(normalizing: text), !path.isWithin("/dev"), !path.isWithin("/proc"),
                let reason = access.mayWrite(
                    path, as: launch.identity, of: service, makesParents: launch.makesDirectories
                ).reason
            else { return nil }
            return Finding(
                "write/redirection", launch.severity,
                "\(launch.words.first ?? "the program") is not started: the shell cannot write to \(text)",
                service: service.name, path: path, reasons: launch.reasons + [reason],
                remedy: "give the directory to \(launch.identity?.name ?? service.user), or leave the redirection out",
                location: launch.location)
        }
    }

    /// What certain programs have to write to.
    private func needs(of launch: Launch, _ service: Service, _ access: WriteAccess) -> [Finding] {
        let servers: Set<String> = ["Xvfb", "Xorg", "Xephyr", "Xvnc", "Xtigervnc"]
        let browsers: Set<String> = ["chromium", "chrome", "google-chrome", "chromium-browser", "headless_shell"]
        guard let name = launch.names.first(where: { servers.contains($0) || browsers.contains($0) }) else { return [] }
        var findings = [Finding]()
        func need(_ id: String, _ path: TreePath, _ why: String, makesParents: Bool, _ remedy: String) {
            guard
                let reason = access.mayWrite(path, as: launch.identity, of: service, makesParents: makesParents).reason
            else { return }
            findings.append(
                Finding(
                    id, launch.severity, "\(name) cannot write to \(path)", service: service.name,
                    path: path, reasons: launch.reasons + [why, reason], remedy: remedy, location: launch.location))
        }
        if servers.contains(name) {
            let display = launch.words.dropFirst().first { $0.hasPrefix(":") }.map { String($0.dropFirst()) } ?? "0"
            guard display.allSatisfy(\.isNumber) else { return findings }
            if !launch.words.contains("-nolock"), let path = TreePath(normalizing: "/tmp/.X\(display)-lock") {
                need(
                    "write/x-lock", path, "an X server does not start without its lock file", makesParents: false,
                    "give /tmp mode 1777, or mount a tmpfs there")
            }
            if let path = TreePath(normalizing: "/tmp/.X11-unix/X\(display)") {
                need(
                    "write/x-socket", path, "an X server listens there; it makes the directory where it may",
                    makesParents: true,
                    "give /tmp/.X11-unix mode 1777, or leave it out")
            }
        }
        if browsers.contains(name) {
            let option = "--user-data-dir="
            let given = launch.words.last { $0.hasPrefix(option) }.map { String($0.dropFirst(option.count)) }
            let home = launch.environment["HOME"] ?? access.accounts.users[launch.identity?.name ?? ""]?.home
            guard let text = given ?? home.map({ $0 + "/.config/chromium" }), text.hasPrefix("/"),
                let path = TreePath(normalizing: text)
            else { return findings }
            need(
                "write/profile", path.appending("SingletonLock".utf8),
                "Chromium ends at once without a profile that it can lock",
                makesParents: true, "give it a --user-data-dir that belongs to \(launch.identity?.name ?? service.user)"
            )
        }
        return findings
    }
}
