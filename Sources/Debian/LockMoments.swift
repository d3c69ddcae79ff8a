// When the parts of a lock came to be what they are.
extension Lock {
    /// One layer and what it installs.
    public struct Layer: Hashable, Sendable {
        public var name: String
        /// Sorted by name; never empty.
        public var packages: [Package]
    }

    /// The layers that install anything, from the bottom up: the base, then those that the recipe asks for in its
    /// order.
    public var layers: [Layer] {
        layerNames.map { Layer(name: $0, packages: packages(for: .layer($0))) }.filter { !$0.packages.isEmpty }
    }

    /// The names of all layers, with those that install nothing.
    public var layerNames: [String] {
        var names = [Self.baseLayer]
        for set in requests {
            if case .layer(let name) = set.purpose, !names.contains(name) { names.append(name) }
        }
        return names
    }

    /// The layer that every image has at the bottom.
    public static let baseLayer = "base"

    /// SOURCE_DATE_EPOCH of a layer: the archives' date when it last moved.
    public func moment(ofLayer name: String) -> Int64 { layerMoments[name] ?? moment }

    /// This resolution as the successor of another: what did not move keeps its moment, so that it stays fresh.
    ///
    /// A layer keeps it while its packages and those of all layers below are the same; what moved has the newer
    /// one. Where nothing moved at all, the lock is the old one, although the archives have newer dates.
    public func following(_ old: Lock) -> Lock {
        var lock = self
        let (layers, before) = (layers, old.layers)
        var kept = [(name: String, moment: Int64)]()
        if architecture == old.architecture {
            for (layer, was) in zip(layers, before) {
                guard Self.areSame(layer.packages, was.packages) else { break }
                kept.append((layer.name, old.moment(ofLayer: was.name)))
            }
        }
        let isSame =
            kept.count == layers.count && kept.count == before.count && files == old.files
            && Self.areSame(companions, old.companions)
        // An archive may be set back: what is above is never older than what is below.
        lock.moment = isSame ? old.moment : max(moment, kept.map(\.moment).max() ?? moment)
        lock.layerMoments = [:]
        for (name, moment) in kept where moment != lock.moment { lock.layerMoments[name] = moment }
        // The state of the archives in which it was found first is as good.
        var found = lock
        for index in found.archives.indices {
            guard let was = old.archives.first(where: { $0.name == found.archives[index].name }) else { continue }
            found.archives[index].inRelease = was.inRelease
            found.archives[index].date = was.date
        }
        return found == old ? old : lock
    }

    /// What is locked for another use than to be installed.
    private var companions: [Package] {
        packages.filter { package in
            if case .role = package.purpose { return true }
            return false
        }
    }

    /// Whether these are the same .debs, wherever the archive has them and whatever their layer is called.
    private static func areSame(_ packages: [Package], _ others: [Package]) -> Bool {
        packages.count == others.count
            && zip(packages, others).allSatisfy { package, other in
                package.name == other.name && package.version == other.version
                    && package.architecture == other.architecture && package.sha256 == other.sha256
            }
    }
}
