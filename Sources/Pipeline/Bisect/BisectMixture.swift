internal import Debian
internal import Recipes
internal import RootfsModel
internal import Solving

extension BisectPair {
    /// What the image is built from in which these changes were made, by their indices, and no others.
    func mixture(of moved: Set<Int>) throws -> BisectSource {
        func isMoved(_ kind: BisectChange.Kind) -> Bool {
            changes.indices.contains { changes[$0].kind == kind && moved.contains($0) }
        }
        var mixed = bad
        mixed.lock = lock(moved)
        if !isMoved(.kernel), changes.contains(where: { $0.kind == .kernel }) {
            mixed.recipe.kernel = good.recipe.kernel
            mixed.files.kernel = good.files.kernel
        }
        let overlays = try self.overlays { isMoved(.overlay($0)) }
        mixed.recipe.overlays = overlays.map(\.overlay)
        mixed.files.overlays = overlays.map { ($0.overlay, $0.content) }
        for (index, change) in changes.enumerated() where !moved.contains(index) {
            switch change.kind {
            case .scripts(let layer): mixed.files.scripts[layer] = good.files.scripts[layer]
            case .setting(let key): mixed.recipe.take(key, from: good.recipe)
            case .package, .kernel, .initrd, .overlay: break
            }
        }
        return mixed
    }

    private func overlays(isMoved: (String) -> Bool) throws -> [BisectSource.Overlay] {
        let (before, after) = (try good.overlays(), try bad.overlays())
        let changed = Set(
            changes.compactMap { change in
                if case .overlay(let name) = change.kind { return name }
                return nil
            })
        var result = after.compactMap { overlay in
            if !changed.contains(overlay.name) || isMoved(overlay.name) { return overlay }
            return before.first { $0.name == overlay.name }
        }
        // One that went keeps its place behind its neighbour.
        for (index, overlay) in before.enumerated()
        where !after.contains(where: { $0.name == overlay.name }) && !isMoved(overlay.name) {
            let neighbour = index == 0 ? nil : before[index - 1].name
            let place = result.firstIndex { $0.name == neighbour }.map { $0 + 1 } ?? (index == 0 ? 0 : result.count)
            result.insert(overlay, at: place)
        }
        return result
    }

    /// The lock with these changes made. All have the later moment, so that images differ in the changes alone; a layer
    /// that is as one of the sides has it keeps that one's moment, and so stays in the store.
    private func lock(_ moved: Set<Int>) -> Lock {
        var packages = [Lock.Package]()
        var changed = Set<String>()
        var roles = Set<Lock.Purpose>()
        for (index, change) in changes.enumerated() {
            switch change.kind {
            case .package(let name): changed.insert(name)
            case .kernel: roles.insert(Resolution.kernelRole)
            case .initrd: roles.insert(Resolution.initrdRole)
            case .overlay, .scripts, .setting: continue
            }
            if let package = moved.contains(index) ? change.new : change.old { packages.append(package) }
        }
        packages += bad.lock.packages.filter { package in
            if case .layer = package.purpose { return !changed.contains(package.name) }
            return !roles.contains(package.purpose)
        }
        let movesLayers =
            hasOtherLayers && changes.indices.contains { changes[$0].isPackage && moved.contains($0) }
        var lock = Lock(
            recipe: bad.lock.recipe, architecture: bad.lock.architecture,
            moment: max(good.lock.moment, bad.lock.moment), solver: bad.lock.solver, archives: bad.lock.archives,
            requests: requests(moved, ofBad: !hasOtherLayers || movesLayers), packages: packages, files: bad.lock.files)
        let sides = [good.lock, bad.lock].map { ($0, $0.layers) }
        let layers = lock.layers
        for (index, layer) in layers.enumerated() {
            let origin = sides.first { _, own in
                own.count > index && zip(layers[...index], own).allSatisfy { $0.hasSamePackages(as: $1) }
            }
            if let origin { lock.layerMoments[layer.name] = origin.0.moment(ofLayer: origin.1[index].name) }
        }
        lock.layerMoments = lock.layerMoments.filter { $0.value != lock.moment }
        return lock
    }

    /// What the layers ask for: one that a change of its package brings or takes goes with that.
    private func requests(_ moved: Set<Int>, ofBad: Bool) -> [Lock.RequestSet] {
        let (from, other) = ofBad ? (bad.lock, good.lock) : (good.lock, bad.lock)
        func index(of word: String) -> Int? {
            guard let name = try? Request(parsing: word).name else { return nil }
            return changes.firstIndex { $0.kind == .package(name) }
        }
        if hasOtherLayers { return from.requests }
        return from.requests.map { set in
            let others = other.requests.first { $0.purpose == set.purpose }?.names ?? []
            let kept = set.names.filter { name in
                others.contains(name) || index(of: name).map { moved.contains($0) } ?? true
            }
            let stayed = others.filter { name in
                !set.names.contains(name) && index(of: name).map { !moved.contains($0) } ?? false
            }
            return Lock.RequestSet(set.purpose, (kept + stayed).sorted())
        }
    }
}

extension Lock.Layer {
    fileprivate func hasSamePackages(as other: Lock.Layer) -> Bool {
        packages.count == other.packages.count && zip(packages, other.packages).allSatisfy { $0.isSame(as: $1) }
    }
}

extension BisectChange {
    var isPackage: Bool {
        if case .package = kind { return true }
        return false
    }
}

extension Recipe {
    /// Takes what another recipe says under a key.
    fileprivate mutating func take(_ key: String, from other: Recipe) {
        switch key {
        case "users": users = other.users
        case "hostname": hostname = other.hostname
        case "timezone": timezone = other.timezone
        case "locale": locale = other.locale
        case "files": files = other.files
        case "remove": remove = other.remove
        case "services": services = other.services
        case "supervisor": supervisor = other.supervisor
        case "image": image = other.image
        case "machine": machine = other.machine
        case "boot": boot = other.boot
        case "variables": variables = other.variables
        case "node":
            node = other.node
            // Its path is relative to the other recipe's folder.
            if case .archive(var archive)? = node, archive.file.value.first != "/" {
                archive.file.value = other.resolve(archive.file.value)
                node = .archive(archive)
            }
        default: break
        }
    }
}
