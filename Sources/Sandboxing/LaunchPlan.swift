import CSandbox
import Glibc
import RootfsModel

/// All strings that the child needs, laid out in memory before it exists.
struct LaunchPlan: ~Copyable {
    private let interactive: Bool
    private let probe: Bool
    private let tree: CStrings
    private let copiedUp: CStrings
    private let hostname: CStrings
    private let linkNames: CStrings
    private let linkTargets: CStrings
    private let overlayOptions: CStrings
    private let bindHosts: CStrings
    private let bindInsides: CStrings
    private let neutralized: CStrings
    private let mounts: UnsafeMutablePointer<Int32>
    private let programs: CStrings
    private let arguments: CStrings
    private let environment: CStrings
    private let directory: CStrings
    private let ignoresSleep: Bool
    private let user: Command.User?
    private let groups: UnsafeMutablePointer<gid_t>
    private let memory: UInt64

    init(
        _ sandbox: Sandbox, _ root: borrowing PreparedRoot, _ command: Command, interactive: Bool = false,
        probe: Bool = false, copiedUp: [String] = []
    ) throws(Failure) {
        try Self.check(sandbox, command)
        let layers = (root.lower ?? []).indices.map(String.init)
        self.interactive = interactive
        self.probe = probe
        tree = CStrings(root.lower == nil ? [root.upper] : [])
        self.copiedUp = CStrings(copiedUp)
        hostname = CStrings([sandbox.hostname])
        linkNames = CStrings(layers + ["u", "w"])
        linkTargets = CStrings((root.lower ?? []) + [root.upper, root.work])
        // volatile: no write reaches the disk because of a sync.
        // xino: one device number for all files, also with layers on several file systems, or find -xdev misses some.
        var options = "lowerdir=\(layers.joined(separator: ":")),upperdir=u,workdir=w,volatile,xino=auto"
        switch UserNamespace.current {
        // index: writing to one name of a file writes to all its names. No redirects, no metadata-only copies: the
        // upper directory must be readable without overlayfs.
        case .initial: options += ",index=on,redirect_dir=off,metacopy=off"
        // Here overlayfs may not set its own attributes, and without userxattr fails with EIO where it would; this
        // excludes the rest.
        case .nested: options += ",userxattr"
        }
        overlayOptions = CStrings([options])
        bindHosts = CStrings(sandbox.binds.map { canonicalPath($0.host) ?? $0.host })
        bindInsides = CStrings(sandbox.binds.map(\.inside))
        neutralized = CStrings(sandbox.neutralized)
        mounts = .allocate(capacity: sandbox.binds.count + sandbox.neutralized.count + 1)
        programs = CStrings(Self.programs(command))
        arguments = CStrings(command.arguments)
        environment = CStrings(command.environment.map { "\($0.0)=\($0.1)" })
        directory = CStrings([command.workingDirectory])
        ignoresSleep = sandbox.ignoresSleep
        user = command.user
        memory = command.memoryLimit ?? 0
        let ids = command.user?.groups ?? []
        groups = .allocate(capacity: ids.count + 1)
        groups.initialize(from: ids, count: ids.count)
    }

    deinit {
        mounts.deallocate()
        groups.deallocate()
    }

    func withPlan<Result>(_ body: (inout csandbox_plan) -> Result) -> Result {
        var plan = csandbox_plan()
        plan.interactive = interactive ? 1 : 0
        plan.probe = probe ? 1 : 0
        plan.tree = UnsafePointer(tree.pointer[0])
        plan.hostname = UnsafePointer(hostname.pointer[0])
        plan.link_names = UnsafePointer(linkNames.pointer)
        plan.link_targets = UnsafePointer(linkTargets.pointer)
        plan.overlay_options = UnsafePointer(overlayOptions.pointer[0])
        plan.bind_hosts = UnsafePointer(bindHosts.pointer)
        plan.bind_insides = UnsafePointer(bindInsides.pointer)
        plan.neutralized = UnsafePointer(neutralized.pointer)
        plan.mounts = mounts
        plan.copied_up = UnsafePointer(copiedUp.pointer)
        plan.programs = UnsafePointer(programs.pointer)
        plan.arguments = UnsafePointer(arguments.pointer)
        plan.environment = UnsafePointer(environment.pointer)
        plan.directory = UnsafePointer(directory.pointer[0])
        plan.ignores_sleep = ignoresSleep ? 1 : 0
        plan.memory = memory
        if let user {
            plan.has_user = 1
            plan.uid = user.uid
            plan.gid = user.gid
            plan.groups = UnsafePointer(groups)
            plan.group_count = user.groups.count
        }
        return body(&plan)
    }

    private static func check(_ sandbox: Sandbox, _ command: Command) throws(Failure) {
        guard let program = command.arguments.first, !program.isEmpty else {
            throw Failure("cannot run a command in the sandbox: it has no program")
        }
        let environment = command.environment.flatMap { [$0.0, $0.1] }
        let strings =
            command.arguments + environment + [command.workingDirectory, sandbox.hostname] + sandbox.neutralized
            + sandbox.binds.flatMap { [$0.host, $0.inside] }
        guard !strings.contains(where: { $0.utf8.contains(0) }) else {
            throw Failure("cannot run \(program) in the sandbox: a NUL byte in its arguments or settings")
        }
        for (name, _) in command.environment where name.isEmpty || name.contains("=") {
            throw Failure("cannot run \(program) in the sandbox: \"\(name)\" is no name of an environment variable")
        }
        // The kernel's limit.
        guard (1...64).contains(sandbox.hostname.utf8.count) else {
            throw Failure("cannot name the sandbox \"\(sandbox.hostname)\": a host name has 1 to 64 bytes")
        }
    }

    /// The paths that a shell would try.
    private static func programs(_ command: Command) -> [String] {
        let program = command.arguments[0]
        if program.contains("/") { return [program] }
        let path = command.environment.last { $0.0 == "PATH" }?.1 ?? "/usr/bin:/bin"
        return path.split(separator: ":", omittingEmptySubsequences: false).map {
            $0.isEmpty ? program : "\($0)/\(program)"
        }
    }
}
