internal import Debian
internal import Recipes
internal import RootfsModel
internal import Storage

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

/// Builds the images of these recipes side by side; what they share is fetched and made once.
///
/// `committed` is told of each whose outputs are in place, in the recipes' order. One that fails stops none of the
/// others. Throws the failures of all, in the recipes' order.
public func build(
    recipes: [String], settings: BuildSettings, committed: (BuildResult) -> Void = { _ in }
) async throws -> [BuildResult] {
    let loaded = try loadRecipes(recipes, settings: settings)
    if settings.isStrict { try refuseUnpinned(loaded, settings: settings) }
    return try await build(loaded.map { ($0.path, $0.recipe, nil) }, settings: settings, committed: committed)
}

/// Likewise of recipes that were read, with what they are given instead of what lies beside them.
func build(
    _ loaded: [(path: String, recipe: Recipe, given: RecipeBuild.Given?)], settings: BuildSettings,
    committed: (BuildResult) -> Void = { _ in }
) async throws -> [BuildResult] {
    try await withTaskExecutorPreference(ThreadExecutor()) {
        var site = try BuildSite(loaded, settings: settings)
        await site.run(committed)
        // What the store gave may be to blame: then once more, without that.
        if site.mendStore() { await site.run(committed) }
        return try site.results(committed)
    }
}

/// The recipes of one call and how far each is.
private struct BuildSite {
    private let settings: BuildSettings
    private let builds: [RecipeBuild]
    /// By recipe; nil for one that is to be built.
    private var outcomes: [RecipeBuild.Outcome?]
    /// How many recipes, from the first on, `committed` was told of.
    private var told = 0

    init(
        _ loaded: [(path: String, recipe: Recipe, given: RecipeBuild.Given?)], settings: BuildSettings
    ) throws {
        self.settings = settings
        let origin = settings.measure().wall
        let threads = ThreadTimes()
        builds = loaded.map {
            RecipeBuild(
                path: $0.path, recipe: $0.recipe, given: $0.given, isAlone: loaded.count == 1, settings: settings,
                threads: threads, origin: origin)
        }
        outcomes = builds.map { _ in nil }
    }

    /// Builds all that have no outcome yet.
    mutating func run(_ committed: (BuildResult) -> Void) async {
        do {
            let workshop = try Workshop(settings, recipes: outcomes.count { $0 == nil })
            try await withThrowingTaskGroup(of: (Int, RecipeBuild.Outcome).self) { group in
                for (index, build) in builds.enumerated() where outcomes[index] == nil {
                    group.addTask { (index, await build.run(in: workshop)) }
                }
                for try await (index, outcome) in group {
                    outcomes[index] = outcome
                    tell(committed)
                }
            }
        } catch {
            for index in outcomes.indices where outcomes[index] == nil { outcomes[index] = .failed(error, nil) }
        }
    }

    /// Takes out of the store what is damaged in it and was read by a recipe that failed. Gives whether any of those
    /// is to be built again.
    mutating func mendStore() -> Bool {
        var isMended = false
        var damaged = Set<Digest>()
        for index in builds.indices {
            // Where a place in the recipe is to blame, the store is not.
            guard case .failed(let error, let visit?) = outcomes[index], let lock = visit.lock,
                let failure = error as? Failure, failure.location == nil
            else { continue }
            let damage: [StoreDamage]
            do {
                damage = try builds[index].clock.run("check store") { _ in
                    let damage = try discardDamage(of: lock, layers: visit.layers, in: settings.store)
                    return (damage, damage.isEmpty ? "all is what it was" : "\(damage.count) damaged")
                }
            } catch {
                // The recipe's own failure says more, and others have theirs to tell.
                continue
            }
            for item in damage { settings.progress(.warning(item.warning)) }
            damaged.formUnion(damage.map(\.package))
            // Another recipe may have met the same damage before.
            if lock.packages.contains(where: { damaged.contains($0.sha256) }) {
                outcomes[index] = nil
                isMended = true
            }
        }
        return isMended
    }

    /// All results, if there are.
    mutating func results(_ committed: (BuildResult) -> Void) throws -> [BuildResult] {
        var results = [BuildResult]()
        var failures = [Failure]()
        for (build, outcome) in zip(builds, outcomes) {
            switch outcome {
            case .done(let result): results.append(result)
            case .failed(let error, _):
                try Task.checkCancellation()
                guard builds.count > 1 else { throw error }
                failures += named(error, build.recipe.name.value)
            case nil: break
            }
        }
        for case .done(let result)? in outcomes[told...] { committed(result) }
        if !failures.isEmpty { throw Failures(failures) }
        return results
    }

    /// Tells of what is committed, as far as all before it are.
    private mutating func tell(_ committed: (BuildResult) -> Void) {
        while told < outcomes.count, case .done(let result)? = outcomes[told] {
            committed(result)
            told += 1
        }
    }

    /// Whose failure it is, where no place in a recipe says it.
    private func named(_ error: any Error, _ recipe: String) -> [Failure] {
        let failures: [Failure] =
            switch error {
            case let failure as Failure: [failure]
            case let failures as Failures: failures.all
            default: [Failure("\(error)")]
            }
        return failures.map { failure in
            var failure = failure
            if failure.location == nil { failure.message = "\(recipe): \(failure.message)" }
            return failure
        }
    }
}
