internal import Debian
internal import Dpkg
internal import RootfsModel
internal import Sandboxing
internal import Storage
internal import SystemPackage

/// A layer that was made or taken from the store.
struct Layer: Sendable {
    var key: LayerKey
    /// Why it was made; nothing where the store had it.
    var because: [Reason]
    /// The clock of the recipe that made it or took it from the store.
    var maker: ObjectIdentifier
    var packages: [LayerPackage]
    var placement: Placement
    /// In the store.
    var delta: FilePath
    var deltaDigest: Digest
    /// With all layers below.
    var tree: FileTree
}

/// Makes the layers of one image, bottom up, or takes them from the store.
///
/// A layer in the store is its delta (`StoredLayer`). The lower directory is hard links to payloads and is made again
/// only when a layer above has to be built. The tree is known without it.
struct LayerStage {
    let workshop: Workshop
    let clock: StageClock
    let architecture: String
    /// The last build of the same outputs, for saying what made a layer stale.
    let previous: BuildRecord?
    private(set) var completeness: LockCompleteness
    private(set) var layers: [Layer] = []

    var tree: FileTree { layers.last?.tree ?? FileTree() }
    /// All that the layers so far install.
    var packages: [PackageStanza] { layers.flatMap { $0.packages.map(\.stanza) } }

    init(
        workshop: Workshop, clock: StageClock, architecture: String, previous: BuildRecord?,
        completeness: LockCompleteness
    ) {
        self.workshop = workshop
        self.clock = clock
        self.architecture = architecture
        self.previous = previous
        self.completeness = completeness
    }

    /// Lays one more layer over the tree. `waits` is what its payloads and the layer below were waited for.
    mutating func add(
        _ key: LayerKey, _ payloads: [(payload: Payload, deb: FilePath)], waits: [StageWait]
    ) async throws {
        let unordered = try payloads.map { try LayerPackage(payload: $0.payload, deb: $0.deb) }
        try completeness.add(unordered.map(\.stanza))
        let batches = configureBatches(unordered.map(\.stanza))
        let byName = Dictionary(unordered.map { ($0.stanza.name, $0) }, uniquingKeysWith: { first, _ in first })
        let packages = batches.joined().compactMap { byName[$0] }
        let request = LayerRequest(
            moment: key.moment, architecture: architecture, isBase: layers.isEmpty, below: tree, lower: [],
            packages: packages, configureBatches: batches, hostname: LayerKey.hostname, scripts: key.scripts)
        let asked = clock.now
        let making = LayerMaking(
            request: request, key: key, below: layers, previous: previous, workshop: workshop, clock: clock,
            waits: waits)
        var layer = try await workshop.layers.value(key.digest) { try await making.whenThereIsAJob() }
        if layer.maker != ObjectIdentifier(clock) {
            let wait = StageWait(for: "another recipe's layer", clock.now - asked)
            try clock.begin(key.stage, waits: waits + [wait]).end("\(packagesText(packages.count)), fresh")
            // What it is called there is not in its key.
            layer.key = key
            layer.because = []
        }
        layers.append(layer)
    }
}

/// The making of one layer.
private final class LayerMaking: Sendable {
    private let request: LayerRequest
    private let key: LayerKey
    private let below: [Layer]
    private let previous: BuildRecord?
    private let workshop: Workshop
    private let clock: StageClock
    private let waits: [StageWait]
    private let asked: Double

    private var store: Store { workshop.settings.store }

    init(
        request: LayerRequest, key: LayerKey, below: [Layer], previous: BuildRecord?, workshop: Workshop,
        clock: StageClock, waits: [StageWait]
    ) {
        self.request = request
        self.key = key
        self.below = below
        self.previous = previous
        self.workshop = workshop
        self.clock = clock
        self.waits = waits
        self.asked = clock.now
    }

