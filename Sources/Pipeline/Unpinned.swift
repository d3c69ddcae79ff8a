internal import Recipes
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// What goes into an image although neither its recipe nor its lock holds its digest or value, and what would pin it;
/// nothing where the same two texts, with the overlays beside them, give the same image again.
///
/// Overlays are not named: they are of the recipe, as its text is.
func unpinnedInputs(_ recipe: Recipe, lock: FilePath, hasLock: Bool, settings: BuildSettings) -> [String] {
    var unpinned = [String]()
    if !hasLock { unpinned.append("packages were resolved now: \(lock) pins them from now on") }
    if let kernel = recipe.kernel, case .file(let file) = kernel.source, kernel.sha256 == nil {
        unpinned.append("the kernel \(file.value): kernel.sha256 in the recipe pins it")
    }
    // The last value of a name counts.
    let names = settings.variables.map(\.0)
    for (index, name) in names.enumerated() where !names[..<index].contains(name) {
        unpinned.append("the variable \(name) of --set: a value in the recipe pins it")
    }
    return unpinned
}

/// `--strict`: throws where anything of these recipes is not pinned, before anything is made.
func refuseUnpinned(_ recipes: [(path: String, recipe: Recipe)], settings: BuildSettings) throws {
    var failures = [Failure]()
    for (path, recipe) in recipes {
        let lock = settings.lockPath(ofRecipe: path)
        let hasLock = exists(lock)
        var notes = unpinnedInputs(recipe, lock: lock, hasLock: true, settings: settings)
        if !hasLock { notes.insert("packages: there is no \(lock)", at: 0) }
        if notes.isEmpty { continue }
        failures.append(
            Failure(
                "\(recipe.name.value): --strict takes nothing that is not pinned", notes: notes,
                hint: hasLock ? nil : "rootfs-build lock \(path) writes the lock"))
    }
    if !failures.isEmpty { throw Failures(failures) }
}
