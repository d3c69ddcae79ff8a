public import RootfsModel

/// What a recipe was resolved to: every package, every other file and the archives' state, by digest.
///
/// Its text is deb822 (docs/architecture.md, Lock). No mirror is in it: a pool path stands below whichever mirror
/// of the pocket is at hand.
public struct Lock: Hashable, Sendable {
    /// The newest format that this program reads. A lock is written in the oldest one that can say what it holds:
    /// 1, or 2 where layers have moments of their own.
    public static let formatVersion = 2
    /// The times that an ext4 file system can have, in UTC seconds since 1970.
    public static let moments: ClosedRange<Int64> = 1...Int64(UInt32.max)
    /// The sizes that a file can have, in bytes: more is a slip, and would overflow a sum.
    public static let sizes: ClosedRange<Int64> = 0...1 << 40

    /// What something is locked for.
    public enum Purpose: Hashable, Sendable, CustomStringConvertible {
        /// Installed by the layer of this name.
        case layer(String)
        /// Used in another way: `kernel`, `initrd`.
        case role(String)

        public var description: String {
            switch self {
            case .layer(let name): "layer \(name)"
            case .role(let name): "role \(name)"
            }
        }
    }

    /// The state of one pocket of an archive.
    public struct Archive: Hashable, Sendable {
        /// What packages call it: `bookworm-security`.
        public var name: String
        public var origin: String
        public var suite: String
        public var codename: String
        public var components: [String]
        public var inRelease: Digest
        /// The Release file's Date in UTC seconds since 1970.
        public var date: Int64
        /// The priority that the recipe gives it; nil where it gives none.
        public var pin: Int?

        public init(
            name: String, origin: String, suite: String, codename: String, components: [String], inRelease: Digest,
            date: Int64, pin: Int? = nil
        ) {
            self.name = name
            self.origin = origin
            self.suite = suite
            self.codename = codename
            self.components = components
            self.inRelease = inRelease
            self.date = date
            self.pin = pin
        }
    }

    /// The names that the recipe asked for in one layer or role.
    public struct RequestSet: Hashable, Sendable {
        public var purpose: Purpose
        /// As the recipe writes them (`name`, `name=version`).
        public var names: [String]

        public init(_ purpose: Purpose, _ names: [String]) {
            self.purpose = purpose
            self.names = names
        }
    }

    public struct Package: Hashable, Sendable {
        public var name: String
        public var version: String
        public var architecture: String
        public var size: UInt64
        public var sha256: Digest
        /// Below the archive's root: `pool/main/n/nodejs/nodejs_18.19.0_amd64.deb`.
        public var filename: String
        /// An `Archive.name`.
        public var pocket: String
        public var purpose: Purpose

        public init(
            name: String, version: String, architecture: String, size: UInt64, sha256: Digest, filename: String,
            pocket: String,
            purpose: Purpose
        ) {
            self.name = name
            self.version = version
            self.architecture = architecture
            self.size = size
            self.sha256 = sha256
            self.filename = filename
            self.pocket = pocket
            self.purpose = purpose
        }

        /// Of an index's stanza, which must say where the .deb is, how long and its SHA256.
        public init(_ stanza: PackageStanza, pocket: String, purpose: Purpose) throws(Failure) {
            guard let filename = stanza.filename, let size = stanza.size, let sha256 = stanza.sha256 else {
                throw Failure(
                    "cannot lock \(stanza.name) \(stanza.version): its stanza in \(pocket) lacks Filename, Size or SHA256"
                )
            }
            if size > UInt64(Lock.sizes.upperBound) {
                throw Failure("cannot lock \(stanza.name) \(stanza.version): \(pocket) says it has \(size) bytes")
            }
            self.init(
                name: stanza.name, version: stanza.version.text, architecture: stanza.architecture, size: size,
                sha256: sha256, filename: filename, pocket: pocket, purpose: purpose)
        }
    }

    /// A file that no archive's index vouches for: a tarball, a kernel.
    public struct File: Hashable, Sendable {
        /// As the recipe names it: a path or an address.
        public var name: String
        public var size: UInt64
        public var sha256: Digest

        public init(name: String, size: UInt64, sha256: Digest) {
            self.name = name
            self.size = size
            self.sha256 = sha256
        }
    }

    /// The recipe's name.
    public var recipe: String
    public var architecture: String
    /// SOURCE_DATE_EPOCH of the image: UTC seconds since 1970. It moves when anything does.
    public var moment: Int64
    /// By layer, where it is not the image's: the earlier moment of a layer that has not moved since.
    public var layerMoments: [String: Int64]
    public var solver: String
    /// The moment that the recipe takes the distribution's archive from; nil: as it was when it was resolved.
    public var snapshot: Int64?
    public var exclude: [String]
    /// Pattern by package.
    public var pins: [String: String]
    public var archives: [Archive]
    /// In the order of the layers.
    public var requests: [RequestSet]
    public var packages: [Package]
    public var files: [File]

    /// Brings everything but the request sets into the order of the text.
    public init(
        recipe: String, architecture: String, moment: Int64, layerMoments: [String: Int64] = [:],
        solver: String = "apt-classic", snapshot: Int64? = nil, exclude: [String] = [], pins: [String: String] = [:],
        archives: [Archive], requests: [RequestSet], packages: [Package], files: [File] = []
    ) {
        self.recipe = recipe
        self.architecture = architecture
        self.moment = moment
        self.layerMoments = layerMoments
        self.solver = solver
        self.snapshot = snapshot
        self.exclude = exclude.sorted()
        self.pins = pins
        self.archives = archives.sorted { $0.name < $1.name }
        self.requests = requests.map { RequestSet($0.purpose, $0.names.sorted()) }
        self.packages = packages.sorted {
            ($0.name, $0.architecture, $0.purpose.description) < ($1.name, $1.architecture, $1.purpose.description)
        }
        self.files = files.sorted { $0.name < $1.name }
    }

    /// The packages of one layer or role, sorted by name.
    public func packages(for purpose: Purpose) -> [Package] {
        packages.filter { $0.purpose == purpose }
    }
}
