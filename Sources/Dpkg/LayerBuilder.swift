internal import Debian
public import RootfsModel
public import Sandboxing
internal import Storage
public import SystemPackage

/// One group of packages to be laid on a tree.
public struct LayerRequest: Sendable {
    /// SOURCE_DATE_EPOCH: no file gets a later time.
    public var moment: Timestamp
    public var architecture: String
    /// The first layer of a tree: the skeleton comes first, and preinsts run after the unpacking, because before
    /// there is no shell.
    public var isBase: Bool
    /// The tree of all layers below; of no use for the base.
    public var below: FileTree
    /// The directories of the layers below, topmost first: each layer's upper directory before its lower one.
    public var lower: [FilePath]
    /// In the order of installation.
    public var packages: [LayerPackage]
    /// The packages as dpkg is to configure them, a run of it for each batch.
    public var configureBatches: [[String]]
    public var hostname: String
    /// Run in this order when all packages are configured.
    public var scripts: [LayerScript]

    public init(
        moment: Timestamp, architecture: String, isBase: Bool, below: FileTree, lower: [FilePath],
        packages: [LayerPackage], configureBatches: [[String]], hostname: String, scripts: [LayerScript] = []
    ) {
        self.moment = moment
        self.architecture = architecture
        self.isBase = isBase
        self.below = below
        self.lower = lower
        self.packages = packages
        self.configureBatches = configureBatches
        self.hostname = hostname
        self.scripts = scripts
    }

    /// Where the packages' files go: the same for a layer that is made and one that is taken from the store.
    public func placement() throws -> Placement {
        try Placement(packages, on: try foundation(), moment: moment)
    }

    /// The tree of the layer: the one below with the packages placed, and the delta over it.
    public func tree(placement: Placement, delta: TreeChange) throws(Failure) -> FileTree {
        try ground.applying(placement.change).applying(delta)
    }

    /// What is below of files that other directories hold.
    var ground: FileTree { isBase ? FileTree(root: Metadata(mode: 0o755, mtime: moment)) : below }

    func foundation() throws(Failure) -> FileTree {
        isBase ? try ground.applying(Skeleton.change(architecture: architecture, moment: moment)) : below
    }
}

/// How far the making of a layer is.
public enum LayerStep: Hashable, Sendable {
    /// The payloads' files are linked into the lower directory.
    case linking(files: Int)
    case preinst(package: String)
    /// dpkg itself unpacks a package, for this reason.
    case unpacking(package: String, reason: String)
    case configured(Int, of: Int, package: String)
    case fontCache
    /// One of the recipe's own.
    case script(name: String)
    /// A program ran in the sandbox: its CPU time in nanoseconds.
    case ran(cpu: UInt64)
}

/// A layer that was made: directories in the working directory that the caller gave.
public struct BuiltLayer: Sendable {
    public var placement: Placement
    /// Hard links to payloads: read-only. It can be made again from the placement.
    public var lower: FilePath
    /// The delta: what dpkg and the scripts wrote. All times are at most the moment.
    public var upper: FilePath
}

/// Makes a layer: places payloads, writes dpkg's database, runs maintainer scripts in a sandbox.
public struct LayerBuilder {
    private let request: LayerRequest
    private var root: LayerRoot
    private let placement: Placement
    private let output: (String) -> Void
    private let progress: (LayerStep) -> Void
    private let onFailure: (Sandbox) -> Void

    /// Makes the layer in an empty directory on the store's file system. `output` gets every line that dpkg and
    /// the scripts print; `onFailure` is called with the sandbox in which a script failed, before the Failure is
    /// thrown. Throws `CancellationError` when the task is cancelled.
    public static func build(
        _ request: LayerRequest, in directory: FilePath, output: @escaping (String) -> Void = { _ in },
        progress: @escaping (LayerStep) -> Void = { _ in }, onFailure: @escaping (Sandbox) -> Void = { _ in }
    ) throws -> BuiltLayer {
        try build(request, root: .automatic, in: directory, output: output, progress: progress, onFailure: onFailure)
    }

    static func build(
        _ request: LayerRequest, root: LayerRoot.Kind, in directory: FilePath,
        output: @escaping (String) -> Void = { _ in }, progress: @escaping (LayerStep) -> Void = { _ in },
        onFailure: @escaping (Sandbox) -> Void = { _ in }
    ) throws -> BuiltLayer {
        var builder = LayerBuilder(
            request: request, directory: directory, placement: try request.placement(), output: output,
            progress: progress, onFailure: onFailure)
        try builder.build(root)
        return BuiltLayer(placement: builder.placement, lower: builder.root.lower, upper: builder.root.upper)
    }

