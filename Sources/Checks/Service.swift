public import RootfsModel

/// A program that the image starts by itself, whoever starts it.
public struct Service: Hashable, Sendable {
    /// Who starts it.
    public enum Origin: Hashable, Sendable {
        /// The recipe's `services`.
        case recipe
        /// A unit of systemd, by its file.
        case systemd(TreePath)
        /// `/etc/inittab`.
        case inittab
        /// A folder of runit or s6 with a `run` file.
        case runFolder(TreePath)
        /// A script, or a supervisor's configuration, that starts programs by itself.
        case script(TreePath)
    }

    /// Where what it prints goes.
    public enum Output: Hashable, Sendable {
        /// What the service manager takes by itself.
        case inherited
        case journal
        /// The journal or the kernel's log, and the console.
        case journalAndConsole
        case null
        case terminal(TreePath)
        case file(TreePath)
        case socket
    }

    /// One command of it: systemd's ExecStartPre and the like, then the program.
    public struct Command: Hashable, Sendable {
        /// The key or place that gave it: `ExecStart`, `command`.
        public var role: String
        /// The program and its arguments, variables filled in where their values are known.
        public var words: [String]
        /// Whether its failure is none (systemd's `-`).
        public var mayFail: Bool
        /// Whether it runs as root whatever the service's user is (systemd's `+`).
        public var runsAsRoot = false
        public var location: SourceLocation?

        public init(role: String, words: [String], mayFail: Bool = false, location: SourceLocation? = nil) {
            self.role = role
            self.words = words
            self.mayFail = mayFail
            self.location = location
        }
    }

    /// A file with more of its environment.
    public struct EnvironmentFile: Hashable, Sendable {
        public var path: TreePath
        /// Whether it need not be there (systemd's `-`).
        public var isOptional: Bool

        public init(_ path: TreePath, isOptional: Bool = false) {
            self.path = path
            self.isOptional = isOptional
        }
    }

    public var name: String
    public var origin: Origin
    public var commands: [Command]
    /// By name; what its manager sets (PATH, HOME) and what it says itself.
    public var environment: [String: String]
    public var environmentFiles: [EnvironmentFile] = []
    public var user: String
    /// nil: the user's own.
    public var group: String?
    public var supplementaryGroups: [String]
    /// nil: the root.
    public var workingDirectory: TreePath?
    public var output: Output
    public var errors: Output
    /// Where its manager tells its end, where that is a supervisor with an output of its own; nil for others.
    var managerOutput: Output?
    /// Why its manager does not take it at all; nil where it does.
    public var refusal: String?
    /// At which of syslog's levels (0 emerg … 7 debug) the journal takes what it prints.
    public var logLevel = 6
    /// Whether it is to run for as long as the machine does; a unit of Type=oneshot is through with its work.
    public var isLongRunning = true
    /// Whether the working directory need not be there (systemd's `-`).
    public var mayMissWorkingDirectory = false
    /// Where systemd looks for a program without a directory (ExecSearchPath=); nil: in its own list.
    public var searchPath: String?
    /// Whether its user is made when it starts.
    public var hasDynamicUser = false
    /// Whether it starts in a root directory or image of its own, which nobody looks into.
    public var hasOwnRoot = false
    /// Whether it has a /tmp of its own.
    public var hasPrivateTmp = false
    /// Directories that its manager makes for it, and gives to its user, before it starts.
    public var made: [TreePath] = []
    /// Paths without which its manager does not start it.
    public var required: [TreePath] = []
    /// What it may write to, where all else is read-only; nil: everything.
    public var writablePaths: [TreePath]?
    /// Bytes that it says it needs.
    public var memory: UInt64?
    /// Where it is said: the recipe's line, or the unit's file.
    public var location: SourceLocation?

    public init(
        name: String, origin: Origin, commands: [Command] = [], environment: [String: String] = [:],
        user: String = "root", group: String? = nil, supplementaryGroups: [String] = [],
        workingDirectory: TreePath? = nil, output: Output = .inherited, errors: Output = .inherited,
        writablePaths: [TreePath]? = nil, memory: UInt64? = nil, location: SourceLocation? = nil
    ) {
        self.name = name
        self.origin = origin
        self.commands = commands
        self.environment = environment
        self.user = user
        self.group = group
        self.supplementaryGroups = supplementaryGroups
        self.workingDirectory = workingDirectory
        self.output = output
        self.errors = errors
        self.writablePaths = writablePaths
        self.memory = memory
        self.location = location
    }
}
