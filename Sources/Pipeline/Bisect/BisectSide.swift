internal import Debian
internal import Recipes
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// What the user names as good or bad: a build's folder or the image in it, which have their lock; a lock; or a recipe
/// with its lock beside it.
struct BisectSide {
    let source: BisectSource
    /// The build's own record, where the side is a build's.
    private let build: BuildRecord?

    /// - Parameters:
    ///   - recipe: what locks and builds are of; nil where none is named.
    ///   - option: `--good` or `--bad`.
    init(
        _ path: FilePath, name: String, recipe: (path: String, recipe: Recipe)?, option: String,
        settings: BuildSettings
    ) throws {
        guard exists(path) else { throw Failure("\(option): there is no \(path)", status: .usage) }
        if let folder = Self.folder(of: path) {
            let named = try Self.needed(recipe, option, name)
            build = PreviousBuild(in: folder).record
            let lock = try Self.lock(ofBuild: folder, named: name, of: named, settings: settings)
            source = BisectSource(
                path: named.path, recipe: named.recipe, lock: lock, files: try LocalFiles(of: named.recipe))
            return
        }
        build = nil
        if try Self.isLock(path) {
            let named = try Self.needed(recipe, option, name)
            let lock = try Lock(
                parsing: try readFile(at: path), file: name, owner: Self.owner(named, option, settings: settings))
            source = BisectSource(
                path: named.path, recipe: named.recipe, lock: lock, files: try LocalFiles(of: named.recipe))
            return
        }
        let own = try loadRecipes([name], settings: settings)[0]
        guard let held = try findLock(recipePath: name, recipe: own.recipe, settings: settings) else {
            throw Failure(
                "\(option): the recipe \(name) has no lock: what it was built from is not known",
                hint: "rootfs-build lock \(name) resolves it as of today")
        }
        source = BisectSource(
            path: name, recipe: own.recipe, lock: held.lock, files: try LocalFiles(of: own.recipe))
    }

    /// The folder of the build that is meant; nil where none is.
    private static func folder(of path: FilePath) -> FilePath? {
        if isDirectory(path) { return path }
        return path.extension == "ext4" ? path.removingLastComponent() : nil
    }

    private static func isLock(_ path: FilePath) throws -> Bool {
        if path.extension == "lock" { return true }
        return try Blob(file: path).size < 1 << 26 && readFile(at: path).starts(with: "Lock-Version:".utf8)
    }

    private static func needed(
        _ recipe: (path: String, recipe: Recipe)?, _ option: String, _ name: String
    ) throws(Failure) -> (path: String, recipe: Recipe) {
        if let recipe { return recipe }
        throw Failure(
            "\(option) \(name) says which packages there are, and not what to build with them",
            hint: "name the recipe: rootfs-build bisect RECIPE --good … --bad …", status: .usage)
    }

    private static func owner(
        _ recipe: (path: String, recipe: Recipe), _ option: String, settings: BuildSettings
    ) -> Lock.Owner {
        Lock.Owner(
            recipe: recipe.recipe.name.value,
            architecture: Resolution(recipe.recipe, hostArchitecture: settings.hostArchitecture).architecture,
            hint: "\(option) takes a lock of \(recipe.path)")
    }

    private static func lock(
        ofBuild folder: FilePath, named name: String, of recipe: (path: String, recipe: Recipe),
        settings: BuildSettings
    ) throws -> Lock {
        guard let record = PreviousBuild(in: folder).image else {
            throw Failure("\(name) holds no build of this version", hint: "name a lock instead")
        }
        let path = folder.appending(lockName(of: record.name))
        guard exists(path) else {
            throw Failure(
                "\(name) does not have the lock that it was built from: it was built by an older version",
                hint: "name that lock, or build it once more")
        }
        let bytes = try readFile(at: path)
        guard record.lockDigest == nil || Digest(hashing: bytes).description == record.lockDigest else {
            throw Failure("\(path) is not the lock that \(name) was built from", hint: "name that lock")
        }
        return try Lock(parsing: bytes, file: path.string, owner: owner(recipe, name, settings: settings))
    }

    /// What the recipe and its files say today otherwise than when the build was made, a line each.
    func otherInputs(_ settings: BuildSettings) throws -> [String] {
        guard let build else { return [] }
        let held = HeldLock(lock: source.lock, path: "", isNew: false)
        let inputs = try buildInputs(source.recipe, held, files: source.files, settings: settings)
        return inputs.changes(since: build.inputs).map(\.what)
            .filter {
                $0.hasPrefix("recipe ") || $0.hasPrefix("overlay ") || $0.hasPrefix("script ") || $0 == "kernel file"
            }
    }
}
