/// A program to run inside a sandbox: stdin is `/dev/null`, the umask 022, the session its own.
public struct Command: Sendable {
    /// The program and its arguments. A program without a slash is looked for in the environment's `PATH`.
    public var arguments: [String]
    /// The whole environment, in this order; nothing is inherited.
    public var environment: [(String, String)]
    /// A path inside the sandbox.
    public var workingDirectory: String
    /// Who it runs as; nil: root.
    public var user: User?
    /// How many bytes of writable memory each of its processes may have; nil: as many as it likes.
    public var memoryLimit: UInt64?
    /// After which it is killed, with all that it started; nil: it may take its time.
    public var timeLimit: Duration?

    /// An ordinary user, by numbers.
    public struct User: Hashable, Sendable {
        public var uid: UInt32
        public var gid: UInt32
        /// The supplementary groups.
        public var groups: [UInt32]

        public init(uid: UInt32, gid: UInt32, groups: [UInt32] = []) {
            self.uid = uid
            self.gid = gid
            self.groups = groups
        }
    }

    public init(arguments: [String], environment: [(String, String)], workingDirectory: String = "/") {
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
    }
}

/// How a command ended, and what it said last.
public struct Outcome: Hashable, Sendable {
    public enum Status: Hashable, Sendable, CustomStringConvertible {
        case exited(Int32)
        case signaled(Int32)
        /// Killed when its time was over.
        case expired

        /// `exit status 3` or `killed by signal 9`.
        public var description: String {
            switch self {
            case .exited(let code): "exit status \(code)"
            case .signaled(let signal): "killed by signal \(signal)"
            case .expired: "killed when its time was over"
            }
        }
    }

    public var status: Status
    /// The last 64 KiB of its output, stdout and stderr as they came. Empty for a shell.
    public var tail: [UInt8]
    /// User and system time of all that ran in the sandbox, in nanoseconds.
    public var cpu: UInt64

    public init(status: Status, tail: [UInt8] = [], cpu: UInt64 = 0) {
        self.status = status
        self.tail = tail
        self.cpu = cpu
    }

    public var succeeded: Bool { status == .exited(0) }

    /// The last lines of the output, repaired to UTF-8, without their ends.
    public func lastLines(_ count: Int) -> [String] {
        var lines = tail.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.suffix(count).map { String(decoding: $0, as: UTF8.self) }
    }
}
