internal import Debian
internal import Dpkg
internal import RootfsModel
internal import Sandboxing
internal import Storage
internal import SystemPackage

/// A layer that was made or taken from the store.
struct Layer: Sendable {
    var key: Digest
    /// Whether the store had it.
    var isFresh: Bool
    var packages: [LayerPackage]
    var placement: Placement
    /// In the store.
    var delta: FilePath
    /// With all layers below.
    var tree: FileTree
}

/// Makes the layers of one image, bottom up, or takes them from the store.
///
/// A layer in the store is its delta, and the delta's digest, which is compared whenever the layer is taken. The lower
/// directory is hard links to payloads and is made again only when a layer above has to be built. The tree is known
/// without it.
struct LayerStage {
    /// Fixed, so that a recipe's own name does not make its layers stale.
    private static let hostname = "localhost"

    let workshop: Workshop
    let clock: StageClock
    let architecture: String
    let moment: Timestamp
    private var key: Digest
    private(set) var layers: [(name: String, layer: Layer)] = []

    var tree: FileTree { layers.last?.layer.tree ?? FileTree() }
    /// All that the layers so far install.
    var packages: [PackageStanza] { layers.flatMap { $0.layer.packages.map(\.stanza) } }

    init(workshop: Workshop, clock: StageClock, architecture: String, moment: Timestamp) {
        self.workshop = workshop
        self.clock = clock
        self.architecture = architecture
        self.moment = moment
        self.key = Digest(hashing: "")
    }

    /// The key of a layer: all that can change its bytes. The one below, the format of the code that makes it, the
    /// packages in their order, the moment, the architecture and the environment of the scripts.
    private func key(_ packages: [LayerPackage]) -> Digest {
        var hasher = DigestHasher()
        hasher.update(field: "layer")
        hasher.update(field: String(MaintainerScripts.layerFormat))
        hasher.update(field: key.hex)
        hasher.update(field: architecture)
        hasher.update(field: String(moment.seconds))
        for (name, value) in MaintainerScripts.environment(moment: moment) { hasher.update(field: "\(name)=\(value)") }
        for package in packages { hasher.update(field: package.payload.digest.hex) }
        return hasher.finalized()
    }

    /// Lays one more layer over the tree. `waits` is what its payloads and the layer below were waited for.
    mutating func add(
        _ name: String, _ payloads: [(payload: Payload, deb: FilePath)], waits: [StageWait]
    ) async throws {
        let unordered = try payloads.map { try LayerPackage(payload: $0.payload, deb: $0.deb) }
        let batches = configureBatches(unordered.map(\.stanza))
        let byName = Dictionary(unordered.map { ($0.stanza.name, $0) }, uniquingKeysWith: { first, _ in first })
        let packages = batches.joined().compactMap { byName[$0] }
        let key = key(packages)
        let request = LayerRequest(
            moment: moment, architecture: architecture, isBase: layers.isEmpty, below: tree, lower: [],
            packages: packages, configureBatches: batches, hostname: Self.hostname)
        let count = packages.count == 1 ? "1 package" : "\(packages.count) packages"
        let title = "layer \(name)"
        let (workshop, clock, below) = (workshop, clock, layers.map(\.layer))
        let asked = clock.now
        var isOurs = false
        let layer = try await workshop.layers.value(key) {
            isOurs = true
            return try await workshop.slots.run(.layer) { _ in
                let stage = try clock.begin(title, waits: waits + [StageWait(for: "a free job", clock.now - asked)])
                let making = LayerMaking(request: request, key: key, title: title, workshop: workshop, stage: stage)
                let layer = try await making.run(on: below)
                stage.end(layer.isFresh ? "\(count), fresh" : "\(count), configured")
                return layer
            }
        }
        if !isOurs {
            let wait = StageWait(for: "another recipe's layer", clock.now - asked)
            try clock.begin(title, waits: waits + [wait]).end("\(count), fresh")
        }
        var kept = layer
        kept.isFresh = layer.isFresh || !isOurs
        layers.append((name, kept))
        self.key = key
    }
}

