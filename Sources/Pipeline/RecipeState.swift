internal import Debian
public import Recipes
public import RootfsModel
internal import Storage
public import SystemPackage

/// A recipe as it is now, with the places of what comes of it.
public struct RecipeState: Sendable {
    public let path: String
    public let recipe: Recipe
    public let lock: FilePath
    public let outputs: FilePath

    /// Reads the recipe and looks at all that it names on this host.
    public init(_ path: String, settings: BuildSettings) throws {
        recipe = try loadRecipes([path], settings: settings)[0].recipe
        try settings.checkArchitecture(of: recipe)
        self.path = path
        lock = settings.lockPath(ofRecipe: path)
        outputs = settings.directory(of: recipe)
    }

    /// The packages that the recipe names for its kernel: an update of them finds the kernel's next package.
    public var kernelRequests: [String] {
        if case .package(let request)? = recipe.kernel?.source { [request.value.name] } else { [] }
    }

    /// Throws where the lock beside the recipe cannot be read, or is another recipe's.
    public func checkLock(_ settings: BuildSettings) throws {
        _ = try readLock(of: recipe, at: path, settings: settings)
    }

    /// Why a build with the lock that the settings name would make the outputs anew, nothing where they are fresh; and
    /// what names all that it would make them of. Outputs that were copied since are fresh if they are still the same.
    ///
    /// - Throws: where there is no lock that fits the recipe.
    public func staleness(_ settings: BuildSettings) throws -> (reasons: [Reason], inputs: Digest) {
        guard let held = try findLock(recipePath: path, recipe: recipe, settings: settings) else {
            throw Failure("there is no lock \(settings.lockPath(ofRecipe: path))")
        }
        let inputs = try buildInputs(recipe, held, files: LocalFiles(of: recipe), settings: settings)
        let previous = PreviousBuild(in: outputs)
        func staleness(_ previous: PreviousBuild) throws -> [Reason] {
            try previous.staleness(for: inputs, acceptingFindings: settings.acceptsFindings)
        }
        var reasons = try staleness(previous)
        if !reasons.isEmpty, let record = previous.record, inputs.changes(since: record.inputs).isEmpty,
            try previous.areRestored()
        {
            try previous.signAgain()
            reasons = try staleness(PreviousBuild(in: outputs))
        }
        return (reasons, inputs.digest)
    }
}

extension Reason {
    /// For people: `lock changed`, `outputs: none in out/demo`.
    public var text: String {
        if let state { return "\(what): \(state)" }
        return switch (old, new) {
        case (nil, _): "\(what) is new"
        case (_, nil): "\(what) is gone"
        default: "\(what) changed"
        }
    }
}
