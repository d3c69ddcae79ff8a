public import RootfsModel

/// Everything a recipe says, resolved: `from:` merged, variables put in, units parsed, defaults filled in.
public struct Recipe: Hashable, Sendable {
    /// Names the outputs; also the variable `${name}`.
    public var name = Located("")
    public var description: String?
    public var archive = Archive()
    /// In the order they are made; a base recipe's come first.
    public var layers: [Layer] = []
    public var node: NodeRuntime?
    /// nil for `kernel: none`, the default.
    public var kernel: Kernel?
    public var overlays: [Overlay] = []
    public var users: [User] = []
    /// Default: the recipe's name.
    public var hostname = Located("")
    /// A name of the time zone database. Default: `UTC`.
    public var timezone = Located("UTC")
    /// Default: `C.UTF-8`.
    public var locale = Located("C.UTF-8")
    /// Small files in place, sorted by path.
    public var files: [SmallFile] = []
    /// Absolute glob patterns of what is taken out.
    public var remove: [Located<String>] = []
    /// In the order of the recipe.
    public var services: [Service] = []
    public var supervisor = Supervisor()
    public var image = Image()
    public var machine = Machine()
    public var check = Check()
    public var boot = Boot()
    /// nil: what nothing is said of is as `Nightly()` has it.
    public var nightly: Nightly?
    /// What `${…}` means, for the templates of overlays too.
    public var variables = Variables()

    /// The recipe's files and their content: the recipe first, then what `from:` brought in.
    public var sources: [Source] = []
    /// The folder that paths in the recipe are relative to: the one that holds `recipes/`, else the recipe's own.
    /// Relative to what the recipe's path was relative to; `.` for that folder itself.
    public var root = "."

    public init() {}

    /// A path of the recipe, as a path for the file system.
    public func resolve(_ path: String) -> String {
        joinPath(root, path)
    }

    /// A file that the recipe was read from.
    public struct Source: Hashable, Sendable {
        public var path: String
        public var digest: Digest

        public init(path: String, digest: Digest) {
            self.path = path
            self.digest = digest
        }
    }
}

extension Recipe {
    public enum Distribution: String, CaseIterable, Hashable, Sendable {
        case debian, ubuntu
    }

    /// What is taken beside the suite itself.
    public enum Pocket: String, CaseIterable, Hashable, Sendable {
        case updates, security, backports
    }

    /// Where packages come from.
    public struct Archive: Hashable, Sendable {
        /// Default: debian.
        public var distribution = Distribution.debian
        public var suite = Located("")
        /// Default: updates and security.
        public var pockets = [Located(Pocket.updates), Located(Pocket.security)]
        /// Default: main.
        public var components = [Located("main")]
        /// The distribution's name of it (`amd64`); nil: the host's.
        public var architecture: Located<String>?
        /// A URL (http, https, file) or a directory, absolute or relative to the root folder; nil: `--mirror`, else the
        /// host's APT sources.
        public var mirror: Located<String>?
        /// nil: the archive as it is today.
        public var snapshot: Located<Timestamp>?
        /// A keyring file; nil: the distribution's.
        public var keyring: Located<String>?
        public var extra: [ExtraArchive] = []
        public var pins: [Pin] = []
        /// Packages that are never taken.
        public var exclude: [Located<String>] = []

        public init() {}
    }

    /// One more signed archive.
    public struct ExtraArchive: Hashable, Sendable {
        public var name = Located("")
        public var url = Located("")
        public var suite = Located("")
        public var components = [Located("main")]
        public var keyring = Located("")
        /// As in apt preferences; nil: 500, or what its Release file says.
        public var pin: Int?
        /// What it is where the recipe has a snapshot, of which it can be no part.
        public var snapshot: Located<ExtraSnapshot>?

        public init() {}
    }

    public enum ExtraSnapshot: String, CaseIterable, Hashable, Sendable {
        /// Taken as it is today all the same.
        case live
        /// Its URL is of one moment by itself, not after the snapshot's.
        case fixed
    }

    /// A package held to versions that match a pattern.
    public struct Pin: Hashable, Sendable {
        public var package: Located<String>
        public var version: String

        public init(package: Located<String>, version: String) {
            self.package = package
            self.version = version
        }
    }

    /// `name` or `name:architecture`, alone or with `=version` or `/suite` behind it.
    public struct PackageRequest: Hashable, Sendable, CustomStringConvertible {
        public var name: String
        public var architecture: String?
        public var version: String?
        /// The pocket (`bookworm-backports`) or the extra archive that it is taken from.
        public var suite: String?

