internal import Debian
internal import DebianArchive
internal import Dpkg
internal import Ext4
internal import Normalization
internal import Recipes
internal import RootfsModel
internal import Sandboxing
internal import Solving
internal import Storage
internal import SystemPackage

/// The build of one recipe.
struct RecipeBuild: Sendable {
    /// What came of it.
    enum Outcome: Sendable {
        case done(BuildResult)
        /// With what was used, where that may be to blame.
        case failed(any Error, Visit?)
    }

    /// What it is made of.
    struct Sources: Sendable {
        var held: HeldLock
        var files: LocalFiles
        var inputs: [Input]
        var unpinned: [String]
        /// The last build of the same outputs, for saying what made a layer stale.
        var previous: BuildRecord?
    }

    /// A lock and files to build from, instead of those beside the recipe.
    struct Given: Sendable {
        var held: HeldLock
        var files: LocalFiles
    }

    let path: String
    let recipe: Recipe
    let given: Given?
    let settings: BuildSettings
    let directory: FilePath
    let clock: StageClock
    /// Whether it is the only one of its call.
    let isAlone: Bool

    var name: String { recipe.name.value }
    var architecture: String { recipe.archive.architecture?.value ?? settings.hostArchitecture }
    var imageName: String { "\(name).ext4" }

    /// - Parameter origin: when the build began, in nanoseconds.
    init(
        path: String, recipe: Recipe, given: Given? = nil, isAlone: Bool, settings: BuildSettings,
        threads: ThreadTimes, origin: UInt64
    ) {
        self.path = path
        self.recipe = recipe
        self.given = given
        self.isAlone = isAlone
        self.settings = settings
        self.directory = settings.directory(of: recipe)
        self.clock = StageClock(recipe: recipe.name.value, settings: settings, threads: threads, origin: origin)
    }

    func run(in workshop: Workshop) async -> Outcome {
        let visit = Visit(workshop)
        defer { visit.leaveLayers() }
        do {
            return .done(try await run(visit))
        } catch {
            settings.progress(.stopped(recipe: name))
            if let error = error as? PackageSupply.FetchError { return .failed(error.failure, nil) }
            return .failed(error, visit)
        }
    }

    private func run(_ visit: Visit) async throws -> BuildResult {
        try settings.checkArchitecture(of: recipe)
        let held =
            try given?.held
            ?? holdLock(
                recipePath: path, recipe: recipe, settings: settings, client: visit.workshop.client, clock: clock)
        let unpinned = unpinnedInputs(recipe, lock: held.path, hasLock: !held.isNew, settings: settings)
        let files = try given?.files ?? LocalFiles(of: recipe)
        let inputs = try buildInputs(recipe, held, files: files, settings: settings)
        let previous = PreviousBuild(in: directory)
        try files.checkScripts(of: recipe, lock: held.lock)
        let entries = UsedEntries(of: held, scripts: files.scripts, settings: settings)
        if try previous.staleness(for: inputs, acceptingFindings: settings.acceptsFindings).isEmpty,
            let record = previous.image
        {
            entries.noteUse()
            tellUnpinned(unpinned)
            settings.progress(.note("\(name): fresh, nothing to do"))
            return result(record, fresh: true)
        }
        if case .unavailable(let failure) = Sandbox.availability() { throw failure }
        try checkOwners(of: settings.store)
        let output = try OutputDirectory(replacing: directory, of: name)
        let use = try entries.use()
        defer { use.end() }
        visit.use(held.lock)
        let sources = Sources(
            held: held, files: files, inputs: inputs, unpinned: unpinned, previous: previous.record)
        let record = try await make(sources, in: output.staging, visit)
        try Task.checkCancellation()
        try output.commit()
        tellUnpinned(unpinned)
        return result(record, fresh: false)
    }

    /// The packages of a lock, as they arrive.
    func supply(of held: HeldLock, in workshop: Workshop) -> PackageSupply {
        PackageSupply(
            held, of: path, layers: held.lock.layers.map(\.name),
            resolution: Resolution(recipe, hostArchitecture: settings.hostArchitecture), workshop: workshop,
            clock: clock)
    }

