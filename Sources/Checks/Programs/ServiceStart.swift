internal import RootfsModel

/// What a service comes to when it starts: every program on the way, and what is in the way of one.
struct ServiceStart: Sendable {
    var service: Service
    var launches: [Launch]
    var findings: [Finding]

    /// The programs behind wrappers and in scripts that are no package's.
    var launchesOfScripts: [Launch] {
        launches.filter { $0.depth > 0 && !($0.script.map(isPackages) ?? false) }
    }
}

extension CheckSubject {
    /// What each service starts, in the services' order, behind what the first process itself needs where it is no
    /// service; computed once for all rules.
    func serviceStarts() throws -> [ServiceStart] {
        try elfFiles.starts {
            let accounts = try Accounts(self)
            let mounts = try MountPlan(self)
            return try (firstProcess() + services).map { service in
                var chain = ExecChain(service, in: self, accounts: accounts, mounts: mounts)
                try chain.follow()
                return ServiceStart(service: service, launches: chain.launches, findings: chain.findings)
            }
        }
    }

    /// A service manager that is no service of its own: without it there are none.
    private func firstProcess() throws -> [Service] {
        let arguments = kernel?.arguments ?? []
        guard !services.isEmpty, [.systemd, .inittab].contains(try initSystem(of: self, arguments: arguments)),
            let (path, _) = firstProgram(of: self, arguments: arguments)
        else { return [] }
        return [
            Service(
                name: "init", origin: .script(path),
                commands: [Service.Command(role: "manager", words: [path.description])],
                environment: ["PATH": kernelPath, "HOME": "/"])
        ]
    }
}
