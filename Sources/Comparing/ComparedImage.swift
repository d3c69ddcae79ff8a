public import RootfsModel

/// One side of a comparison, as far as it is known.
public struct ComparedImage: Sendable {
    /// A package that is installed.
    public struct Package: Hashable, Sendable {
        public var name: String
        public var version: String
        public var architecture: String
        /// The source package, where it has another name.
        public var source: String
        /// The source's version, which its changelog has.
        public var sourceVersion: String
        /// The layer or role that it is locked for.
        public var purpose: String?
        /// The digest of its .deb.
        public var digest: Digest?
        /// Whether it is from a pocket of security fixes.
        public var isFromSecurity: Bool

        public init(
            name: String, version: String, architecture: String, source: String? = nil, sourceVersion: String? = nil,
            purpose: String? = nil, digest: Digest? = nil, isFromSecurity: Bool = false
        ) {
            self.name = name
            self.version = version
            self.architecture = architecture
            self.source = source ?? name
            self.sourceVersion = sourceVersion ?? version
            self.purpose = purpose
            self.digest = digest
            self.isFromSecurity = isFromSecurity
        }
    }

    /// The kernel that boots it.
    public struct Kernel: Hashable, Sendable {
        public var release: String?
        /// Name and version of its package.
        public var package: String?
        /// `CONFIG_…` by name; what is not set is missing. nil where nobody knows.
        public var options: [String: String]?
        public var arguments: [String]
        /// Of the kernel's file, and of the initrd.
        public var digest: String?
        public var initrd: String?

        public init(
            release: String? = nil, package: String? = nil, options: [String: String]? = nil, arguments: [String] = [],
            digest: String? = nil, initrd: String? = nil
        ) {
            self.release = release
            self.package = package
            self.options = options
            self.arguments = arguments
            self.digest = digest
            self.initrd = initrd
        }
    }

    /// A service that starts by itself, with the files that it needs.
    public struct Service: Hashable, Sendable {
        public var name: String
        public var command: [String]
        public var user: String
        /// What it needs: each file with what it is to the service (`unit`, `program`, `library`, `script`, `plugin`).
        public var members: [TreePath: String]
        /// Folders of which it may load anything.
        public var folders: [TreePath: String]

        public init(
            name: String, command: [String], user: String, members: [TreePath: String],
            folders: [TreePath: String] = [:]
        ) {
            self.name = name
            self.command = command
            self.user = user
            self.members = members
            self.folders = folders
        }
    }

    /// An overlay of the recipe.
    public struct Overlay: Hashable, Sendable {
        public var name: String
        /// Where it is laid over the tree.
        public var target: TreePath
        public var digest: String
        /// The image's paths that it has, as `shownPath` writes them; nil where nobody knows.
        public var paths: Set<String>?

        public init(name: String, target: TreePath, digest: String, paths: Set<String>? = nil) {
            self.name = name
            self.target = target
            self.digest = digest
            self.paths = paths
        }
    }

    /// What a build says of what went in besides packages.
    public struct Inputs: Hashable, Sendable {
        /// The recipe's settings by name, a value each: `hostname`, `services.web`.
        public var settings: [String: String]
        public var overlays: [Overlay]

        public init(settings: [String: String], overlays: [Overlay]) {
            self.settings = settings
            self.overlays = overlays
        }
    }

    /// What the report says of the side as a whole.
    public var side: Comparison.Side
    /// nil for a lock, which has none.
    public var tree: FileTree?
    /// Paths that cannot be read, and why; all below them is unknown.
    public var damaged: [(path: TreePath, problem: String)] = []
    /// What keeps something of it from being compared, besides what is missing here.
    public var obstacles: [Comparison.Obstacle] = []
    /// nil where nobody knows.
    public var packages: [Package]?
    /// By package: the paths of dpkg's list, dpkg's own. Empty where there is none.
    public var packageFiles: [(package: String, paths: [TreePath])] = []
    public var kernel: Kernel?
    /// nil where nobody knows.
    public var inputs: Inputs?
    /// A digest of the recipe's settings, where only that is known.
    public var recipeDigest: String?
    /// Whether folders were laid over it after its build, which no recipe says.
    public var isInjected = false
    /// Services by name; nil where nobody knows.
    public var services: [Service]?
    /// The bytes of a file; nil where contents are not at hand.
    public var read: (@Sendable (Blob) throws -> [UInt8])?
    /// The changelog that a package has in its documentation, decompressed; nil where it has none.
    public var changelog: (@Sendable (_ package: String) throws -> [UInt8]?)?

    public init(side: Comparison.Side, tree: FileTree? = nil) {
        self.side = side
        self.tree = tree
    }
}

extension ComparedImage {
    /// Whether it is known whose each path is: by dpkg's lists, or because nothing is a package's.
    var knowsOwners: Bool { tree != nil && (!packageFiles.isEmpty || packages?.isEmpty == true) }

    /// The text of a file; nil where there is none, where it is not at hand, or is larger than `limit` bytes.
    func content(of path: TreePath, limit: UInt64 = 4 << 20) throws -> [UInt8]? {
        guard let read, let blob = tree?.resolvedNode(path)?.blob, blob.size <= limit else { return nil }
        return try read(blob)
    }

    /// A file's lines; none where it is not at hand.
    func lines(of path: TreePath) throws -> [Substring] {
        guard let bytes = try content(of: path) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
    }
}
