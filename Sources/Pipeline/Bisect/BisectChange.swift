internal import Debian
internal import Dpkg
internal import Recipes
internal import RootfsModel
internal import Solving

/// One thing in which two sides of a bisection differ, and which is taken from the one or the other.
struct BisectChange: Sendable {
    enum Kind: Hashable, Sendable {
        /// Of a layer.
        case package(String)
        /// The kernel, by package or file, with its arguments; what its initrd is made with.
        case kernel, initrd
        /// By source and target; a source that is laid twice has a number.
        case overlay(String)
        /// A layer's own scripts.
        case scripts(layer: String)
        /// A key of the recipe.
        case setting(String)
    }

    var kind: Kind
    /// For people: `package hello 1.0 → 1.1`.
    var text: String
    /// What a package or role is locked to on each side; nil for none.
    var old: Lock.Package?
    var new: Lock.Package?

    /// Without versions: `package hello`, `kernel`.
    var name: String {
        switch kind {
        case .package(let name): "package \(name)"
        case .kernel: "kernel"
        case .initrd: "initrd"
        case .overlay(let name): "overlay \(name)"
        case .scripts(let layer): "scripts of layer \(layer)"
        case .setting(let key): "recipe \(key)"
        }
    }
}

/// A recipe with its lock and files, to build from.
struct BisectSource: Sendable {
    /// Its path.
    var path: String
    var recipe: Recipe
    var lock: Lock
    var files: LocalFiles
}

/// Two sides and what they have otherwise.
struct BisectPair: Sendable {
    let good: BisectSource
    let bad: BisectSource
    /// Packages by name, then the rest.
    let changes: [BisectChange]
    /// Whether the layers themselves are others: then no package can move alone.
    let hasOtherLayers: Bool

    init(_ good: BisectSource, _ bad: BisectSource) throws {
        self.good = good
        self.bad = bad
        hasOtherLayers = good.lock.layerNames != bad.lock.layerNames
        var changes = Self.packageChanges(good.lock, bad.lock)
        changes += Self.roleChange(.kernel, Resolution.kernelRole, good, bad)
        changes += Self.roleChange(.initrd, Resolution.initrdRole, good, bad)
        changes += try Self.overlayChanges(good, bad)
        for layer in bad.lock.layerNames {
            let (was, now) = (good.files.scripts[layer] ?? [], bad.files.scripts[layer] ?? [])
            if was.map(\.bytes) == now.map(\.bytes), was.map(\.name) == now.map(\.name) { continue }
            changes.append(BisectChange(kind: .scripts(layer: layer), text: "scripts of layer \(layer)"))
        }
        for key in try Self.otherSettings(good.recipe, bad.recipe) {
            changes.append(BisectChange(kind: .setting(key), text: "recipe \(key)"))
        }
        self.changes = changes
    }

    private static func packageChanges(_ good: Lock, _ bad: Lock) -> [BisectChange] {
        func installed(_ lock: Lock) -> [String: Lock.Package] {
            Dictionary(lock.layers.flatMap(\.packages).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        }
        let (before, after) = (installed(good), installed(bad))
        return Set(before.keys).union(after.keys).sorted().compactMap { name in
            let (was, now) = (before[name], after[name])
            if let was, let now, was.isSame(as: now) { return nil }
            return BisectChange(
                kind: .package(name), text: "package \(name) \(versions(was, now))", old: was, new: now)
        }
    }

    private static func versions(_ was: Lock.Package?, _ now: Lock.Package?) -> String {
        guard let was else { return "\(now?.version ?? "") (new)" }
        guard let now else { return "\(was.version) (gone)" }
        if was.version != now.version { return "\(was.version) → \(now.version)" }
        return was.sha256 == now.sha256
            ? "\(now.version) (\(was.purpose) → \(now.purpose))" : "\(now.version) (rebuilt)"
    }

    private static func roleChange(
        _ kind: BisectChange.Kind, _ role: Lock.Purpose, _ good: BisectSource, _ bad: BisectSource
    ) -> [BisectChange] {
        let (was, now) = (good.lock.packages(for: role).first, bad.lock.packages(for: role).first)
        var isSame = was == nil && now == nil
        if let was, let now { isSame = was.isSame(as: now) }
        if kind == .kernel {
            let settings = [good, bad].map {
                $0.recipe.settings.filter { $0.name.split(separator: ".").first == "kernel" }
            }
            isSame = isSame && settings[0] == settings[1] && good.files.kernel == bad.files.kernel
        }
        if isSame { return [] }
        var text = "\(kind == .kernel ? "kernel" : "initrd")"
        if let was, let now { text += " \(was.label) → \(now.name == was.name ? now.version : now.label)" }
        return [BisectChange(kind: kind, text: text, old: was, new: now)]
    }

    private static func overlayChanges(_ good: BisectSource, _ bad: BisectSource) throws -> [BisectChange] {
        let (before, after) = (try good.overlays(), try bad.overlays())
        let names = after.map(\.name) + before.map(\.name).filter { name in !after.contains { $0.name == name } }
        return names.compactMap { name in
            let (was, now) = (before.first { $0.name == name }, after.first { $0.name == name })
            if let was, let now, was.digest == now.digest { return nil }
            let what = was == nil ? " (new)" : now == nil ? " (gone)" : ""
            return BisectChange(kind: .overlay(name), text: "overlay \(name)\(what)")
        }
    }

    /// The keys of the recipe whose settings differ, besides those that are changes of their own.
    private static func otherSettings(_ good: Recipe, _ bad: Recipe) throws -> [String] {
        func byKey(_ recipe: Recipe) -> [String: [Recipe.Setting]] {
            Dictionary(grouping: recipe.settings) { String($0.name.prefix { $0 != "." }) }
        }
        let (before, after) = (byKey(good), byKey(bad))
        let own = ["kernel", "overlays", "name", "recipe", "description", "check"]
        return Set(before.keys).union(after.keys).filter { !own.contains($0) && before[$0] != after[$0] }.sorted()
    }
}

extension Lock.Package {
    /// Whether it is the same .deb for the same use, wherever the archive has it.
    func isSame(as other: Lock.Package) -> Bool {
        name == other.name && version == other.version && architecture == other.architecture && sha256 == other.sha256
            && purpose == other.purpose
    }
}

extension BisectSource {
    struct Overlay: Sendable {
        var name: String
        /// Of all that the image has from it.
        var digest: Digest
        var overlay: Recipe.Overlay
        var content: FileTree
    }

    /// The overlays in the recipe's order.
    func overlays() throws -> [Overlay] {
        var counts = [String: Int]()
        return try files.overlays.map { overlay, content in
            var name = overlay.source.value
            if overlay.target.value != .root { name += " at \(overlay.target.value)" }
            counts[name, default: 0] += 1
            if let count = counts[name], count > 1 { name += " (\(count))" }
            var hasher = DigestHasher()
            hasher.update(field: "\(Digest(hashing: try Listing.bytes(of: content)))")
            hasher.update(field: "\(overlay.owner.value) \(overlay.modes.map { "\($0.pattern.value) \($0.mode)" })")
            hasher.update(field: "\(overlay.templates.map(\.value))")
            return Overlay(name: name, digest: hasher.finalized(), overlay: overlay, content: content)
        }
    }
}
