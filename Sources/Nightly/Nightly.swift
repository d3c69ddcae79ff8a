// Nightly: an image that is made again every night, unattended.
//
//     lock ─update─▶ candidate ─build─▶ attempt ─gates─▶ accepted: lock and outputs are replaced together
//                        │ nothing moved                 refused:  the last good image stays, the attempt is kept aside
//                        ▼
//                    unchanged
//
// It knows what a night decides and where it keeps what it made; how images are built, checked, booted and compared it
// leaves to Pipeline and Comparing. Until the decision is written down nothing that was there before is touched; after
// it the rest can be done again from what lies beside it, so a night can be killed anywhere and simply be run again.

public import Pipeline
public import Recipes
internal import RootfsModel
public import SystemPackage

/// What nights need from outside, the same for all recipes of a call.
public struct NightSettings: Sendable {
    public var build: BuildSettings
    public var boot: BootSettings
    /// For the gate that builds twice; its options are those of every build.
    public var reproduction: ReproduceSettings
    /// What may move, instead of what the recipe says.
    public var allow: Recipe.Nightly.Moves?
    /// Where the reports go, instead of where the recipe says.
    public var report: FilePath?
    /// Whether an attempt that failed before on the very same inputs is made again.
    public var isAgain = false
    /// How often what failed is tried again in the same night, and the seconds before that.
    public var retries = 2
    public var retryAfter: Int64 = 60
    /// A folder for what must be decompressed.
    public var temporary: FilePath

    public init(build: BuildSettings, boot: BootSettings, reproduction: ReproduceSettings, temporary: FilePath) {
        self.build = build
        self.boot = boot
        self.reproduction = reproduction
        self.temporary = temporary
    }
}

/// A night of each of these recipes, one after the other, each decided alone.
///
/// `decided` is told of each decision as it falls. Throws what kept recipes from being decided at all, after the others
/// were: mistakes in a recipe, another night that is at it.
public func nightly(
    recipes: [String], settings: NightSettings, decided: (NightRecord, _ directory: FilePath) -> Void
) async throws -> [NightRecord] {
    var records = [NightRecord]()
    var failures = [Failure]()
    for path in recipes {
        do {
            let state = try RecipeState(path, settings: settings.build)
            let night = try Night(of: state, settings: settings)
            let record = try await night.run()
            records.append(record)
            decided(record, night.places.root)
        } catch let failure as Failure {
            failures.append(failure)
        } catch let several as Failures {
            failures += several.all
        }
    }
    if !failures.isEmpty { throw Failures(failures) }
    return records
}
