internal import Debian
internal import DebianArchive
internal import Dpkg
internal import Ext4
internal import Recipes
internal import RootfsModel
internal import Sandboxing
internal import Solving
internal import Storage
internal import SystemPackage

/// What a build came to.
public struct BuildResult: Encodable, Sendable {
    public var recipe: String
    public var directory: String
    public var imagePath: String
    public var imageHash: String
    public var contentHash: String
    /// Whether everything was there already and nothing was made.
    public var fresh: Bool
    public var stages: [StageTiming]
}

/// Builds the images of these recipes, one after the other; what they share is fetched and made once.
/// `committed` is told of each as soon as its outputs are in place.
public func build(
    recipes: [String], settings: BuildSettings, committed: (BuildResult) -> Void = { _ in }
) async throws -> [BuildResult] {
    let loaded = try loadRecipes(recipes, settings: settings)
    var results = [BuildResult]()
    for (path, recipe) in loaded {
        var build = RecipeBuild(path: path, recipe: recipe, settings: settings)
        let result = try await build.run()
        committed(result)
        results.append(result)
    }
    return results
}

/// The build of one recipe.
private struct RecipeBuild {
    let path: String
    let recipe: Recipe
    let settings: BuildSettings
    let directory: FilePath
    var clock: StageClock
    /// The layers that were made or taken so far.
    private var layerKeys = [Digest]()

    private var name: String { recipe.name.value }
    private var architecture: String { settings.hostArchitecture }
    private var imageName: String { "\(name).ext4" }

    init(path: String, recipe: Recipe, settings: BuildSettings) {
        self.path = path
        self.recipe = recipe
        self.settings = settings
        self.directory = settings.directory(of: recipe)
        self.clock = StageClock(recipe: recipe.name.value, settings: settings)
    }

    mutating func run() async throws -> BuildResult {
        try settings.checkArchitecture(of: recipe)
        var client = try archiveClient(settings)
        let held = try holdLock(
            recipePath: path, recipe: recipe, update: false, settings: settings, client: &client, clock: &clock)
        let files = try LocalFiles(of: recipe)
        let inputs = try buildInputs(recipe, held, files: files, settings: settings)
        let previous = PreviousBuild(in: directory)
        let packages = held.lock.packages.map(\.sha256)
        let layers = LayerKey.all(of: held.lock).map(\.digest)
        if try previous.staleness(for: inputs).isEmpty, let record = previous.image {
            settings.store.noteUse(files: packages, payloads: packages, layers: layers)
            settings.progress(.note("\(name): fresh, nothing to do"))
            return result(record, fresh: true)
        }
        if case .unavailable(let failure) = Sandbox.availability() { throw failure }
        let output = try OutputDirectory(replacing: directory, of: name)
        let use = try settings.store.use(files: packages, payloads: packages, layers: layers)
        defer { use.end() }

        let lock = held.lock
        let debs = try fetch(lock, &client)
        let record: ImageRecord
        do {
            record = try await make(held, files, inputs: inputs, previous, debs: debs, in: output)
        } catch let failure as Failure where failure.location == nil {
            // No place in the recipe is to blame, so what the store gave may be: then once more, without that.
            let (layers, store) = (layerKeys, settings.store)
            let damage = try clock.run("check store") { _ in
                let damage = try discardDamage(of: lock, layers: layers, in: store)
                return (damage, damage.isEmpty ? "all is what it was" : "\(damage.count) damaged")
            }
            if damage.isEmpty { throw failure }
            for warning in damage { settings.progress(.warning(warning)) }
            record = try await make(
                held, files, inputs: inputs, previous, debs: try fetch(lock, &client), in: output)
        }
        try Task.checkCancellation()
        try output.commit()
        return result(record, fresh: false)
    }

