public import RootfsModel

extension Recipe {
    /// One thing that a recipe says: its key and its value as JSON on one line.
    public struct Setting: Hashable, Sendable {
        /// `hostname`; `image.free` and `services.web` for what stands in a map.
        public var name: String
        public var value: String
    }

    /// What the recipe says of the outputs, in the order of the canonical form: the same for recipes that say the same,
    /// whatever their comments, spelling and bases.
    ///
    /// `archive` and `layers` are not among them: what they bring is in the lock, which is checked against them, and
    /// where a package comes from does not change it. Nor is `nightly`, which changes no output, nor are variables where
    /// no overlay has templates: elsewhere they are put in already.
    public var settings: [Setting] {
        guard case .object(let keys)? = ValueFormat<Recipe>.recipe.write(self) else { return [] }
        var left = ["archive", "layers", "nightly"]
        if overlays.allSatisfy(\.templates.isEmpty) { left.append("variables") }
        return keys.filter { !left.contains($0.name) }.flatMap { key in
            guard case .object(let members) = key.value else {
                return [Setting(name: key.name, value: key.value.compact)]
            }
            return members.map { Setting(name: "\(key.name).\($0.name)", value: $0.value.compact) }
        }
    }

    /// The digest of the settings.
    public var digest: Digest {
        var hasher = DigestHasher()
        for setting in settings {
            hasher.update(field: setting.name)
            hasher.update(field: setting.value)
        }
        return hasher.finalized()
    }
}
