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

    /// Why a build with the lock that the settings name would make the outputs anew, nothing where they are fresh; and
    /// what names all that it would make them of.
    ///
    /// - Throws: where there is no lock that fits the recipe.
    public func staleness(_ settings: BuildSettings) throws -> (reasons: [Reason], inputs: Digest) {
        guard let held = try findLock(recipePath: path, recipe: recipe, settings: settings) else {
            throw Failure("there is no lock \(settings.lockPath(ofRecipe: path))")
        }
        let inputs = try buildInputs(recipe, held, files: LocalFiles(of: recipe), settings: settings)
        let reasons = try PreviousBuild(in: outputs).staleness(
            for: inputs, acceptingFindings: settings.acceptsFindings)
        return (reasons, inputs.digest)
    }
}

extension Reason {
    /// For people: `lock: sha256:… instead of sha256:…`, `outputs: none in out/demo`.
    public var text: String {
        if let state { return "\(what): \(state)" }
        return switch (old, new) {
        case (nil, _): "\(what) is new"
        case (_, nil): "\(what) is gone"
        default: "\(what) changed"
        }
    }
}
