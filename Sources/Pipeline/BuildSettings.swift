internal import Normalization
internal import Recipes
internal import RootfsModel
public import Storage
public import SystemPackage

/// Everything a build needs from outside its recipe. Nothing in it can change the image but the variables, the rules that
/// are switched off and, where there is no lock yet, the mirror: the rest decides how the work is done, not what comes out.
public struct BuildSettings: Sendable {
    public var store: Store
    /// The directory in which each recipe's outputs get one of their own.
    public var outputParent: FilePath = "out"
    /// The outputs' directory itself, for one recipe.
    public var outputDirectory: FilePath?
    /// The lock itself, for one recipe; nil: the one beside it.
    public var lock: FilePath?
    public var mirror: String?
    /// `--package-dir`: where .debs may lie that neither store nor mirror has.
    public var packageDirectories: [FilePath] = []
    public var offline: Bool
    /// `--set` in the order given.
    public var variables: [(String, String)]
    /// The ids of the rules of normalising that are switched off, in any order.
    public var kept: Set<String> = []
    public var jobs: Int
    /// The present time in seconds since 1970: for Valid-Until, never for what goes into an image.
    public var now: Int64
    /// Debian's name of the architecture of this machine.
    public var hostArchitecture: String
    /// The host's APT configuration.
    public var aptDirectory: FilePath = "/etc/apt"
    public var shellOnFailure = false
    /// `--strict`: what is not pinned is an error.
    public var isStrict = false
    /// `--no-check`: what the check finds is told, and fails no build.
    public var acceptsFindings = false
    /// The program's subcommands, for a recipe's name that was meant to be one.
    public var subcommands: [String] = []
    public var toolVersion: String
    /// Tells the running program from another build of the same version: what an older one wrote is not fresh.
    public var program = ""
    public var measure: @Sendable () -> Measurement
    public var progress: ProgressSink

    public init(
        store: Store, mirror: String? = nil, offline: Bool = false, variables: [(String, String)] = [], jobs: Int,
        now: Int64, hostArchitecture: String, toolVersion: String, measure: @escaping @Sendable () -> Measurement,
        progress: @escaping ProgressSink
    ) {
        self.store = store
        self.mirror = mirror
        self.offline = offline
        self.variables = variables
        self.jobs = jobs
        self.now = now
        self.hostArchitecture = hostArchitecture
        self.toolVersion = toolVersion
        self.measure = measure
        self.progress = progress
    }

    /// The rules that are switched off, in the rules' order.
    var keptRules: [String] { Normalization.rules.map(\.id).filter(kept.contains) }

    /// Where the outputs of a recipe go.
    func directory(of recipe: Recipe) -> FilePath {
        outputDirectory ?? outputParent.appending(recipe.name.value)
    }

    /// Where the lock of a recipe is: `recipes/browser.manifest` → `recipes/browser.lock`.
    func lockPath(ofRecipe path: String) -> FilePath {
        if let lock { return lock }
        var path = FilePath(path)
        path.extension = "lock"
        return path
    }

    /// Throws where a recipe is for another architecture than the host's, whose programs the host does not run.
    func checkArchitecture(of recipe: Recipe) throws(Failure) {
        guard let asked = recipe.archive.architecture, asked.value != hostArchitecture else { return }
        try ForeignPrograms().check(asked, on: hostArchitecture)
    }
}

/// The ids that `BuildSettings.kept` may have.
public let normalizationRules = Normalization.rules.map(\.id)