    /// Fetches, unpacks, makes layers and kernel, each as soon as what it needs is there; then the outputs.
    private func make(_ sources: Sources, in staging: FilePath, _ visit: Visit) async throws -> ImageRecord {
        let supply = supply(of: sources.held, in: visit.workshop)
        return try await withThrowingTaskGroup(of: ImageRecord?.self) { group in
            let kernel = Promise<MadeKernel?>()
            group.addTask {
                try await supply.run()
                return nil
            }
            // Its successor takes its place in memory too.
            group.addTask {
                forgetCachedContent(of: directory.appending(imageName))
                return nil
            }
            group.addTask {
                do {
                    let entry = try await makeKernel(sources, supply, in: staging)
                    kernel.fulfil(.success(entry))
                } catch {
                    kernel.fulfil(.failure(error))
                }
                return nil
            }
            // It meets failures in this order: packages as layers need them, layers, the recipe's own things, the
            // kernel. So the first one is the same in every run, unless something cannot be fetched.
            group.addTask {
                try await makeImage(sources, supply, kernel, in: staging, visit)
            }
            var record: ImageRecord?
            for try await made in group { record = made ?? record }
            guard let record else { throw CancellationError() }
            return record
        }
    }

    /// The tree of all layers, what each came to and what normalising changed.
    struct Base {
        var tree: FileTree
        var reports: [RuleReport]
        var layers: [(key: LayerKey, because: [Reason], packages: Int)]
    }

    /// Makes the layers and puts their tree together, or takes it from the store.
    func makeBase(_ sources: Sources, _ supply: PackageSupply, _ visit: Visit) async throws -> Base {
        let lock = sources.held.lock
        let stored = StoredTree(of: sources.held, settings: settings)
        let keys = LayerKey.all(of: lock, scripts: sources.files.scripts)
        // While the store's packages are looked at, damaged ones are unpacked again: nothing reads them meanwhile.
        if try keys.allSatisfy({ try StoredLayer.digest(of: $0.digest, in: settings.store) != nil }) {
            for index in lock.packages.indices { _ = try await supply.package(index) }
        }
        if let deltas = try await digests(of: keys), let (tree, reports) = try stored.find(over: deltas) {
            visit.use(layers: keys.map(\.digest))
            let layers = keys.map { ($0, [Reason](), lock.packages(for: .layer($0.name)).count) }
            for (key, _, count) in layers { try clock.begin(key.stage).end("\(packagesText(count)), fresh") }
            try clock.begin("normalise").end("\(tree.nodes.count) paths, fresh")
            return Base(tree: tree, reports: reports, layers: layers)
        }
        let made = try await makeLayers(sources, supply, visit)
        return try clock.run("normalise") { _ in
            let (tree, reports) = try finishLayers(made, lock: lock, moment: Timestamp(seconds: lock.moment))
            try stored.keep(tree, reports, over: made.layers.map(\.deltaDigest))
            let layers = made.layers.map { ($0.key, $0.because, $0.packages.count) }
            return (Base(tree: tree, reports: reports, layers: layers), "\(tree.nodes.count) paths")
        }
    }

    /// The digests of these layers' deltas, where the store has all as they were made.
    private func digests(of keys: [LayerKey]) async throws -> [Digest]? {
        let store = settings.store
        return try await withThrowingTaskGroup(of: (Int, Digest?).self) { group in
            for (index, key) in keys.enumerated() {
                group.addTask {
                    guard case .intact(_, _, let digest) = try StoredLayer(key.digest, in: store) else {
                        return (index, nil)
                    }
                    return (index, digest)
                }
            }
            var digests = [Digest?](repeating: nil, count: keys.count)
            for try await (index, digest) in group { digests[index] = digest }
            let all = digests.compactMap { $0 }
            return all.count == keys.count ? all : nil
        }
    }