/// The making of one layer.
private struct LayerMaking {
    var request: LayerRequest
    let key: Digest
    let title: String
    let workshop: Workshop
    let stage: RunningStage

    private var store: Store { workshop.settings.store }

    func run(on below: [Layer]) async throws -> Layer {
        if let kept = try stage.work({ try keptLayer() }) { return kept }
        var lower = [FilePath]()
        for layer in below.reversed() {
            let directory = try await workshop.lowerDirectories.value(layer.key) {
                let path = workshop.freePath("lower")
                try stage.work { try layer.placement.makeLowerDirectory(of: layer.packages, at: path) }
                return path
            }
            lower += [layer.delta, directory]
        }
        let (layer, directory) = try stage.work { try build(lower) }
        _ = try await workshop.lowerDirectories.value(key) { directory }
        return layer
    }

    /// The layer of the store, if its delta is what it was when it was kept; a damaged one is discarded.
    private func keptLayer() throws -> Layer? {
        guard let kept = store.directory(.layers, key: key) else { return nil }
        let delta = kept.appending("delta")
        var change: TreeChange?
        do {
            let scanned = try scanOverlayUpper(delta)
            if try readFile(at: kept.appending("digest")) == digest(ofDelta: scanned).hexBytes { change = scanned }
        } catch is Failure {
            // What cannot be read is damaged.
        }
        guard let change else {
            workshop.settings.progress(
                .warning("\(title) in the store is not what it was when it was kept: it is made again"))
            try store.discard(.layers, key: key)
            return nil
        }
        let placement = try request.placement()
        return Layer(
            key: key, isFresh: true, packages: request.packages, placement: placement, delta: delta,
            tree: try request.tree(placement: placement, delta: change))
    }

    /// Builds the layer and keeps its delta; gives its lower directory too.
    private func build(_ lower: [FilePath]) throws -> (Layer, lower: FilePath) {
        var request = request
        request.lower = lower
        let directory = workshop.freePath("build")
        try makeDirectory(at: directory)
        let moment = request.moment
        let built = try LayerBuilder.build(
            request, in: directory, output: { stage.output($0) },
            progress: { step in
                switch step {
                case .configured(let done, let total, _): stage.advance(UInt64(done), of: UInt64(total), .packages)
                case .ran(let cpu): stage.add(cpu: cpu)
                case .linking, .preinst, .unpacking, .fontCache: break
                }
            }, onFailure: { openShell(in: $0, moment: moment, workshop: workshop) })
        let kept = workshop.freePath("keep")
        try makeDirectory(at: kept)
        try moveItem(at: built.upper, to: kept.appending("delta"))
        var change = try scanOverlayUpper(kept.appending("delta"))
        try writeFile(try digest(ofDelta: change).hexBytes, to: kept.appending("digest"))
        let delta = try store.keep(directoryAt: kept, on: .layers, key: key).appending("delta")
        change.moveContent(to: delta)
        let tree = try request.tree(placement: built.placement, delta: change)
        return (
            Layer(
                key: key, isFresh: false, packages: request.packages, placement: built.placement, delta: delta,
                tree: tree), built.lower
        )
    }
}

extension TreeChange {
    /// Follows the directory that was scanned to another place.
    fileprivate mutating func moveContent(to directory: FilePath) {
        for index in puts.indices {
            guard case .file(var blob, let group) = puts[index].kind, case .file(_, let path) = blob.source else {
                continue
            }
            blob.source = .file(directory: directory.string, path: path)
            puts[index].kind = .file(blob, linkGroup: group)
        }
    }
}

/// The digest of all that a delta does: the listing of what it puts, and what it takes away.
func digest(ofDelta delta: TreeChange) throws -> Digest {
    var hasher = DigestHasher()
    hasher.update(try Listing.bytes(of: try FileTree(delta.puts)))
    for (word, paths) in [("removal", delta.removals), ("opaque", delta.opaques)] {
        for path in paths {
            hasher.update(field: word)
            hasher.update(path.bytes + [0])
        }
    }
    return hasher.finalized()
}

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
