internal import RootfsModel

/// Whether each service can be started at all: from the command to the program that runs in the end.
struct ExecRule: Rule {
    static let name = "exec"
    static let reason =
        "a program that is not there, or cannot be executed, ends a service before its first line of output"
    static let specification = "execve(2), path_resolution(7), systemd.service(5), systemd.exec(5)"

    func findings(in subject: CheckSubject) throws -> [Finding] {
        let accounts = try Accounts(subject)
        let mounts = try MountPlan(subject)
        let made = try TemporaryFiles(subject)
        var findings = [Finding]()
        if try initSystem(of: subject, arguments: subject.kernel?.arguments ?? []) == .systemd {
            findings += enabledWithoutUnit(in: subject)
        }
        for start in try subject.serviceStarts() where !start.service.hasOwnRoot {
            findings += setting(of: start.service, accounts, mounts, made, in: subject) + start.findings
        }
        return findings
    }

    /// Services that are enabled and that no unit describes: systemd passes over them.
    private func enabledWithoutUnit(in subject: CheckSubject) -> [Finding] {
        UnitDirectory(subject).danglingLinks.filter { $0.link.isWithin("/etc") }.map { link, name in
            Finding(
                "exec/unit-missing", .warning, "\(name) is enabled, but there is no such unit: nothing is started",
                path: link, reasons: ["\(link) is a link to a unit that is in none of systemd's directories"],
                remedy: "add the unit \(name), or remove the link")
        }
    }

    /// What has to be there before the first command: user, groups, directory, environment files.
    private func setting(
        of service: Service, _ accounts: Accounts, _ mounts: MountPlan, _ made: TemporaryFiles,
        in subject: CheckSubject
    ) -> [Finding] {
        var findings = [Finding]()
        func add(_ id: String, _ message: String, path: TreePath? = nil, _ reason: String, _ remedy: String) {
            findings.append(
                Finding(
                    id, .error, message, service: service.name, path: path, reasons: [reason],
                    remedy: remedy, missing: path, location: service.location))
        }
        if let refusal = service.refusal {
            add("exec/refused", "systemd refuses its unit, and never starts it", refusal, "correct the unit")
        }
        if !service.hasDynamicUser {
            if !accounts.hasUser(service.user) {
                let meant = nearestName(to: service.user, among: accounts.users.keys.sorted())
                add(
                    "exec/user", "it runs as \(service.user), a user whom the image does not have",
                    "/etc/passwd has no \(service.user), and no sysusers.d file makes one",
                    meant.map { "did you mean \($0)?" } ?? "add the user to the recipe's users")
            }
            for group in ([service.group].compactMap(\.self) + service.supplementaryGroups)
            where !accounts.hasGroup(group) {
                add(
                    "exec/group", "it runs in the group \(group), which the image does not have",
                    "/etc/group has no \(group), and no sysusers.d file makes one", "add the group, or name another one"
                )
            }
        }
        if let directory = service.workingDirectory, !service.mayMissWorkingDirectory, !isMadeAtBoot(directory),
            !service.made.contains(where: { directory.isWithin($0) }), !made.makes(directory),
            mounts.mount(of: directory).map({ $0.isTemporary && $0.point != directory }) ?? true
        {
            let identity =
                service.hasDynamicUser
                ? nil
                : accounts.identity(
                    user: service.user, group: service.group, supplementary: service.supplementaryGroups)
            let walk = PathWalk(directory.description, as: identity, in: subject.tree)
            if case .forbidden(let above) = walk.outcome {
                add(
                    "exec/working-directory",
                    "\(service.user) may not pass through \(above) to its working directory \(directory)",
                    path: nil, "its mode and owner do not let \(service.user) through", "give \(above) mode 0755")
            } else if !(walk.found.flatMap { subject.tree[$0] }?.isDirectory ?? false) {
                add(
                    "exec/working-directory", "its working directory \(directory) does not exist", path: directory,
                    "the service manager changes into it before it starts the program",
                    "add the directory to an overlay")
            } else if let identity, let node = walk.found.flatMap({ subject.tree[$0] }), !identity.may(1, node) {
                add(
                    "exec/working-directory", "\(service.user) may not enter its working directory \(directory)",
                    path: nil,
                    "its mode is \(String(node.metadata.mode, radix: 8)), its owner \(node.metadata.uid):\(node.metadata.gid)",
                    "give it to \(service.user)")
            }
        }
        for file in service.environmentFiles where !file.isOptional && !isMadeAtBoot(file.path) {
            // A pattern is one file or more.
            let isPattern = file.path.bytes.contains { "*?[".utf8.contains($0) }
            if !isPattern, subject.tree.resolvedNode(file.path)?.blob == nil {
                add(
                    "exec/environment-file", "its environment file \(file.path) does not exist", path: file.path,
                    "the service manager refuses the start without it", "add the file, or mark it as optional with a -")
            }
        }
        return findings
    }
}