    private func makeLayers(_ sources: Sources, _ supply: PackageSupply, _ visit: Visit) async throws -> LayerStage {
        let lock = sources.held.lock
        var stage = LayerStage(
            workshop: visit.workshop, clock: clock, architecture: architecture, previous: sources.previous,
            completeness: LockCompleteness(of: lock, at: sources.held.path, recipePath: path))
        for layer in LayerKey.all(of: lock, scripts: sources.files.scripts) {
            let free = clock.now
            var members = [(payload: Payload, deb: FilePath)]()
            var last: (label: String, time: Double)?
            for (index, package) in lock.packages.enumerated() where package.purpose == .layer(layer.name) {
                let supplied = try await supply.package(index)
                members.append((supplied.payload, supplied.deb))
                if supplied.time > last?.time ?? 0 { last = (package.label, supplied.time) }
            }
            if members.isEmpty { continue }
            var wait = StageWait(for: "unpacking \(last?.label ?? "")", (last?.time ?? free) - free)
            if wait.seconds < 0, let below = stage.layers.last {
                wait = StageWait(for: below.key.stage, -wait.seconds)
            }
            try await stage.add(layer, members, waits: [wait])
            visit.use(layers: stage.layers.map(\.key.digest))
        }
        try stage.completeness.checkRequests()
        return stage
    }

    /// Makes kernel and initrd and writes them.
    func makeKernel(
        _ sources: Sources, _ supply: PackageSupply, in staging: FilePath
    ) async throws -> MadeKernel? {
        let lock = sources.held.lock
        guard let kernel = recipe.kernel else { return nil }
        let free = clock.now
        var waits = [StageWait]()
        func payload(_ purpose: Lock.Purpose) async throws -> Payload? {
            guard let index = lock.packages.firstIndex(where: { $0.purpose == purpose }) else { return nil }
            let supplied = try await supply.package(index)
            waits.append(StageWait(for: "unpacking \(lock.packages[index].label)", supplied.time - free))
            return supplied.payload
        }
        let kernelPayload = try await payload(Resolution.kernelRole)
        let busyboxPayload = try await payload(Resolution.initrdRole)
        let wait = waits.max { $0.seconds < $1.seconds }.map { [$0] } ?? []
        // A quarter of a second beside everything else: it waits for no job.
        return try clock.run("kernel", waits: wait) { _ in
            var made = try Pipeline.makeKernel(
                kernel, file: sources.files.kernel, architecture: architecture, kernelPayload: kernelPayload,
                busyboxPayload: busyboxPayload, moment: Timestamp(seconds: lock.moment))
            if !recipe.image.verity.value { made.verityObstacle = nil }
            let entry = try writeKernel(staging, made, arguments: kernel.arguments.map(\.value))
            return (try MadeKernel(made, entry, in: staging), "\(made.release), initrd: \(made.initrdBecause)")
        }
    }

    /// Makes the layers, lays the recipe's own things over them and writes the outputs.
    private func makeImage(
        _ sources: Sources, _ supply: PackageSupply,
        _ kernel: Promise<MadeKernel?>, in staging: FilePath, _ visit: Visit
    ) async throws -> ImageRecord {
        let (held, lock) = (sources.held, sources.held.lock)
        let moment = Timestamp(seconds: lock.moment)
        let base = try await makeBase(sources, supply, visit)
        async let leaving: Void = visit.leaveLayers()
        let provisioned = try provisionTree(
            base.tree, recipe: recipe, overlays: sources.files.overlays, moment: moment, store: settings.store,
            clock: clock)
        for warning in provisioned.warnings {
            settings.progress(.warning(isAlone ? warning : "\(name): \(warning)"))
        }
        let finished = try clock.run("listing") { _ in
            let finished = try FinishedTree(provisioned.tree, moment: moment, kept: settings.kept)
            return (finished, "\(finished.tree.nodes.count) paths, \(byteText(finished.tree.contentSize))")
        }
        let fileSystem = ImageRecord.FileSystemEntry(recipe.image, moment: moment)
        let imagePath = staging.appending(imageName)
        async let checked = check(finished.tree, kernel: kernel, recipe: recipe)
        let asked = clock.now
        let image = try await visit.workshop.slots.run(.image, most: settings.jobs) { jobs in
            let stage = try clock.begin("image", waits: [StageWait(for: "a free job", clock.now - asked)])
            let image = try stage.workOnManyThreads {
                try withExtendedLifetime(provisioned.nodeRelease) {
                    try Pipeline.writeImage(
                        finished, to: imagePath, fileSystem, jobs: jobs,
                        progress: { stage.advance($0, of: $1, .bytes) })
                }
            }
            stage.end("\(byteText(image.size)), \(byteText(image.freeBytes)) free")
            return image
        }
        let kernelEntry = try await kernel.value()?.entry
        let report = try await checked
        try refuse(report, about: finished.tree)
        var warnings = provisioned.warnings
        if image.hashTree != nil, let obstacle = kernelEntry?.verityObstacle {
            let warning = "image.verity: the kernel will mount the image without verifying it: \(obstacle)"
            warnings.append(warning)
            settings.progress(.warning(isAlone ? warning : "\(name): \(warning)"))
        }
        var payloads = [Payload]()
        for index in lock.packages.indices { payloads.append(try await supply.package(index).payload) }
        var record = ImageRecord(
            name: name, description: recipe.description, architecture: architecture,
            contentHash: finished.contentHash.description, imageHash: image.digest.description, imageSize: image.size,
            imageFree: image.freeBytes, paths: finished.tree.nodes.count,
            kernel: kernelEntry, fileSystem: fileSystem,
            normalization: .init(kept: settings.keptRules, rules: base.reports + finished.reports),
            verity: image.hashTree.map { .init($0, verityObstacle: kernelEntry?.verityObstacle) },
            boot: ImageRecord.BootEntry(recipe),
            lockDigest: held.digest.description,
            recipeDigest: recipe.digest.description, toolVersion: settings.toolVersion,
            layers: base.layers.map {
                .init(name: $0.key.name, key: $0.key.digest.description, packages: $0.packages)
            }, packages: try packageEntries(lock, payloads))
        try writeFile(Array(lock.text.utf8), to: staging.appending(lockName(of: name)))
        record = try writeOutputs(staging, finished, report, record)
        let buildRecord = BuildRecord(
            inputs: sources.inputs, stages: clock.timings,
            layers: base.layers.map {
                .init(
                    stage: $0.key.stage, fresh: $0.because.isEmpty, because: $0.because,
                    key: $0.key.digest.description, inputs: $0.key.inputs)
            },
            unpinned: sources.unpinned, removed: provisioned.removed,
            overlays: sources.files.overlayEntries(in: finished.tree), warnings: warnings,
            outputs: try outputSignatures(in: staging))
        try writeFile(try recordBytes(buildRecord), to: staging.appending(BuildRecord.fileName))
        await leaving
        return record
    }

