internal import Debian
internal import DebianArchive
internal import Recipes
internal import RootfsModel
internal import Solving
internal import Storage
internal import Synchronization
internal import SystemPackage

/// A recipe's lock, found or made.
struct HeldLock {
    var lock: Lock
    var path: FilePath
    /// What moved, where an existing lock was updated.
    var changes: [Lock.Change] = []
    /// The lock that was updated.
    var old: Lock?
    /// Whether it was written now.
    var isNew: Bool

    var digest: Digest { Digest(hashing: lock.text) }
}

/// The recipe's lock, checked against the recipe; nil where there is none.
func findLock(recipePath: String, recipe: Recipe, settings: BuildSettings) throws -> HeldLock? {
    let path = settings.lockPath(ofRecipe: recipePath)
    let wanted = Resolution(recipe, hostArchitecture: settings.hostArchitecture).wanted
    guard let lock = try readLock(of: recipe, at: recipePath, settings: settings) else { return nil }
    if let failure = lock.missingRequests(for: wanted, recipe: recipePath) { throw failure }
    let isOfPackage = lock.requests.contains { $0.purpose == Resolution.kernelRole }
    if isOfPackage, lock.packages(for: Resolution.kernelRole).isEmpty {
        throw Failure("the lock \(path) has no kernel", hint: updateHint(recipePath))
    }
    return HeldLock(lock: lock, path: path, isNew: false)
}

/// The recipe's lock; nil where there is none. Another recipe's or architecture's is refused.
func readLock(of recipe: Recipe, at recipePath: String, settings: BuildSettings) throws -> Lock? {
    let path = settings.lockPath(ofRecipe: recipePath)
    let owner = Lock.Owner(
        recipe: recipe.name.value,
        architecture: Resolution(recipe, hostArchitecture: settings.hostArchitecture).architecture,
        hint: updateHint(recipePath))
    return exists(path) ? try Lock(parsing: try readFile(at: path), file: path.string, owner: owner) : nil
}

private func updateHint(_ recipePath: String) -> String { "run rootfs-build lock --update \(recipePath)" }

/// What may move of a lock that is there.
public enum LockUpdate: Hashable, Sendable {
    case nothing, everything
    /// These packages, and what their new versions force.
    case packages([String])
}

/// Finds the recipe's lock and checks it against the recipe, or resolves one and writes it. A lock that is there
/// moves with `update` only.
func holdLock(
    recipePath: String, recipe: Recipe, update: LockUpdate = .nothing, settings: BuildSettings,
    client: borrowing Mutex<ArchiveClient>, clock: StageClock
) throws -> HeldLock {
    if update == .nothing, let held = try findLock(recipePath: recipePath, recipe: recipe, settings: settings) {
        return held
    }
    let path = settings.lockPath(ofRecipe: recipePath)
    let resolution = Resolution(recipe, hostArchitecture: settings.hostArchitecture)
    let old: Lock?
    var unusable: Failure?
    do {
        old = try readLock(of: recipe, at: recipePath, settings: settings)
    } catch let failures as Failures where update == .everything {
        old = nil
        unusable = failures.all.first
    }
    var partial: PartialUpdate?
    if case .packages(let names) = update, let old {
        partial = PartialUpdate(of: old, moving: names, wanted: resolution.wanted, store: settings.store)
    }
    let asked = clock.now
    let lock = try client.withLock { client in
        try clock.run("resolve", waits: [StageWait(for: "another recipe's downloads", clock.now - asked)]) { progress in
            // Which indexes it needs shows as it goes.
            let gate = try settings.store.holdOffRemoval()
            defer { gate.open() }
            var lock = try resolution.resolve(&client, partial: &partial, settings: settings, progress: progress)
            if let old { lock = lock.following(old) }
            return (lock, "\(lock.packages.count) packages")
        }
    }
    // One that another package forced to move did not stay after all.
    for package in partial?.kept ?? [] where lock.packages.contains(where: { $0.label == package }) {
        settings.progress(
            .note("\(recipe.name.value): \(package) stays, from the store: the archive no longer has it"))
    }
    let text = lock.text
    if old?.text != text { try writeFile(Array(text.utf8), to: path) }
    if let unusable {
        let place = unusable.location.map { "\($0.file):\($0.line)" } ?? path.string
        settings.progress(
            .note(
                "\(recipe.name.value): what moved is not known, for the old lock was of no use: \(place): \(unusable.message)"
            ))
    }
    var held = HeldLock(lock: lock, path: path, isNew: old == nil)
    if let old {
        held.changes = lock.changes(since: old).map { change in
            var change = change
            change.because = partial?.because[change.name]
            return change
        }
        held.old = old
    }
    return held
}

