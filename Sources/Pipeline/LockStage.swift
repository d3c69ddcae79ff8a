internal import Debian
internal import DebianArchive
internal import Recipes
internal import RootfsModel
internal import Storage
internal import Synchronization
internal import SystemPackage

/// A recipe's lock, found or made.
struct HeldLock {
    var lock: Lock
    var path: FilePath
    /// What moved, where an existing lock was updated.
    var changes: [Lock.Change] = []
    /// Whether it was written now.
    var isNew: Bool

    var digest: Digest { Digest(hashing: lock.text) }
}

/// `recipes/browser.manifest` → `recipes/browser.lock`.
func lockPath(forRecipe path: String) -> FilePath {
    var path = FilePath(path)
    path.extension = "lock"
    return path
}

/// The recipe's lock, checked against the recipe; nil where there is none.
func findLock(recipePath: String, recipe: Recipe, settings: BuildSettings) throws -> HeldLock? {
    let path = lockPath(forRecipe: recipePath)
    let wanted = Resolution(recipe, hostArchitecture: settings.hostArchitecture).wanted
    let owner = Lock.Owner(
        recipe: recipe.name.value, architecture: wanted.architecture,
        hint: "run rootfs-build lock --update \(recipePath)")
    guard let lock = try readLock(at: path, owner: owner) else { return nil }
    if let failure = lock.missingRequests(for: wanted, recipe: recipePath) { throw failure }
    return HeldLock(lock: lock, path: path, isNew: false)
}

private func readLock(at path: FilePath, owner: Lock.Owner? = nil) throws -> Lock? {
    exists(path) ? try Lock(parsing: try readFile(at: path), file: path.string, owner: owner) : nil
}

/// Finds the recipe's lock and checks it against the recipe, or resolves one and writes it. A lock that is there
/// moves with `update` only.
func holdLock(
    recipePath: String, recipe: Recipe, update: Bool, settings: BuildSettings,
    client: borrowing Mutex<ArchiveClient>, clock: StageClock
) throws -> HeldLock {
    if !update, let held = try findLock(recipePath: recipePath, recipe: recipe, settings: settings) { return held }
    let path = lockPath(forRecipe: recipePath)
    let resolution = Resolution(recipe, hostArchitecture: settings.hostArchitecture)
    let old = try readLock(at: path)
    let asked = clock.now
    let lock = try client.withLock { client in
        try clock.run("resolve", waits: [StageWait(for: "another recipe's downloads", clock.now - asked)]) { progress in
            // Which indexes it needs shows as it goes.
            let gate = try settings.store.holdOffRemoval()
            defer { gate.open() }
            var lock = try resolution.resolve(&client, settings: settings, progress: progress)
            if let old { lock = lock.following(old) }
            return (lock, "\(lock.packages.count) packages")
        }
    }
    let text = lock.text
    if old?.text != text { try writeFile(Array(text.utf8), to: path) }
    return HeldLock(lock: lock, path: path, changes: old.map { lock.changes(since: $0) } ?? [], isNew: old == nil)
}

/// What `lock` prints.
public struct LockResult: Encodable, Sendable {
    public var recipe: String
    public var lockPath: String
    public var lockDigest: String
    public var packages: Int
    /// `upgraded chromium from … to …`, a line each.
    public var changes: [String]
}

/// Locks recipes without building them.
public func lock(recipes: [String], update: Bool, settings: BuildSettings) throws -> [LockResult] {
    let client = Mutex(try archiveClient(settings))
    return try recipes.map { path in
        let recipe = try loadRecipe(path, settings: settings)
        let clock = StageClock(recipe: recipe.name.value, settings: settings)
        let held = try holdLock(
            recipePath: path, recipe: recipe, update: update, settings: settings, client: client, clock: clock)
        return LockResult(
            recipe: path, lockPath: held.path.string, lockDigest: held.digest.description,
            packages: held.lock.packages.count, changes: held.changes.map(\.description))
    }
}

/// A client that fetches as the host's APT does: through its proxies.
func archiveClient(_ settings: BuildSettings) throws(Failure) -> ArchiveClient {
    var options = TransportOptions()
    options.proxies = ProxySettings(readingConfigurationAt: settings.aptDirectory)
    return try ArchiveClient(store: settings.store, offline: settings.offline, options: options)
}
