internal import Debian

extension AttestedImage {
    /// For each package, the installed ones that fulfil its Pre-Depends and Depends: the first alternative that any
    /// does, a package of that name before one that provides it. Indices into `packages`, sorted; what nothing fulfils is
    /// left out.
    func dependencies() -> [[Int]] {
        var byName = [String: [Int]]()
        var providers = [String: [(index: Int, provided: Relation)]]()
        for (index, package) in packages.enumerated() where package.isInstalled {
            byName[package.name, default: []].append(index)
            for provided in package.provides { providers[provided.name, default: []].append((index, provided)) }
        }
        func fulfilling(_ relation: Relation, for package: Package) -> Int? {
            let named = (byName[relation.name] ?? []).filter {
                relation.matches(name: packages[$0].name, version: DebianVersion(packages[$0].version))
            }
            // Of a name with several architectures, the package's own.
            let sameOrAll = named.first { [package.architecture, "all"].contains(packages[$0].architecture) }
            if let index = sameOrAll ?? named.first { return index }
            return providers[relation.name]?.first { _, provided in
                relation.comparison == .any
                    || provided.comparison == .equal && relation.matches(name: provided.name, version: provided.version)
            }?.index
        }
        return packages.enumerated().map { index, package in
            guard package.isInstalled else { return [] }
            var found = Set<Int>()
            for group in package.depends {
                if let other = group.alternatives.lazy.compactMap({ fulfilling($0, for: package) }).first,
                    other != index
                {
                    found.insert(other)
                }
            }
            return found.sorted()
        }
    }
}
