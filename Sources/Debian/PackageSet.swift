/// Packages by what they are called and what they provide: which of them satisfies a relation.
public struct PackageSet: Sendable {
    private var named: [String: [(package: Int, version: DebianVersion)]] = [:]
    private var providers: [String: [(package: Int, version: DebianVersion?)]] = [:]
    private var count = 0

    public init(_ packages: [PackageStanza] = []) {
        for package in packages { add(package) }
    }

    /// Adds one more; its number is how many there were.
    public mutating func add(_ package: PackageStanza) {
        named[package.name, default: []].append((count, package.version))
        for provided in package.provides {
            let version = provided.comparison == .equal ? provided.version : nil
            providers[provided.name, default: []].append((count, version))
        }
        count += 1
    }

    /// The number of a package that satisfies a relation: the one of that name before one that provides it.
    public func satisfier(of relation: Relation) -> Int? {
        if let found = named[relation.name]?.first(where: {
            relation.matches(name: relation.name, version: $0.version)
        }) {
            return found.package
        }
        return providers[relation.name]?.first(where: { provider in
            guard let version = provider.version else { return relation.comparison == .any }
            return relation.matches(name: relation.name, version: version)
        })?.package
    }

    /// What a package depends on and none of these satisfies.
    public func unsatisfied(of package: PackageStanza) -> [DependencyGroup] {
        (package.preDepends + package.depends).filter { group in
            !group.alternatives.contains { satisfier(of: $0) != nil }
        }
    }
}