    init(
        request: LayerRequest, directory: FilePath, placement: Placement, output: @escaping (String) -> Void,
        progress: @escaping (LayerStep) -> Void, onFailure: @escaping (Sandbox) -> Void
    ) {
        self.request = request
        self.root = LayerRoot(in: directory, layersBelow: request.lower)
        self.placement = placement
        self.output = output
        self.progress = progress
        self.onFailure = onFailure
    }

    private mutating func build(_ kind: LayerRoot.Kind) throws {
        progress(.linking(files: placement.links.count))
        try placement.makeLowerDirectory(of: request.packages, at: root.lower)
        let before = request.ground
        try root.prepare(kind, ground: before, output: output)
        let after = try before.applying(placement.change)
        let wroteRcPolicy: Bool
        if request.isBase {
            try root.showPackages(placement, ground: before, tree: after)
            var directory = try root.open(below: after)
            for node in Skeleton.change(architecture: request.architecture, moment: request.moment).puts {
                if node.isDirectory {
                    try directory.makeDirectory(node.path, node.metadata)
                } else {
                    try directory.put(node)
                }
            }
            wroteRcPolicy = try writeRcPolicy(below: after)
            try writeDatabase(below: after)
            try runPreinsts(sandbox(seesPackages: true), below: after)
        } else {
            wroteRcPolicy = try writeRcPolicy(below: before)
            try runPreinsts(sandbox(seesPackages: false), below: before)
            try root.showPackages(placement, ground: before, tree: after)
            try writeDatabase(below: after)
        }
        let sandbox = sandbox(seesPackages: true)
        for guarded in placement.guarded { try unpackByDpkg(guarded, sandbox) }
        try configure(sandbox, below: after)
        if wroteRcPolicy {
            var directory = try root.open(below: after)
            try directory.remove(MaintainerScripts.policyPath)
        }
        try FontCache(request: request, placement: placement, root: root, below: after).build(
            in: sandbox, output: output, progress: progress, onFailure: onFailure)
        try LayerScripts(request: request, root: root, below: after).run(
            in: sandbox, output: output, progress: progress, onFailure: onFailure)
        try root.finish(sandbox, after: after)
        var directory = try UpperDirectory.open(root.upper, below: after)
        try directory.clampTimes(to: request.moment)
    }

    /// Before the packages' files become visible, or with them.
    private func sandbox(seesPackages: Bool) -> Sandbox {
        Sandbox(
            root: root.sandboxRoot(seesPackages: seesPackages), hostname: request.hostname,
            neutralized: [FontCache.program])
    }

    /// Whether it was written, and is to be removed: a tree that has one of its own keeps it.
    private func writeRcPolicy(below: FileTree) throws -> Bool {
        var directory = try root.open(below: below)
        if directory.has(MaintainerScripts.policyPath) { return false }
        try directory.write(
            MaintainerScripts.policy, to: MaintainerScripts.policyPath, Metadata(mode: 0o755, mtime: request.moment))
        return true
    }

    /// The packages that are unpacked here, not by dpkg.
    private var placedPackages: [Int] {
        let guarded = Set(placement.guarded.map(\.package))
        return request.packages.indices.filter { !guarded.contains($0) }
    }

    /// Conffiles and dpkg's database.
    func writeDatabase(below: FileTree) throws {
        var directory = try root.open(below: below)
        var firstNames = [UInt32: TreePath]()
        for link in placement.conffiles {
            if let first = firstNames[link.node.linkGroup], link.node.linkGroup != 0 {
                try directory.link(link.node.path, to: first)
            } else {
                firstNames[link.node.linkGroup] = link.node.path
                try directory.put(link.node)
            }
        }
        let packages = try placedPackages.map { index in
            let package = request.packages[index]
            let payload = package.payload
            var members = try payload.control().filter { $0.name != "control" }
            if let checksums = try payload.computedChecksums() {
                members.append(
                    ControlMember(name: "md5sums", mode: 0o644, mtime: request.moment, bytes: checksums))
            }
            return PackageDatabase.NewPackage(
                databaseName: package.databaseName, stanza: package.stanza.raw,
                conffiles: try Conffile.parse(try payload.controlMember("conffiles") ?? [], label: payload.label),
                list: try payload.list(), members: members,
                triggers: try TriggerDirective.parse(try payload.controlMember("triggers") ?? [], label: payload.label))
        }
        for file in try PackageDatabase.adding(packages, read: { try directory.read($0) }) {
            let metadata = Metadata(mode: file.mode, mtime: file.mtime ?? request.moment)
            try directory.write(file.bytes, to: file.path, metadata)
        }
    }

