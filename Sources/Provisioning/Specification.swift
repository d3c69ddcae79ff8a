public import RootfsModel

/// A user to make, as the recipe asks for it.
public struct UserSpecification: Sendable, Equatable {
    public var name: String
    /// nil takes the first free number of the range: 1000–59999, or 100–999 for a system user.
    public var uid: UInt32?
    /// An absolute path. nil is `/home/NAME`, or `/nonexistent` for a system user.
    public var home: String?
    /// Supplementary groups; each must exist.
    public var groups: [String]
    /// nil is `/bin/bash`, where there is none `/bin/sh`; for a system user `/usr/sbin/nologin`.
    public var shell: String?
    public var isSystem: Bool
    public var location: SourceLocation?

    public init(
        name: String, uid: UInt32? = nil, home: String? = nil, groups: [String] = [], shell: String? = nil,
        isSystem: Bool = false, location: SourceLocation? = nil
    ) {
        self.name = name
        self.uid = uid
        self.home = home
        self.groups = groups
        self.shell = shell
        self.isSystem = isSystem
        self.location = location
    }
}

/// A value and where the recipe says it.
public struct Placed<Value: Sendable & Equatable>: Sendable, Equatable {
    public var value: Value
    public var location: SourceLocation?

    public init(_ value: Value, at location: SourceLocation? = nil) {
        self.value = value
        self.location = location
    }
}

/// Who the machine is.
public struct IdentitySpecification: Sendable, Equatable {
    public var hostname: Placed<String>
    /// A name of the zone database, `Europe/Berlin`.
    public var timezone: Placed<String>
    /// What LANG says, `C.UTF-8`.
    public var locale: Placed<String>

    public init(
        hostname: Placed<String>, timezone: Placed<String> = Placed("UTC"), locale: Placed<String> = Placed("C.UTF-8")
    ) {
        self.hostname = hostname
        self.timezone = timezone
        self.locale = locale
    }
}

/// A small file whose text stands in the recipe.
public struct FileSpecification: Sendable, Equatable {
    /// An absolute path in the image.
    public var path: String
    public var text: String
    public var mode: UInt16
    /// As an overlay's; nil is root:root.
    public var owner: String?
    public var location: SourceLocation?

    public init(
        path: String, text: String, mode: UInt16 = 0o644, owner: String? = nil, location: SourceLocation? = nil
    ) {
        self.path = path
        self.text = text
        self.mode = mode
        self.owner = owner
        self.location = location
    }
}

/// How a folder is laid over the tree.
public struct OverlayOptions: Sendable, Equatable {
    /// The folder as the recipe names it, for messages: `overlays/webrtc`.
    public var name: String
    /// The directory of the image that the folder's content goes into.
    public var target: String
    /// `user`, `user:group`, or numbers; nil is root:root. `user` alone brings the user's own group.
    public var owner: String?
    /// Patterns and modes; the last that matches a file decides. A pattern with a slash is matched against the
    /// path below the folder, one without against the file's name. One that ends in a slash is for directories.
    public var modes: [(pattern: String, mode: UInt16)]
    /// Patterns of the files in which `${name}` is replaced.
    public var templates: [String]
    public var location: SourceLocation?

    public init(
        name: String, target: String = "/", owner: String? = nil, modes: [(pattern: String, mode: UInt16)] = [],
        templates: [String] = [], location: SourceLocation? = nil
    ) {
        self.name = name
        self.target = target
        self.owner = owner
        self.modes = modes
        self.templates = templates
        self.location = location
    }

    public static func == (left: OverlayOptions, right: OverlayOptions) -> Bool {
        left.name == right.name && left.target == right.target && left.owner == right.owner
            && left.modes.elementsEqual(right.modes, by: ==) && left.templates == right.templates
            && left.location == right.location
    }
}

/// A Node release from a tarball: the tar as a tree, and where it goes.
public struct NodeArchive: Sendable, Equatable {
    /// The file as the recipe names it, for messages.
    public var name: String
    public var tree: FileTree
    /// An absolute directory of the image, `/usr/local`.
    public var into: String
    public var location: SourceLocation?

