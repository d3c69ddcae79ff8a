internal import Pipeline
internal import Recipes
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// A recipe's lock, moved as far as it may move without a person. The lock itself stays as it is: the moved one is
/// another file.
struct LockMove {
    /// Digests; nil where there was none.
    var old: String?
    var new: String
    var moved: [LockResult.Change] = []
    /// What the archive has and may not move.
    var waiting: [LockResult.Change] = []

    init(of state: RecipeState, to path: FilePath, allow: Recipe.Nightly.Moves, _ settings: BuildSettings) throws {
        // What somebody has spoilt is for somebody to mend.
        try state.checkLock(settings)
        var settings = settings
        settings.lock = path
        let text = exists(state.lock) ? try readFile(at: state.lock) : nil
        old = text.map { Digest(hashing: $0).description }
        func update(_ what: LockUpdate, changelogs: Bool) throws -> LockResult {
            if let text { try writeFile(text, to: path) }
            return try lock(recipes: [state.path], update: what, changelogs: changelogs, settings: settings)[0]
        }
        // Without a lock everything is new, and somebody asked for it.
        let whole = try update(.everything, changelogs: allow == .all && text != nil)
        guard let text, allow != .all else {
            (new, moved) = (whole.lockDigest, whole.changes)
            return
        }
        let names = allow == .none ? [] : Self.names(of: whole.changes.filter(\.security), state, text)
        let result = names.isEmpty ? nil : try update(.packages(names), changelogs: true)
        if result == nil { try writeFile(text, to: path) }
        new = result?.lockDigest ?? Digest(hashing: text).description
        moved = result?.changes ?? []
        waiting = whole.changes.filter { change in
            !moved.contains { $0.kind == change.kind && $0.name == change.name && $0.new == change.new }
        }
    }

    /// The names by which the lock knows what is to move: a kernel's next version is a package of another name.
    private static func names(of changes: [LockResult.Change], _ state: RecipeState, _ lock: [UInt8]) -> [String] {
        let known = changes.filter { $0.kind != "added" }.map(\.name)
        let isNewKernel = changes.contains { $0.kind == "added" && $0.name.hasPrefix("linux-image-") }
        return known + (isNewKernel ? state.kernelRequests : [])
    }
}
