public import Debian
public import RootfsModel

extension Universe {
    /// The package of this very name that a request means, and the pocket it comes from: the candidate, or the version
    /// that it names. nil where the indexes have none of this name. For packages that are used without being installed.
    ///
    /// Fails on a name that is excluded and on a version that is not there or not as a pin says.
    public func offer(_ request: Request) throws(Failure) -> (stanza: PackageStanza, pocket: String)? {
        guard let number = names.number(of: request.name), firstVersion[Int(number)] >= 0 else { return nil }
        if excluded.contains(number) { throw isExcluded(request.name, at: request.location) }
        if let version = try namedVersion(of: number, request) { return try offer(at: version) }
        return candidates[Int(number)] >= 0 ? try offer(at: Int(candidates[Int(number)])) : nil
    }

    /// The package that a relation leads to by its very name: the candidate if its version holds, else the highest one
    /// that does. Not one that is excluded or that a pin does not allow.
    public func offer(_ relation: Debian.Relation) throws(Failure) -> (stanza: PackageStanza, pocket: String)? {
        guard let number = names.number(of: relation.name), !excluded.contains(number) else { return nil }
        let candidate = Int(candidates[Int(number)])
        let fitting = versionList(of: number).map { (number: $0, version: DebianVersion(versionText($0))) }
            .filter { relation.matches(name: relation.name, version: $0.version) }
            .filter { version in held[number].map { $0.source == madeFrom(version.number) } ?? true }
        guard let highest = fitting.max(by: { $0.version < $1.version }) else { return nil }
        return try offer(at: fitting.contains { $0.number == candidate } ? candidate : highest.number)
    }

    private func offer(at version: Int) throws(Failure) -> (stanza: PackageStanza, pocket: String) {
        (try stanza(of: version), sources[Int(versions[version].source)].pocket)
    }
}