    private func tellUnpinned(_ unpinned: [String]) {
        for input in unpinned { settings.progress(.note("\(name): not pinned: \(input)")) }
    }

    private func result(_ record: ImageRecord, fresh: Bool) -> BuildResult {
        BuildResult(
            recipe: path, directory: directory.string, imagePath: directory.appending(imageName).string,
            imageHash: record.imageHash, contentHash: record.contentHash, fresh: fresh, stages: clock.timings)
    }

    /// The packages' tree with what apt and the kernel look for, without what is of the build's moment.
    private func finishLayers(
        _ layers: LayerStage, lock: Lock, moment: Timestamp
    ) throws -> (tree: FileTree, reports: [RuleReport]) {
        let installed = layers.packages
        let asked = try lock.requests.flatMap { try $0.requests().map(\.name) }
        let manual = basePackageNames(installed).union(Resolution.baseAdditions).union(asked)
        let automatic = installed.filter { !manual.contains($0.name) }
        let states = ExtendedStates.bytes(
            autoInstalled: automatic.map { ($0.name, $0.architecture) }, nativeArchitecture: lock.architecture)
        let file = FileNode(
            path: "var/lib/apt/extended_states", kind: .file(Blob(states), linkGroup: 0),
            metadata: Metadata(mode: 0o644, mtime: moment))
        var tree = try layers.tree.applying(deviceNodes(moment: moment))
        if tree["var/lib/apt"] != nil { tree = try tree.applying(TreeChange(puts: [file])) }
        let layerMoments = Set(lock.layerMoments.values.map { Timestamp(seconds: $0) })
        let rules = Normalization.packageRules(layerMoments: layerMoments).filter { !settings.kept.contains($0.id) }
        return try Normalization.normalise(tree, by: rules, moment: moment, read: { try $0.readAll() })
    }

    private func packageEntries(_ lock: Lock, _ payloads: [Payload]) throws -> [ImageRecord.PackageEntry] {
        try zip(lock.packages, payloads).compactMap { package, payload in
            guard case .layer(let layer) = package.purpose else { return nil }
            return ImageRecord.PackageEntry(
                name: package.name, version: package.version, architecture: package.architecture, layer: layer,
                size: try payload.contentSize())
        }
    }
}
