internal import Debian
internal import Dpkg
internal import Recipes
internal import RootfsModel
internal import Solving
internal import Storage
internal import SystemPackage

/// What a build of a recipe would do now, and why.
public struct Explanation: Encodable, Sendable {
    public struct Stage: Encodable, Sendable {
        /// As a build calls it.
        public var stage: String
        /// Whether a build has nothing to do for it.
        public var fresh: Bool
        /// Nothing where it is fresh.
        public var because: [Reason]

        init(_ stage: String, _ because: [Reason]) {
            self.stage = stage
            self.because = because
            fresh = because.isEmpty
        }
    }

    /// The recipe's path.
    public var recipe: String
    public var name: String
    /// Where the outputs are or would be.
    public var directory: String
    /// Whether a build would find everything done.
    public var fresh: Bool
    public var stages: [Stage]
}

/// Says for every stage of these recipes' builds whether it is fresh, and why not. Builds nothing, asks nobody. What an
/// earlier recipe of the list would bring into the store counts as being there.
public func explain(recipes: [String], settings: BuildSettings) throws -> [Explanation] {
    var explainer = Explainer(settings: settings)
    return try loadRecipes(recipes, settings: settings).map { try explainer.explain($0.recipe, at: $0.path) }
}

private struct Explainer {
    let settings: BuildSettings
    /// What a recipe before would have brought: package files, payloads, layers.
    private var files = Set<Digest>()
    private var payloads = Set<Digest>()
    private var layers = Set<Digest>()

    init(settings: BuildSettings) {
        self.settings = settings
    }

    mutating func explain(_ recipe: Recipe, at path: String) throws -> Explanation {
        try Task.checkCancellation()
        try settings.checkArchitecture(of: recipe)
        let stages: [Explanation.Stage]
        if let held = try findLock(recipePath: path, recipe: recipe, settings: settings) {
            stages = try self.stages(recipe, held)
        } else {
            stages = stagesWithoutLock(recipe, lock: settings.lockPath(ofRecipe: path))
        }
        return Explanation(
            recipe: path, name: recipe.name.value, directory: settings.directory(of: recipe).string,
            fresh: stages.allSatisfy(\.fresh), stages: stages)
    }

    private func stagesWithoutLock(_ recipe: Recipe, lock: FilePath) -> [Explanation.Stage] {
        let names = ["base"] + Resolution(recipe, hostArchitecture: settings.hostArchitecture).layers.map(\.layer)
        let stages =
            ["fetch", "unpack"] + names.map { "layer \($0)" } + (recipe.kernel == nil ? [] : ["kernel"])
            + ["provision", "image"]
        return [Explanation.Stage("resolve", [Reason("lock", state: "there is no \(lock)")])]
            + stages.map { Explanation.Stage($0, [Reason("lock", state: "comes first")]) }
    }

    private mutating func stages(_ recipe: Recipe, _ held: HeldLock) throws -> [Explanation.Stage] {
        let local = try LocalFiles(of: recipe)
        let inputs = try buildInputs(recipe, held, files: local, settings: settings)
        let previous = PreviousBuild(in: settings.directory(of: recipe))
        let because = try previous.staleness(for: inputs, acceptingFindings: settings.acceptsFindings)
        let keys = LayerKey.all(of: held.lock, scripts: local.scripts)
        // Fresh outputs need nothing of the store.
        let isFresh = because.isEmpty
        var stages = isFresh ? ["fetch", "unpack"].map { Explanation.Stage($0, []) } : storeStages(held.lock)
        for key in keys {
            try Task.checkCancellation()
            let stored = isFresh || layers.contains(key.digest)
            stages.append(
                Explanation.Stage(
                    key.stage,
                    stored
                        ? []
                        : try StoredLayer(key.digest, in: settings.store).staleness(of: key, since: previous.record)))
        }
        if !isFresh { layers.formUnion(keys.map(\.digest)) }
        // These are made together: where nothing of a stage's own is another, the image is the reason.
        func part(_ stage: String, _ own: (String) -> Bool) -> Explanation.Stage {
            let reasons = because.filter { own($0.what) }
            return Explanation.Stage(
                stage, isFresh || !reasons.isEmpty ? reasons : [Reason("image", state: "is made anew")])
        }
        if recipe.kernel != nil { stages.append(part("kernel", isOfKernel)) }
        stages.append(part("provision", isOfProvisioning))
        stages.append(Explanation.Stage("image", because))
        return stages
    }

    private mutating func storeStages(_ lock: Lock) -> [Explanation.Stage] {
        var missing = (files: [Reason](), payloads: [Reason]())
        for package in lock.packages {
            let what = "\(package.name) \(package.version) (\(package.architecture))"
            let reason = Reason(what, state: "not in the store")
            if files.insert(package.sha256).inserted,
                settings.store.file(package.sha256, size: package.size) == nil
            {
                missing.files.append(reason)
            }
            if payloads.insert(package.sha256).inserted,
                Payload.sound(package.sha256, label: what, in: settings.store) == nil
            {
                let isThere = settings.store.directory(.payloads, key: package.sha256) != nil
                missing.payloads.append(
                    isThere ? Reason(what, state: "not what it was when the store kept it") : reason)
            }
        }
        return [Explanation.Stage("fetch", missing.files), Explanation.Stage("unpack", missing.payloads)]
    }
}

/// Whether an input of the outputs is one that the kernel and its initrd are made of.
private func isOfKernel(_ input: String) -> Bool {
    ["recipe kernel", "kernel ", "initrd "].contains { input.hasPrefix($0) }
}

/// Whether an input of the outputs is one that is laid over the packages.
private func isOfProvisioning(_ input: String) -> Bool {
    let others = ["boot", "check", "description", "image", "kernel", "machine", "name"]
    guard input.hasPrefix("recipe ") else { return input.hasPrefix("overlay ") }
    let key = input.dropFirst("recipe ".count).prefix { $0 != "." }
    return !others.contains(String(key))
}
