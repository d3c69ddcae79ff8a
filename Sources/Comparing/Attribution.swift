import RootfsModel

/// Finds each changed path's cause, among those of which something did change.
struct Attribution {
    private let old: ComparedImage
    private let new: ComparedImage
    private let owners: (old: Ownership, new: Ownership)
    private let moved: [String: PackageChange.Kind]
    private let changedSettings: Set<String>
    private let changedOverlays: [ComparedImage.Overlay]
    /// Whether the recipe says other things, and nobody knows which.
    private let hasOtherRecipe: Bool
    private let homes: [TreePath]
    private let hasOtherKernel: Bool
    private let generated = GeneratedPaths()
    private let kernelFolders: [TreePath] = ["boot", "usr/lib/modules", "lib/modules"]
    private let units: TreePath = "etc/systemd/system"
    private let enabledByPackages: TreePath = "var/lib/systemd/deb-systemd-helper-enabled"
    private let packageInfo: TreePath = "var/lib/dpkg/info"
    private let documentation: TreePath = "usr/share/doc"
    private let accountFiles: Set<TreePath> = [
        "etc/passwd", "etc/shadow", "etc/group", "etc/gshadow", "etc/subuid", "etc/subgid", "etc/passwd-",
        "etc/shadow-", "etc/group-", "etc/gshadow-", "etc/subuid-", "etc/subgid-",
    ]
    /// Folders of a package's own, besides what its list has.
    private let ownFolders: [TreePath] = ["var/lib", "var/cache", "var/log", "etc", "usr/share", "usr/lib", "run"]

    init(
        from old: ComparedImage, to new: ComparedImage, owners: (old: Ownership, new: Ownership),
        packages: [PackageChange], homes: [TreePath], hasOtherKernel: Bool
    ) {
        self.old = old
        self.new = new
        self.owners = owners
        self.homes = homes
        self.hasOtherKernel = hasOtherKernel
        moved = Dictionary(packages.map { ($0.name, $0.change) }, uniquingKeysWith: { first, _ in first })
        if let before = old.inputs, let after = new.inputs {
            let names = Set(before.settings.keys).union(after.settings.keys)
            changedSettings = names.filter { before.settings[$0] != after.settings[$0] }
            changedOverlays = Self.changes(of: before.overlays, after.overlays)
            hasOtherRecipe = false
        } else {
            changedSettings = []
            changedOverlays = []
            hasOtherRecipe = old.recipeDigest != nil && new.recipeDigest != nil && old.recipeDigest != new.recipeDigest
        }
    }

    /// The overlays that came, went, or have other content, each once, with the paths of both sides.
    private static func changes(
        of before: [ComparedImage.Overlay], _ after: [ComparedImage.Overlay]
    ) -> [ComparedImage.Overlay] {
        func key(_ overlay: ComparedImage.Overlay) -> String { "\(overlay.name) \(overlay.target)" }
        let old = Dictionary(before.map { (key($0), $0) }, uniquingKeysWith: { first, _ in first })
        let new = Dictionary(after.map { (key($0), $0) }, uniquingKeysWith: { first, _ in first })
        var seen = Set<String>()
        return (after + before).compactMap { overlay in
            let key = key(overlay)
            guard seen.insert(key).inserted, old[key]?.digest != new[key]?.digest else { return nil }
            var overlay = overlay
            let lists = [old[key], new[key]].compactMap { $0 }.map(\.paths)
            let known = lists.compactMap { $0 }
            overlay.paths = known.count == lists.count ? known.reduce(into: Set()) { $0.formUnion($1) } : nil
            return overlay
        }
    }

    /// Whether anything is known that can have changed a path.
    private var hasCause: Bool {
        !moved.isEmpty || !changedSettings.isEmpty || !changedOverlays.isEmpty || hasOtherRecipe || hasOtherKernel
    }

    private func hasOtherSetting(_ names: String...) -> Bool {
        changedSettings.contains { name in names.contains { name == $0 || name.hasPrefix($0 + ".") } }
    }

    /// The cause of one difference; `isInside` says whether something came to the directory or went from it.
    func cause(of difference: TreeDifference, hasOtherNames: Bool) -> Cause {
        let path = difference.path
        let owned = owners.old.owners(of: path) + owners.new.owners(of: path)
        // One that came or went explains more than one that has another version.
        if let package = owned.first(where: { moved[$0] != nil }) { return Cause(.package, package) }
        if case .changed(let fields) = difference.kind, fields.allSatisfy({ $0.name == "time" }) {
            return isOfTime(hasOtherNames: hasOtherNames) ? Cause(.time) : Cause(.none)
        }
        if let package = packageOfDatabase(path) { return Cause(.package, package) }
        if let cause = settingCause(difference) { return cause }
        if !moved.isEmpty {
            if let maker = generated.maker(of: path) { return Cause(.script, maker) }
            if isEnabledByPackage(path) { return Cause(.script, "deb-systemd-helper") }
            if accountFiles.contains(path) { return Cause(.script, "adduser") }
        }
        if hasOtherKernel, kernelFolders.contains(where: { path.isWithin($0) }) { return Cause(.kernel) }
        if let overlay = overlay(of: path) { return Cause(.overlay, overlay) }
        if !moved.isEmpty, owned.isEmpty, let package = packageByFolder(path) { return Cause(.package, package) }
        if hasOtherRecipe, owned.isEmpty || path.isWithin("etc") {
            return new.isInjected ? Cause(.overlay, "injected") : Cause(.recipe)
        }
        return Cause(.none)
    }

