public import RootfsModel

// What runs in the image, and what the image and its machine are.

extension Recipe {
    /// A program that is started at boot and kept running.
    public struct Service: Hashable, Sendable {
        public var name: Located<String>
        /// The program's absolute path and its arguments.
        public var command: [Located<String>] = []
        /// Default: root.
        public var user = Located("root")
        /// nil: the user's own.
        public var group: Located<String>?
        /// Where it starts; nil: the root.
        public var directory: Located<TreePath>?
        /// Services that are ready before this one starts, by their names; units of systemd's own by their full names.
        public var after: [Located<String>] = []
        /// Sorted by name.
        public var environment: [EnvironmentVariable] = []
        public var restart = Restart()
        /// nil: ready when started.
        public var ready: Readiness?
        /// Within this time it has to say again that it is well (sd_notify(3), WATCHDOG=1); nil: it is not asked.
        public var watchdog: Duration?
        public var resources = Resources()

        public init(name: Located<String>) {
            self.name = name
        }
    }

    public struct EnvironmentVariable: Hashable, Sendable {
        public var name: String
        public var value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public enum RestartPolicy: String, CaseIterable, Hashable, Sendable {
        case always
        /// After an exit status other than 0 or a signal.
        case onFailure = "on-failure"
        case never
    }

    /// What happens when a service ends by itself.
    public struct Restart: Hashable, Sendable {
        /// Default: always.
        public var policy = RestartPolicy.always
        /// Default: 1s..30s.
        public var backoff = Backoff(first: .seconds(1), longest: .seconds(30))
        /// Default: 5 in 60s.
        public var limit = RestartLimit(count: 5, window: .seconds(60))

        public init() {}
    }

    /// The wait before a restart: `first`, then doubled each time up to `longest`.
    public struct Backoff: Hashable, Sendable {
        public var first: Duration
        public var longest: Duration

        public init(first: Duration, longest: Duration) {
            self.first = first
            self.longest = longest
        }
    }

    /// After `count` restarts within `window` the service is given up.
    public struct RestartLimit: Hashable, Sendable {
        public var count: Int
        public var window: Duration

        public init(count: Int, window: Duration) {
            self.count = count
            self.window = window
        }
    }

    /// The most that a service may have.
    public struct Resources: Hashable, Sendable {
        /// Of memory, all its processes together; nil: the machine's.
        public var memory: ByteCount?
        /// Open files of a process; nil: 65536.
        public var files: Int?
        /// Processes and threads; nil: the system's.
        public var tasks: Int?

        public init() {}
    }

    public enum ReadinessProbe: Hashable, Sendable {
        /// An http URL on this machine that answers with a status 200 … 299.
        case http(String)
        /// A host (an address, or `localhost`) and a port that accept a connection; IPv6 addresses without brackets.
        case tcp(host: String, port: UInt16)
        /// A path that exists.
        case file(TreePath)
        /// A unix socket that is there.
        case unix(TreePath)
        /// A text in a line that the service printed.
        case console(String)
        /// A program and its arguments, run as the service's user, that ends with the status 0.
        case command([Located<String>])
    }

    /// When a service counts as ready.
    public struct Readiness: Hashable, Sendable {
        public var probe: Located<ReadinessProbe>
        /// Default: 30s.
        public var within = Duration.seconds(30)

        public init(probe: Located<ReadinessProbe>) {
            self.probe = probe
        }
    }

    public enum ImageSize: Hashable, Sendable {
        /// This much beyond what the files need.
        case free(ByteCount)
        /// This much in all, in whole blocks of 4KiB.
        case total(ByteCount)
    }

    public enum Compression: String, CaseIterable, Hashable, Sendable {
        case none, zstd
    }

    public struct Image: Hashable, Sendable {
        /// At most 16 bytes. Default: the first 16 bytes of the recipe's name.
        public var label = Located("")
        /// Default: 128MiB free.
        public var size = Located(ImageSize.free(ByteCount(bytes: 128 << 20)))
        public var budget: Located<ByteCount>?
        /// Whether the file system has a journal; default false.
        public var journal = false
        /// Whether a hash tree lies behind the file system, by which the kernel checks what it reads; then nothing can
        /// be written to it. Default false.
        public var verity = Located(false)
        public var compress = Located(Compression.none)

        public init() {}
    }

    /// The virtual machine that the image is for.
    public struct Machine: Hashable, Sendable {
        /// 1 … 32; default 1.
        public var vcpus = 1
        /// Whole MiB; default 1GiB.
        public var memory = ByteCount(bytes: 1 << 30)

        public init() {}
    }

    /// A finding that is known and accepted.
    public struct Suppression: Hashable, Sendable {
        public var id = Located("")
        public var path: Located<TreePath>?
        public var because = ""

        public init() {}
    }

    public struct Check: Hashable, Sendable {
        public var suppress: [Suppression] = []

        public init() {}
    }

    /// What a first boot has to show.
    public struct Boot: Hashable, Sendable {
        /// Default: 120s.
        public var within = Duration.seconds(120)
        /// How long nothing may die after everything was ready. Default: 30s.
        public var soak = Duration.seconds(30)
        /// Texts that come on the console, besides every service's readiness.
        public var expect: [Located<String>] = []

        public init() {}
    }
}