    private func runPreinsts(_ sandbox: Sandbox, below: FileTree) throws {
        let version = try dpkgVersion(below)
        for index in placedPackages {
            let package = request.packages[index]
            guard try package.payload.controlMember("preinst") != nil else { continue }
            progress(.preinst(package: package.stanza.name))
            var directory = try root.open(below: below)
            let control = MaintainerScripts.controlDirectory
            try directory.makeDirectory(control, Metadata(mode: 0o755, mtime: request.moment))
            for member in try package.payload.control() {
                try directory.write(
                    member.bytes, to: control.appending(Array(member.name.utf8)),
                    Metadata(mode: member.mode, mtime: member.mtime))
            }
            let command = MaintainerScripts.preinst(of: package, dpkgVersion: version, moment: request.moment)
            let outcome = try sandbox.run(command) { output(String(decoding: $0, as: UTF8.self)) }
            progress(.ran(cpu: outcome.cpu))
            guard outcome.succeeded else {
                onFailure(sandbox)
                throw MaintainerScripts.failure(
                    package: package.payload.label, script: "preinst install", how: outcome.status.description,
                    lines: outcome.lastLines(DpkgLog.lineLimit))
            }
            var cleared = try root.open(below: below)
            try cleared.removeDirectory(control)
        }
    }

    /// The version of the dpkg that the tree has or gets.
    private func dpkgVersion(_ below: FileTree) throws -> String {
        if let package = request.packages.first(where: { $0.stanza.name == "dpkg" }) {
            return package.stanza.stanza["Version"] ?? ""
        }
        let status = try DatabaseFile.read("var/lib/dpkg/status", in: below) ?? []
        return try Stanza.parse(status, file: "/var/lib/dpkg/status").first { $0["Package"] == "dpkg" }?["Version"]
            ?? ""
    }

    // MARK: dpkg

    private func unpackByDpkg(_ guarded: Placement.Guarded, _ sandbox: Sandbox) throws {
        let package = request.packages[guarded.package]
        try DebSource(path: package.deb, digest: package.payload.digest, label: package.payload.label).verify()
        progress(.unpacking(package: package.stanza.name, reason: guarded.reason))
        output("unpacking \(package.payload.label) with dpkg: \(guarded.reason)")
        var sandbox = sandbox
        let inside = "/run/\(package.stanza.name).deb"
        sandbox.binds.append(Sandbox.Bind(host: package.deb.string, inside: inside))
        try runDpkg(
            ["--force-depends", "--force-unsafe-io", "--no-triggers", "--unpack", inside],
            operation: "--unpack \(package.payload.label)", sandbox)
    }

    private func configure(_ sandbox: Sandbox, below: FileTree) throws {
        let total = Set(request.packages.map(\.stanza.name)).count
        var done = Set<String>()
        let installed: (String) -> Void = { name in
            let name = String(name.prefix { $0 != ":" })
            if done.insert(name).inserted, done.count <= total {
                progress(.configured(done.count, of: total, package: name))
            }
        }
        for (index, batch) in request.configureBatches.enumerated() where !batch.isEmpty {
            let isLast = index == request.configureBatches.count - 1
            try runDpkg(
                (isLast ? [] : ["--no-triggers"]) + ["--configure"] + batch, operation: "--configure", sandbox,
                installed: installed)
        }
        // Triggers that an earlier run left pending for packages that the last one did not touch.
        if try !unfinished(below).isEmpty {
            try runDpkg(["--triggers-only", "--pending"], operation: "--triggers-only", sandbox, installed: installed)
        }
        let unfinished = try unfinished(below)
        if !unfinished.isEmpty {
            onFailure(sandbox)
            throw Failure(
                "dpkg left \(unfinished.count) packages unfinished",
                notes: unfinished.prefix(DpkgLog.lineLimit).map { "\($0.name): \($0.status)" })
        }
    }

    private func unfinished(_ below: FileTree) throws -> [(name: String, status: String)] {
        var directory = try root.open(below: below)
        return try PackageDatabase.unfinishedPackages(try directory.read("var/lib/dpkg/status") ?? [])
    }

    private func runDpkg(
        _ arguments: [String], operation: String, _ sandbox: Sandbox, installed: (String) -> Void = { _ in }
    ) throws {
        var log = DpkgLog()
        // dpkg closes its status descriptor in the scripts that it starts: stdout itself would be gone in them.
        let command = Command(
            arguments: ["sh", "-c", "exec dpkg --status-fd 3 \"$@\" 3>&1", "dpkg"] + arguments,
            environment: MaintainerScripts.environment(moment: request.moment))
        let outcome = try sandbox.run(command) { bytes in
            switch log.read(bytes) {
            case .line(let line): output(line)
            case .installed(let name): installed(name)
            case .quiet: break
            }
        }
        progress(.ran(cpu: outcome.cpu))
        guard outcome.succeeded else {
            onFailure(sandbox)
            throw log.failure(operation, outcome: outcome)
        }
    }
}
