internal import Debian
internal import Dpkg
internal import RootfsModel
internal import Sandboxing
internal import Storage
internal import SystemPackage

/// Makes the layers of one image, bottom up, or takes them from the store.
///
/// A layer in the store is its delta. The lower directory is hard links to payloads and is made again only when a layer above has to be built. The tree is known
/// without it.
struct LayerStage {
    /// What a layer came to.
    struct Made {
        var key: LayerKey
        /// Why it was made; nothing where the store had it.
        var because: [Reason]
        var packages: Int
    }

    private struct Below {
        var placement: Placement
        var packages: [LayerPackage]
        var delta: FilePath
        var lower: FilePath?
    }

    let settings: BuildSettings
    let architecture: String
    let moment: Timestamp
    /// The last build of the same outputs, for saying what made a layer stale.
    let previous: BuildRecord?
    /// The payloads that the store had before, whose files nobody has read since: what is in the image is compared when
    /// it is written, but scripts may read what is not.
    private var unread: Set<Digest>
    private let work: TemporaryDirectory
    private var below: [Below] = []
    private(set) var tree = FileTree()
    private(set) var made: [Made] = []

    /// All that the layers so far install.
    var packages: [PackageStanza] { below.flatMap { $0.packages.map(\.stanza) } }

    init(settings: BuildSettings, architecture: String, moment: Timestamp, previous: BuildRecord?, unread: Set<Digest>)
        throws
    {
        self.settings = settings
        self.architecture = architecture
        self.moment = moment
        self.previous = previous
        self.unread = unread
        self.work = try settings.store.makeTemporaryDirectory("layers")
    }

    /// Lays one more layer over the tree.
    mutating func add(_ layer: LayerKey, _ payloads: [(payload: Payload, deb: FilePath)], clock: inout StageClock)
        throws
    {
        let unordered = try payloads.map { try LayerPackage(payload: $0.payload, deb: $0.deb) }
        let batches = configureBatches(unordered.map(\.stanza))
        let byName = Dictionary(unordered.map { ($0.stanza.name, $0) }, uniquingKeysWith: { first, _ in first })
        let packages = batches.joined().compactMap { byName[$0] }
        let request = LayerRequest(
            moment: moment, architecture: architecture, isBase: below.isEmpty, below: tree, lower: [],
            packages: packages, configureBatches: batches, hostname: LayerKey.hostname)
        let count = packages.count == 1 ? "1 package" : "\(packages.count) packages"
        var because = [Reason]()
        tree = try clock.run(layer.stage) { progress in
            let stored = try StoredLayer(layer.digest, in: settings.store)
            because = stored.staleness(of: layer, since: previous)
            switch stored {
            case .intact(let delta, let change):
                let placement = try request.placement()
                let tree = try request.tree(placement: placement, delta: change)
                below.append(Below(placement: placement, packages: packages, delta: delta))
                return (tree, "\(count), fresh")
            case .damaged:
                settings.progress(
                    .warning(
                        "\(layer.stage) in the store is not what it was when it was kept: it is made again"))
                try settings.store.discard(.layers, key: layer.digest)
            case .absent: break
            }
            return (try build(request, as: layer, progress: progress), "\(count), configured")
        }
        made.append(Made(key: layer, because: because, packages: packages.count))
    }

    private mutating func build(_ request: LayerRequest, as key: LayerKey, progress: StageProgress) throws
        -> FileTree
    {
        for package in below.flatMap(\.packages) + request.packages
        where unread.remove(package.payload.digest) != nil {
            try Task.checkCancellation()
            if try !package.payload.isIntact() {
                throw Failure("\(package.payload.label) in the store is not what it was when it was unpacked")
            }
        }
        var request = request
        request.lower = try lowerDirectories()
        let directory = work.path.appending("build-\(below.count)")
        try makeDirectory(at: directory)
        let settings = settings
        let moment = moment
        let layer = try LayerBuilder.build(
            request, in: directory, output: { progress.output($0) },
            progress: { step in
                switch step {
                case .configured(let done, let total, _): progress.advance(UInt64(done), of: UInt64(total), .packages)
                case .linking, .preinst, .unpacking, .fontCache: break
                }
            }, onFailure: { openShell(in: $0, moment: moment, settings: settings) })
        let delta = try StoredLayer.keep(
            delta: layer.upper, as: key, by: work.path.appending("keep-\(below.count)"), in: settings.store)
        below.append(Below(placement: layer.placement, packages: request.packages, delta: delta, lower: layer.lower))
        return try request.tree(placement: layer.placement, delta: try scanOverlayUpper(delta))
    }

    /// The directories of the layers so far, topmost first; those not made yet in this build are made now.
    private mutating func lowerDirectories() throws -> [FilePath] {
        for index in below.indices where below[index].lower == nil {
            let path = work.path.appending("lower-\(index)")
            try below[index].placement.makeLowerDirectory(of: below[index].packages, at: path)
            below[index].lower = path
        }
        return below.reversed().flatMap { [$0.delta, $0.lower].compactMap { $0 } }
    }
}

/// `--shell-on-failure`: the user's terminal in the sandbox, at the point where a script failed.
private func openShell(in sandbox: Sandbox, moment: Timestamp, settings: BuildSettings) {
    guard settings.shellOnFailure else { return }
    settings.progress(.note("a shell in the sandbox where it failed; leave it with exit"))
    settings.progress(.terminalTaken)
    let environment = MaintainerScripts.environment(moment: moment).filter { $0.0 != "TERM" } + [("TERM", "linux")]
    do {
        _ = try sandbox.runShell(Command(arguments: ["/bin/sh", "-i"], environment: environment))
    } catch {
        settings.progress(.warning("no shell could be opened: \(error)"))
    }
    settings.progress(.terminalReturned)
}
