/// What a death most likely means, as the supervisor says it on the console.
extension RecordedDeath {
    /// `exit status 127`, `signal SIGSEGV, core dumped`.
    public var endingText: String {
        switch ending {
        case .exited(let status): "exit status \(status)"
        case .killed(let signal, let dumpedCore): "signal SIG\(signal)\(dumpedCore ? ", core dumped" : "")"
        case .none: "no process was started"
        }
    }

    /// nil where nothing is known of it.
    public var meaning: String? {
        if let words = Self.results[result] { return words }
        switch ending {
        case .none: return nil
        case .killed(let signal, _): return Self.signals[signal]
        case .exited(let status):
            // A shell tells of a signal by a status above 128.
            return Self.statuses[status] ?? Self.shellSignals[status].flatMap { Self.signals[$0] }
        }
    }

    /// The signal that ended it, also where a shell passed it on; nil for none.
    public var signal: String? {
        switch ending {
        case .none: nil
        case .killed(let signal, _): signal
        case .exited(let status): Self.shellSignals[status]
        }
    }

    private static let results = [
        "oom-kill": "killed for memory: give the machine more, or the service less to do",
        "watchdog": "it stopped answering its watchdog",
        "timeout": "it was not ready, or did not stop, in the time it had",
        "resources": "systemd could not set it up: an EnvironmentFile= or another resource is missing",
    ]

    private static let statuses = [
        0: "it ended by itself, which a service does not",
        70: "an internal error, or a helper of its died",
        78: "it refused its configuration",
        126: "found, but not executable: mode, or built for another architecture",
        127: "a program, a shared library or a symbol version was not found",
        200: "its working directory does not exist",
        203:
            "it could not be executed: path wrong, not executable, or its ELF interpreter or #! line names something that is not there",
        205: "a limit of its resources could not be set",
        216: "its group does not exist in the image",
        217: "its user does not exist in the image",
        226: "a path in its sandbox settings (ReadWritePaths= and the like) does not exist",
    ]

    private static let shellSignals = [
        132: "ILL", 133: "TRAP", 134: "ABRT", 135: "BUS", 137: "KILL", 139: "SEGV", 143: "TERM",
    ]

    private static let signals = [
        "ILL": "illegal instruction: built for a newer CPU than this machine has (AVX2, x86-64-v3)",
        "TRAP": "it stopped itself on a failed check; for Chromium, a missing data file",
        "ABRT": "it aborted itself; for Node, perhaps /usr/share/nodejs is incomplete",
        "BUS": "bus error: a library or data file is cut short, or the disk is full",
        "KILL": "killed from outside: out of memory, or kill -9",
        "SEGV": "segmentation fault",
        "TERM": "stopped because its readiness check failed, or from outside",
    ]
}
