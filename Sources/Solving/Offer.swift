public import Debian
public import RootfsModel

extension Universe {
    /// A package of this very name and the pocket it comes from: the candidate, or one exact version. nil where the
    /// indexes have none. For packages that are used without being installed.
    public func offer(_ name: String, version: String? = nil) throws(Failure) -> (
        stanza: PackageStanza, pocket: String
    )? {
        guard let number = names.number(of: name) else { return nil }
        let chosen: Int?
        if let version {
            let wanted = DebianVersion(version)
            chosen = versionList(of: number).first { DebianVersion(versionText($0)) == wanted }
        } else {
            chosen = candidates[Int(number)] >= 0 ? Int(candidates[Int(number)]) : nil
        }
        return try chosen.map { version throws(Failure) in try offer(at: version) }
    }

    /// The package that a relation leads to by its very name: the candidate if its version holds, else the highest one
    /// that does.
    public func offer(_ relation: Debian.Relation) throws(Failure) -> (stanza: PackageStanza, pocket: String)? {
        guard let number = names.number(of: relation.name) else { return nil }
        let candidate = Int(candidates[Int(number)])
        let fitting = versionList(of: number).map { (number: $0, version: DebianVersion(versionText($0))) }
            .filter { relation.matches(name: relation.name, version: $0.version) }
        guard let highest = fitting.max(by: { $0.version < $1.version }) else { return nil }
        return try offer(at: fitting.contains { $0.number == candidate } ? candidate : highest.number)
    }

    private func offer(at version: Int) throws(Failure) -> (stanza: PackageStanza, pocket: String) {
        (try stanza(of: version), sources[Int(versions[version].source)].pocket)
    }
}