/// Locks recipes without building them.
/// - Parameter changelogs: whether new packages are fetched for what their changelogs say.
public func lock(recipes: [String], update: LockUpdate, changelogs: Bool = false, settings: BuildSettings) throws
    -> [LockResult]
{
    let loaded = try recipes.map { ($0, try loadRecipe($0, settings: settings)) }
    let updates = try updates(update, of: loaded, settings: settings)
    let client = Mutex(try archiveClient(settings))
    return try zip(loaded, updates).map { loaded, update in
        let (path, recipe) = loaded
        let clock = StageClock(recipe: recipe.name.value, settings: settings)
        var held = try holdLock(
            recipePath: path, recipe: recipe, update: update, settings: settings, client: client, clock: clock)
        if let old = held.old {
            try addChangelogs(
                to: &held.changes, from: old, to: held.lock, fetching: changelogs,
                resolution: Resolution(recipe, hostArchitecture: settings.hostArchitecture), settings: settings,
                client: client, clock: clock)
        }
        return LockResult(
            recipe: path, lockPath: held.path.string, lockDigest: held.digest.description,
            packages: held.lock.packages.count, changes: held.changes.map { LockResult.Change($0) })
    }
}

/// What moves of each recipe's lock: a lock that has none of the packages named stays. Throws for a package that no
/// lock has.
private func updates(
    _ update: LockUpdate, of recipes: [(path: String, recipe: Recipe)], settings: BuildSettings
) throws -> [LockUpdate] {
    guard case .packages(let names) = update else { return recipes.map { _ in update } }
    let known = try recipes.map { path, recipe in
        guard let lock = try readLock(of: recipe, at: path, settings: settings) else {
            throw Failure(
                "there is no lock \(settings.lockPath(ofRecipe: path)) whose packages could be updated",
                hint: "run rootfs-build lock \(path)")
        }
        // The kernel may be asked for by another name than its package has.
        let companions = try lock.requests.flatMap { set in
            if case .role = set.purpose { return try set.requests().map(\.name) }
            return []
        }
        return Set(lock.packages.map(\.name) + companions)
    }
    let all = known.reduce(into: Set<String>()) { $0.formUnion($1) }
    let strangers = names.filter { !all.contains($0) }
    if !strangers.isEmpty {
        let place = recipes.count == 1 ? settings.lockPath(ofRecipe: recipes[0].path).string : "none of the locks"
        throw Failures(
            strangers.map { name in
                let near = nearestName(to: name, among: all.sorted())
                return Failure(
                    recipes.count == 1 ? "\(place) has no package \(name)" : "\(place) has a package \(name)",
                    hint: near.map { "did you mean \($0)?" }
                        ?? (exists(FilePath(name)) ? "a recipe in this folder is named ./\(name)" : nil),
                    status: .usage)
            })
    }
    return known.map { known in
        let mine = names.filter(known.contains)
        return mine.isEmpty ? .nothing : .packages(mine)
    }
}

/// A client that fetches as the host's APT does: through its proxies.
func archiveClient(_ settings: BuildSettings) throws(Failure) -> ArchiveClient {
    var options = TransportOptions()
    options.proxies = ProxySettings(readingConfigurationAt: settings.aptDirectory)
    return try ArchiveClient(store: settings.store, offline: settings.offline, options: options)
}