    /// Makes the outputs from the packages in the store.
    private mutating func make(
        _ held: HeldLock, _ files: LocalFiles, inputs: [Input], _ previous: PreviousBuild, debs: [FilePath],
        in output: borrowing OutputDirectory
    ) async throws -> ImageRecord {
        let lock = held.lock
        let architecture = architecture
        let store = settings.store
        let kept = lock.packages.map(\.sha256).filter { store.directory(.payloads, key: $0) != nil }
        let payloads = try await unpack(lock, debs)
        let moment = Timestamp(seconds: lock.moment)
        var layers = try LayerStage(
            settings: settings, architecture: architecture, moment: moment, previous: previous.record,
            unread: Set(kept))
        for layer in LayerKey.all(of: lock) {
            let members = zip(lock.packages, zip(payloads, debs)).filter { $0.0.purpose == .layer(layer.name) }
            try layers.add(layer, members.map { ($0.1.0, $0.1.1) }, clock: &clock)
            layerKeys = layers.made.map(\.key.digest)
        }
        func payload(_ purpose: Lock.Purpose) -> Payload? {
            zip(lock.packages, payloads).first { $0.0.purpose == purpose }?.1
        }
        let kernel = try recipe.kernel.map { kernel in
            try clock.run("kernel") { _ in
                let made = try makeKernel(
                    kernel, file: files.kernel, architecture: architecture,
                    kernelPayload: payload(Resolution.kernelRole), busyboxPayload: payload(Resolution.initrdRole),
                    moment: moment)
                return (made, "\(made.release), initrd: \(made.initrdBecause)")
            }
        }
        let base = try finishLayers(layers, lock: lock, moment: moment)
        let provisioned = try provisionTree(
            base, recipe: recipe, overlays: files.overlays, moment: moment, store: settings.store, clock: &clock)
        for warning in provisioned.warnings { settings.progress(.warning(warning)) }
        let finished = try clock.run("listing") { _ in
            let finished = try FinishedTree(provisioned.tree, moment: moment)
            return (finished, "\(finished.tree.nodes.count) paths, \(byteText(finished.tree.contentSize))")
        }
        let fileSystem = ImageRecord.FileSystemEntry(recipe.image, moment: moment)
        let imagePath = output.staging.appending(imageName)
        let image = try clock.run("image") { progress in
            let image = try writeImage(
                finished, to: imagePath, fileSystem, jobs: settings.jobs,
                progress: { progress.advance($0, of: $1, .bytes) })
            return (image, "\(byteText(image.size)), \(byteText(image.freeBytes)) free")
        }
        let record = ImageRecord(
            name: name, description: recipe.description, architecture: architecture,
            contentHash: finished.contentHash.description, imageHash: image.digest.description, imageSize: image.size,
            imageFree: image.freeBytes, paths: finished.tree.nodes.count,
            kernel: kernel.map { ImageRecord.KernelEntry($0, arguments: recipe.kernel?.arguments.map(\.value) ?? []) },
            fileSystem: fileSystem, boot: ImageRecord.BootEntry(recipe), lockDigest: held.digest.description,
            recipeDigest: recipe.digest.description, toolVersion: settings.toolVersion,
            layers: layers.made.map { .init(name: $0.key.name, key: $0.key.digest.description, packages: $0.packages) },
            packages: try packageEntries(lock, payloads))
        try writeOutputs(output.staging, finished, kernel, record)
        let outputs = try outputSignatures(in: output.staging)
        let unpinned = held.isNew ? ["packages were resolved now: \(held.path.string) pins them from now on"] : []
        for input in unpinned { settings.progress(.note("\(name): not pinned: \(input)")) }
        let buildRecord = BuildRecord(
            inputs: inputs, stages: clock.timings,
            layers: layers.made.map {
                .init(
                    stage: $0.key.stage, fresh: $0.because.isEmpty, because: $0.because,
                    key: $0.key.digest.description, inputs: $0.key.inputs)
            },
            unpinned: unpinned,
            removed: provisioned.removed, warnings: provisioned.warnings, outputs: outputs)
        try writeFile(try recordBytes(buildRecord), to: output.staging.appending(BuildRecord.fileName))
        return record
    }

    private func result(_ record: ImageRecord, fresh: Bool) -> BuildResult {
        BuildResult(
            recipe: path, directory: directory.string, imagePath: directory.appending(imageName).string,
            imageHash: record.imageHash, contentHash: record.contentHash, fresh: fresh, stages: clock.timings)
    }

    private mutating func fetch(_ lock: Lock, _ client: inout ArchiveClient) throws -> [FilePath] {
        // Only what the store lacks needs a mirror, so a complete store works without one.
        let needsMirror = lock.packages.contains { settings.store.file($0.sha256, size: $0.size) == nil }
        let resolution = Resolution(recipe, hostArchitecture: settings.hostArchitecture)
        let mirrors = needsMirror && !settings.offline ? try resolution.mirrors(settings) : nil
        let pockets = Dictionary(
            uniqueKeysWithValues: resolution.pockets.map { pocket in
                (pocket.suite, mirrors?.candidates(for: pocket.pocket).map(\.uri) ?? [])
            })
        let files = lock.packages.map { package in
            PinnedFile(
                package: "\(package.name) \(package.version) (\(package.architecture))", poolPath: package.filename,
                mirrors: pockets[package.pocket] ?? [], digest: package.sha256, size: package.size)
        }
        return try clock.run("fetch") { progress in
            var fetched: UInt64 = 0
            let paths = try client.fetch(
                files,
                progress: {
                    fetched = $0.bytes
                    progress.advance($0.bytes, of: $0.totalBytes, .bytes)
                })
            return (paths, fetched == 0 ? "\(files.count) packages in the store" : "\(byteText(fetched)) fetched")
        }
    }

    private mutating func unpack(_ lock: Lock, _ debs: [FilePath]) async throws -> [Payload] {
        let settings = settings
        let sources = zip(lock.packages, debs).map { package, deb in
            DebSource(path: deb, digest: package.sha256, label: "\(package.name) \(package.version)")
        }
        return try await clock.run("unpack") { progress in
            let payloads = try await unpackPayloads(sources, store: settings.store, jobs: settings.jobs) {
                progress.advance($0.bytesDone, of: $0.bytes, .bytes)
            }
            return (payloads, "\(payloads.count) packages")
        }
    }

    /// The packages' tree without what is of the build's moment, with what apt and the kernel look for.
    private func finishLayers(_ layers: LayerStage, lock: Lock, moment: Timestamp) throws -> FileTree {
        var tree = try layers.tree.applying(Normalization.change(for: layers.tree))
        let installed = layers.packages
        let manual = basePackageNames(installed).union(Resolution.baseAdditions).union(lock.requests.flatMap(\.names))
        let automatic = installed.filter { !manual.contains($0.name) }
        let states = ExtendedStates.bytes(
            autoInstalled: automatic.map { ($0.name, $0.architecture) }, nativeArchitecture: lock.architecture)
        let file = FileNode(
            path: "var/lib/apt/extended_states", kind: .file(Blob(states), linkGroup: 0),
            metadata: Metadata(mode: 0o644, mtime: moment))
        if tree["var/lib/apt"] != nil { tree = try tree.applying(TreeChange(puts: [file])) }
        return try tree.applying(deviceNodes(moment: moment))
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