    func whenThereIsAJob() async throws -> Layer {
        try await workshop.slots.run(.layer) { _ in
            let stage = try self.clock.begin(
                self.key.stage, waits: self.waits + [StageWait(for: "a free job", self.clock.now - self.asked)])
            let layer = try await self.run(stage)
            let count = packagesText(layer.packages.count)
            stage.end(layer.because.isEmpty ? "\(count), fresh" : "\(count), configured")
            return layer
        }
    }

    private func run(_ stage: RunningStage) async throws -> Layer {
        let (kept, because) = try stage.work { try keptLayer() }
        if let kept { return kept }
        for package in below.flatMap(\.packages) + request.packages { try await workshop.checkUnread(package.payload) }
        var lower = [FilePath]()
        for layer in below.reversed() {
            let directory = try await workshop.lowerDirectories.value(layer.key.digest) {
                let path = try workshop.freePath("lower")
                try stage.work { try layer.placement.makeLowerDirectory(of: layer.packages, at: path) }
                return path
            }
            lower += [layer.delta, directory]
        }
        let (layer, directory) = try stage.work { try build(lower, because, stage) }
        _ = try await workshop.lowerDirectories.value(key.digest) { directory }
        return layer
    }

    /// The layer of the store, if its delta is what it was when it was kept, and why it is to be made where it is not.
    /// A damaged one is discarded.
    private func keptLayer() throws -> (Layer?, because: [Reason]) {
        let stored = try StoredLayer(key.digest, in: store)
        let because = stored.staleness(of: key, since: previous)
        switch stored {
        case .intact(let delta, let change, let digest):
            let placement = try request.placement()
            let layer = Layer(
                key: key, because: [], maker: ObjectIdentifier(clock), packages: request.packages, placement: placement,
                delta: delta, deltaDigest: digest,
                tree: try request.tree(placement: placement, delta: change))
            return (layer, because)
        case .damaged:
            workshop.settings.progress(
                .warning("\(key.stage) in the store is not what it was when it was kept: it is made again"))
            try store.discard(.layers, key: key.digest)
        case .absent: break
        }
        return (nil, because)
    }

    /// Builds the layer and keeps its delta; gives its lower directory too.
    private func build(
        _ lower: [FilePath], _ because: [Reason], _ stage: RunningStage
    ) throws -> (Layer, lower: FilePath) {
        var request = request
        request.lower = lower
        let directory = try workshop.freePath("build")
        try makeDirectory(at: directory)
        let moment = request.moment
        let built = try LayerBuilder.build(
            request, in: directory, output: { stage.output($0) },
            progress: { step in
                switch step {
                case .configured(let done, let total, _): stage.advance(UInt64(done), of: UInt64(total), .packages)
                case .ran(let cpu): stage.add(cpu: cpu)
                case .linking, .preinst, .unpacking, .fontCache, .script: break
                }
            }, onFailure: { openShell(in: $0, moment: moment, workshop: self.workshop) })
        let (delta, change, digest) = try StoredLayer.keep(
            delta: built.upper, as: key, by: try workshop.freePath("keep"), in: store)
        let tree = try request.tree(placement: built.placement, delta: change)
        return (
            Layer(
                key: key, because: because, maker: ObjectIdentifier(clock), packages: request.packages,
                placement: built.placement, delta: delta, deltaDigest: digest,
                tree: tree), built.lower
        )
    }
}

func packagesText(_ count: Int) -> String { count == 1 ? "1 package" : "\(count) packages" }

/// `--shell-on-failure`: the user's terminal in the sandbox, at the point where a script failed.
private func openShell(in sandbox: Sandbox, moment: Timestamp, workshop: Workshop) {
    guard workshop.settings.shellOnFailure else { return }
    workshop.withTerminal("a shell in the sandbox where it failed; leave it with exit") {
        let environment = MaintainerScripts.environment(moment: moment).filter { $0.0 != "TERM" } + [("TERM", "linux")]
        do {
            _ = try sandbox.runShell(Command(arguments: ["/bin/sh", "-i"], environment: environment))
        } catch {
            workshop.settings.progress(.warning("no shell could be opened: \(error)"))
        }
    }
}
