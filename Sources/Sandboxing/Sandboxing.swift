// Sandboxing runs a program in a tree of files as if that tree were a machine: namespaces of its own for mounts,
// processes, IPC, host name and network, an overlayfs that catches every write, and nothing of the host in reach. It
// knows nothing of packages. Where overlayfs cannot be used, the tree is a plain directory that the caller filled, and
// is written to. Each run is complete in itself: it mounts, runs, and leaves no process and no mount, whether the
// command ended, was cancelled, or the builder was killed. Between runs nothing is mounted and the caller may edit
// `upper` directly.
import RootfsModel

/// A tree of files in which commands can be run.
public struct Sandbox: Sendable {
    /// The directories that overlayfs lays over each other, or a plain one. All are paths on the host.
    public struct Root: Hashable, Sendable {
        /// Read only, topmost first; may be empty. nil: there is no overlayfs, `upper` is the whole tree.
        public var lower: [String]?
        /// Where writes land; made if missing. Whiteouts are character devices 0:0, opaque directories carry
        /// `trusted.overlay.opaque` (in a user namespace `user.overlay.opaque`). Its own mode and owner are those of
        /// `/`.
        public var upper: String
        /// On the file system of `upper` and used with this `upper` alone; it belongs to the sandbox and is made if
        /// missing.
        public var work: String

        public init(lower: [String], upper: String, work: String) {
            self.lower = lower
            self.upper = upper
            self.work = work
        }

        /// A plain directory with the whole tree in it. A mount point that it lacks is in it for as long as a command
        /// runs.
        public init(tree: String, work: String) {
            self.lower = nil
            self.upper = tree
            self.work = work
        }
    }

    /// A file or directory of the host, seen read-only inside.
    public struct Bind: Hashable, Sendable {
        public var host: String
        /// Absolute; what it needs as a mount point never reaches the tree.
        public var inside: String

        public init(host: String, inside: String) {
            self.host = host
            self.inside = inside
        }
    }

    public var root: Root
    public var hostname: String
    /// Absolute paths of executables that do nothing and succeed while a command runs; those that do not exist are
    /// skipped.
    public var neutralized: [String]
    public var binds: [Bind]
    /// Whether sleep(3) and its kin return at once: for a program that waits only for the clock to go on.
    public var ignoresSleep = false

    public init(root: Root, hostname: String, neutralized: [String] = [], binds: [Bind] = []) {
        self.root = root
        self.hostname = hostname
        self.neutralized = neutralized
        self.binds = binds
    }

    /// Runs a command to its end and calls `output` with each line that it prints (stdout and stderr, without the
    /// line's end; a line of more than 64 KiB comes in pieces). What the command leaves running dies with it.
    ///
    /// - Throws: `Failure` if the sandbox cannot be set up or the command cannot be started, `CancellationError` within
    /// 50 ms of the
    ///   task's cancellation. A command that fails is no error but an outcome.
    public func run(_ command: Command, output: (ArraySlice<UInt8>) -> Void = { _ in }) throws -> Outcome {
        let prepared = try PreparedRoot.prepare(root, binds: binds)
        let process = try SandboxProcess.start(LaunchPlan(self, prepared, command))
        try process.release()
        var lines = OutputLines()
        let status = try process.awaitEnd(&lines, within: command.timeLimit, output: output)
        return Outcome(status: status, tail: lines.tail, cpu: process.cpu)
    }

    /// Runs an interactive command on the caller's stdin, stdout and stderr; the terminal's signals go to it alone.
    public func runShell(_ command: Command) throws -> Outcome {
        let prepared = try PreparedRoot.prepare(root, binds: binds)
        // Before the start, and put back after the end: a shell changes both.
        let terminal = Terminal()
        defer { terminal?.restore() }
        let process = try SandboxProcess.start(LaunchPlan(self, prepared, command, interactive: true))
        try process.release()
        var lines = OutputLines()
        return Outcome(status: try process.awaitEnd(&lines, output: { _ in }))
    }
}