        public init(name: String, architecture: String? = nil, version: String? = nil, suite: String? = nil) {
            self.name = name
            self.architecture = architecture
            self.version = version
            self.suite = suite
        }

        public var description: String {
            name + (architecture.map { ":" + $0 } ?? "") + (version.map { "=" + $0 } ?? "")
                + (suite.map { "/" + $0 } ?? "")
        }
    }

    /// One named group of packages, cached as one.
    public struct Layer: Hashable, Sendable {
        public var name = Located("")
        public var packages: [Located<PackageRequest>] = []
        /// Whether recommended packages are taken too.
        public var recommends = Located(false)
        /// Scripts run in the sandbox after the layer's packages: paths relative to the root folder.
        public var run: [Located<String>] = []

        public init() {}
    }

    /// Where Node comes from.
    public enum NodeRuntime: Hashable, Sendable {
        case package(Located<PackageRequest>)
        case archive(NodeArchive)
    }

    /// A tarball of Node, its first directory stripped and the rest laid into a directory of the image.
    public struct NodeArchive: Hashable, Sendable {
        public var file = Located("")
        public var sha256 = Located(Digest(hashing: ""))
        /// Default: `/usr/local`.
        public var into: Located<TreePath> = Located("/usr/local")

        public init() {}
    }

    public enum KernelSource: Hashable, Sendable {
        case package(Located<PackageRequest>)
        /// Relative to the root folder.
        case file(Located<String>)
    }

    public enum KernelFormat: String, CaseIterable, Hashable, Sendable {
        case vmlinux, bzImage
    }

    public enum InitrdPolicy: String, CaseIterable, Hashable, Sendable {
        /// Only if the root device or the file system is a module.
        case auto
        case always, never
    }

    public struct Kernel: Hashable, Sendable {
        public var source: KernelSource
        /// Of the kernel's file; nil where nobody vouches for it.
        public var sha256: Located<Digest>?
        public var format = Located(KernelFormat.vmlinux)
        public var initrd = InitrdPolicy.auto
        /// nil: what the machine's devices need.
        public var modules: [Located<String>]?
        public var arguments = [Located("console=ttyS0"), Located("reboot=k"), Located("panic=1")]

        public init(source: KernelSource) {
            self.source = source
        }
    }

    /// A user and a group, each by name or by number.
    public struct Owner: Hashable, Sendable, CustomStringConvertible {
        public enum Principal: Hashable, Sendable, CustomStringConvertible {
            case name(String)
            case number(UInt32)

            public var description: String {
                switch self {
                case .name(let name): name
                case .number(let number): String(number)
                }
            }
        }

        public var user: Principal
        public var group: Principal

        public init(user: Principal, group: Principal) {
            self.user = user
            self.group = group
        }

        public static let root = Owner(user: .number(0), group: .number(0))

        public var description: String { "\(user):\(group)" }
    }

    /// A mode for the files that match a pattern.
    public struct ModeRule: Hashable, Sendable {
        public var pattern: Located<String>
        public var mode: UInt16

        public init(pattern: Located<String>, mode: UInt16) {
            self.pattern = pattern
            self.mode = mode
        }
    }

    /// A folder laid over the packages; names and modes as in the folder.
    public struct Overlay: Hashable, Sendable {
        /// Relative to the root folder.
        public var source = Located("")
        /// Default: the image's root.
        public var target: Located<TreePath> = Located("/")
        /// Default: root:root.
        public var owner = Located(Owner.root)
        /// In the order of the recipe; the last one that matches holds.
        public var modes: [ModeRule] = []
        /// Patterns of the files whose `${…}` are put in.
        public var templates: [Located<String>] = []

        public init() {}
    }

    public struct User: Hashable, Sendable {
        public var name = Located("")
        /// nil: the next free one from 1000.
        public var uid: Located<UInt32>?
        /// Default: `/home/` and the name.
        public var home: Located<TreePath> = Located("/")
        /// Supplementary groups.
        public var groups: [Located<String>] = []
        /// Default: `/usr/sbin/nologin`.
        public var shell: Located<TreePath> = Located("/usr/sbin/nologin")

        public init() {}
    }

    public struct SmallFile: Hashable, Sendable {
        public var path: Located<TreePath>
        public var content = ""
        /// Default: 0644.
        public var mode: UInt16 = 0o644
        /// Default: root:root.
        public var owner = Located(Owner.root)

        public init(path: Located<TreePath>) {
            self.path = path
        }
    }
}
