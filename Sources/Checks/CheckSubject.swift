public import RootfsModel

/// What is checked: a tree with its content, what it starts, and the machine that it is for.
public struct CheckSubject: Sendable {
    /// The kernel that boots it.
    public struct Kernel: Sendable {
        /// As modules and packages have it: `6.1.0-56-cloud-amd64`; nil where nobody knows.
        public var release: String?
        /// The file that the machine loads.
        public var image: Blob?
        /// `CONFIG_…` by name: `y`, `m` or a value; what is not set is missing. nil where there is no config file.
        public var options: [String: String]?
        /// The initial RAM disk's files; nil without one.
        public var initrd: FileTree?
        public var arguments: [String]

        public init(
            release: String? = nil, image: Blob? = nil, options: [String: String]? = nil, initrd: FileTree? = nil,
            arguments: [String] = []
        ) {
            self.release = release
            self.image = image
            self.options = options
            self.initrd = initrd
            self.arguments = arguments
        }
    }

    /// The machine that boots it.
    public struct Machine: Hashable, Sendable {
        public enum Monitor: String, CaseIterable, Hashable, Sendable { case firecracker, qemu }

        /// What `cpu` can name, in whatever case: x86-64's levels, monitors' templates and models, `host`.
        public static let processors = CPULevel.names

        public var monitor: Monitor
        /// One of `processors`; nil: the architecture's least.
        public var cpu: String?
        public var memory: UInt64
        /// Whether the root file system is mounted for reading only.
        public var hasReadOnlyRoot: Bool

        public init(
            monitor: Monitor = .firecracker, cpu: String? = nil, memory: UInt64 = 1 << 30, hasReadOnlyRoot: Bool = false
        ) {
            self.monitor = monitor
            self.cpu = cpu
            self.memory = memory
            self.hasReadOnlyRoot = hasReadOnlyRoot
        }
    }

    public var tree: FileTree {
        didSet {
            elfFiles = ElfFiles()
            nodeBuilds = NodeBuilds()
        }
    }
    /// Debian's name of it: `amd64`.
    public var architecture: String
    public var services: [Service] { didSet { elfFiles = ElfFiles() } }
    /// nil where none was given: then no rule says anything of it.
    public var kernel: Kernel? { didSet { elfFiles = ElfFiles() } }
    public var machine: Machine { didSet { elfFiles = ElfFiles() } }
    /// Some bytes of a file: fewer than asked for only at its end.
    public var read: @Sendable (_ blob: Blob, _ range: Range<UInt64>) throws -> [UInt8]
    /// What was read of its ELF files already.
    var elfFiles = ElfFiles()
    /// How its Nodes were built, likewise.
    var nodeBuilds = NodeBuilds()

    public init(
        tree: FileTree, architecture: String, services: [Service] = [], kernel: Kernel? = nil,
        machine: Machine = Machine(), read: @escaping @Sendable (Blob, Range<UInt64>) throws -> [UInt8]
    ) {
        self.tree = tree
        self.architecture = architecture
        self.services = services
        self.kernel = kernel
        self.machine = machine
        self.read = read
    }

    /// A file's whole content; nil where the path, links followed, leads to no file or to one of more than `limit`
    /// bytes.
    public func content(of path: TreePath, limit: UInt64 = 16 << 20) throws -> [UInt8]? {
        guard let blob = tree.resolvedNode(path)?.blob, blob.size <= limit else { return nil }
        return try read(blob, 0..<blob.size)
    }
}
