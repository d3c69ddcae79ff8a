public import RootfsModel

/// One program that a service starts, with all that it needs to be started alone.
public struct ProgramStart: Sendable {
    public var service: String
    /// The program as it is named, and its arguments.
    public var words: [String]
    /// The ELF file that runs.
    public var program: TreePath
    public var environment: [String: String]
    public var uid: UInt32
    public var gid: UInt32
    /// The supplementary groups, sorted.
    public var groups: [UInt32]
    public var directory: TreePath
    /// Whether it is a shell with a text, or a program that only starts another.
    public var startsOthers: Bool
    /// Whether it is what the service's manager starts, not what a script or a wrapper goes on with.
    public var isServicesOwn: Bool
    /// Directories that its manager makes for it, and gives to its user.
    public var made: [TreePath]
    /// The way to it, a line each.
    var reasons: [String]
    var location: SourceLocation?
    var severity: Severity
}

extension CheckSubject {
    /// The programs that the services start, each once, in the services' order. Without those that work with PID 1 or a
    /// terminal alone, whose user is not known before the boot, or whose arguments a script works out.
    public func programStarts() throws -> [ProgramStart] {
        let accounts = try Accounts(self)
        var seen = Set<[String]>()
        var starts = [ProgramStart]()
        var commands = Set<[String]>()
        for start in try serviceStarts() where start.service.refusal == nil && !start.service.isOnTerminal {
            let service = start.service
            for launch in start.launches {
                // A service manager works as the first process alone.
                guard !["ExecReload", "ExecStop", "ExecStopPost", "manager"].contains(launch.role), launch.hasAllWords,
                    let program = launch.program, try elfFile(at: program) != nil, let identity = launch.identity,
                    let gid = identity.gid ?? identity.gids.min(), let directory = launch.directory,
                    !["lib/systemd", "usr/lib/systemd"].contains(where: { program.isWithin($0) }),
                    seen.insert([identity.name, directory.description] + launch.words).inserted
                else { continue }
                starts.append(
                    ProgramStart(
                        service: service.name, words: launch.words, program: program,
                        environment: environment(of: launch, accounts.users[identity.name]), uid: identity.uid,
                        gid: gid, groups: identity.gids.sorted(), directory: directory,
                        startsOthers: launch.startsOthers,
                        isServicesOwn: commands.insert([service.name, launch.reasons.first ?? ""]).inserted,
                        made: service.made,
                        reasons: launch.reasons, location: launch.location, severity: launch.severity))
            }
        }
        return starts
    }

    /// Its variables, with those that every manager sets.
    private func environment(of launch: Launch, _ user: Accounts.User?) -> [String: String] {
        var environment = launch.environment
        if environment["PATH"]?.isEmpty ?? true { environment["PATH"] = systemdPath }
        if environment["HOME"] == nil { environment["HOME"] = user?.home ?? "/" }
        return environment
    }
}

extension Service {
    /// Whether it speaks to a terminal, which nobody has outside of the machine.
    fileprivate var isOnTerminal: Bool {
        if case .terminal = output { true } else { false }
    }
}