    /// A time follows the moment, which moves when anything does, and what is in a directory. Of trees that no build
    /// made, nobody can say what it follows.
    private func isOfTime(hasOtherNames: Bool) -> Bool {
        guard let before = old.side.moment, let after = new.side.moment else { return true }
        return hasOtherNames || before != after || hasCause
    }

    /// dpkg's own files of a package that moved, and its documentation.
    private func packageOfDatabase(_ path: TreePath) -> String? {
        guard let rest = path.relative(to: packageInfo) ?? path.relative(to: documentation),
            let first = rest.components.first
        else { return nil }
        var name = String(decoding: first, as: UTF8.self)
        if path.isWithin(packageInfo) {
            guard let dot = name.lastIndex(of: ".") else { return nil }
            name = String(name[..<dot])
        }
        name = String(name.prefix { $0 != ":" })
        return moved[name] == nil ? nil : name
    }

    /// What lies in a folder that has the name of a package that moved, as its scripts make it.
    private func packageByFolder(_ path: TreePath) -> String? {
        for folder in ownFolders {
            guard let first = path.relative(to: folder)?.components.first else { continue }
            let name = String(decoding: first, as: UTF8.self)
            if moved[name] != nil { return name }
        }
        return nil
    }

    /// Whether deb-systemd-helper says that a link among the units is its own.
    private func isEnabledByPackage(_ path: TreePath) -> Bool {
        guard let link = path.relative(to: units) else { return false }
        let known = enabledByPackages.appending(link)
        return old.tree?[known] != nil || new.tree?[known] != nil
    }

    /// The changed overlay that has a path, or, where nobody knows what it has, is laid over it: the one that is laid
    /// deepest; several that are as deep cannot be told apart.
    private func overlay(of path: TreePath) -> String? {
        let over = changedOverlays.filter { overlay in
            if let paths = overlay.paths { return paths.contains(shownPath(path)) }
            return path.isWithin(overlay.target) || overlay.target.isWithin(path)
        }
        guard let deepest = over.map(\.target.bytes.count).max() else { return nil }
        let own = over.filter { $0.target.bytes.count == deepest }
        return Set(own.map(\.name)).sorted().joined(separator: " or ")
    }

    /// What the recipe's settings write.
    private func settingCause(_ difference: TreeDifference) -> Cause? {
        if changedSettings.isEmpty { return nil }
        let path = difference.path
        if path.isWithin(units), hasOtherSetting("services") {
            let name = String(decoding: path.name, as: UTF8.self)
            if name.hasPrefix("app-"), name.hasSuffix(".service"),
                changedSettings.contains("services.\(name.dropFirst(4).dropLast(8))")
            {
                return Cause(.service, name)
            }
        }
        if hasOtherSetting("users") {
            if accountFiles.contains(path) || homes.contains(where: { path.isWithin($0) }) { return Cause(.account) }
        }
        let settings: [(name: String, paths: [TreePath])] = [
            ("hostname", ["etc/hostname", "etc/hosts"]), ("timezone", ["etc/localtime", "etc/timezone"]),
            ("locale", ["etc/locale.conf", "etc/default/locale", "usr/lib/locale"]),
        ]
        for (name, paths) in settings where hasOtherSetting(name) {
            if paths.contains(where: { path.isWithin($0) }) { return Cause(.recipe, name) }
        }
        if hasOtherSetting("node"), ["usr/local", "opt/node"].contains(where: { path.isWithin($0) }) {
            return Cause(.recipe, "node")
        }
        if hasOtherSetting("files"), names(path, inSetting: "files") { return Cause(.recipe, "files") }
        if hasOtherSetting("remove"), difference.kind == .added || difference.kind == .missing {
            return Cause(.recipe, "remove")
        }
        return nil
    }

    /// Whether what the recipe says under a key on either side has a path in it.
    private func names(_ path: TreePath, inSetting key: String) -> Bool {
        let text = path.description
        return [old.inputs, new.inputs].contains { inputs in
            inputs?.settings.contains { name, value in
                (name == key || name.hasPrefix(key + ".")) && (name.contains(text) || value.contains(text))
            } ?? false
        }
    }
}