    public init(name: String, tree: FileTree, into: String, location: SourceLocation? = nil) {
        self.name = name
        self.tree = tree
        self.into = into
        self.location = location
    }
}

/// When a service that ended is started again.
public enum RestartPolicy: String, Sendable {
    case always
    case onFailure = "on-failure"
    case never = "no"
}

/// The pause before a restart doubles from `least` to `most`; `count` starts within `interval` are the limit.
/// Times in milliseconds.
public struct RestartSpecification: Sendable, Equatable {
    public var policy: RestartPolicy
    public var least: UInt64
    public var most: UInt64
    public var count: Int
    public var interval: UInt64

    public init(
        policy: RestartPolicy = .always, least: UInt64 = 1_000, most: UInt64 = 30_000, count: Int = 5,
        interval: UInt64 = 300_000
    ) {
        self.policy = policy
        self.least = least
        self.most = most
        self.count = count
        self.interval = interval
    }
}

/// How to tell that a service is ready.
public enum ReadyCheck: Sendable, Equatable {
    /// GET answers 200–299: `http://127.0.0.1:8080/healthz`.
    case http(String)
    /// A connection is accepted.
    case tcp(host: String, port: UInt16)
    /// A unix socket is there.
    case unix(String)
    /// A path is there.
    case file(String)
}

/// A program that runs for as long as the machine does.
public struct ServiceSpecification: Sendable, Equatable {
    public var name: String
    /// The program and its arguments.
    public var command: [String]
    /// nil is root.
    public var user: String?
    public var workingDirectory: String?
    /// Services of the recipe that must be ready first; a name with a dot is a systemd unit's.
    public var after: [String]
    /// In the order of the recipe.
    public var environment: [(name: String, value: String)]
    public var restart: RestartSpecification
    public var ready: ReadyCheck?
    /// How long it may take to be ready, in milliseconds.
    public var within: UInt64
    public var location: SourceLocation?
    /// Where the command stands; else `location`.
    public var commandLocation: SourceLocation?

    public init(
        name: String, command: [String], user: String? = nil, workingDirectory: String? = nil, after: [String] = [],
        environment: [(name: String, value: String)] = [], restart: RestartSpecification = RestartSpecification(),
        ready: ReadyCheck? = nil, within: UInt64 = 30_000, location: SourceLocation? = nil,
        commandLocation: SourceLocation? = nil
    ) {
        self.name = name
        self.command = command
        self.user = user
        self.workingDirectory = workingDirectory
        self.after = after
        self.environment = environment
        self.restart = restart
        self.ready = ready
        self.within = within
        self.location = location
        self.commandLocation = commandLocation
    }

    public static func == (left: ServiceSpecification, right: ServiceSpecification) -> Bool {
        left.name == right.name && left.command == right.command && left.user == right.user
            && left.workingDirectory == right.workingDirectory && left.after == right.after
            && left.environment.elementsEqual(right.environment, by: ==) && left.restart == right.restart
            && left.ready == right.ready && left.within == right.within && left.location == right.location
            && left.commandLocation == right.commandLocation
    }

    /// `app-NAME.service`.
    var unitName: String { "app-\(name).service" }
}

/// All that a recipe says of what comes on top of the packages, but for the overlays' content.
public struct ProvisioningSpecification: Sendable, Equatable {
    public var users: [UserSpecification]
    public var identity: IdentitySpecification
    public var files: [FileSpecification]
    public var services: [ServiceSpecification]
    /// Patterns of paths that go.
    public var remove: [Placed<String>]
    /// What `${name}` stands for in templates.
    public var variables: [String: String]

    public init(
        users: [UserSpecification] = [], identity: IdentitySpecification, files: [FileSpecification] = [],
        services: [ServiceSpecification] = [], remove: [Placed<String>] = [], variables: [String: String] = [:]
    ) {
        self.users = users
        self.identity = identity
        self.files = files
        self.services = services
        self.remove = remove
        self.variables = variables
    }
}
