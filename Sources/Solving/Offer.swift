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
        guard let chosen else { return nil }
        return (try stanza(of: chosen), sources[Int(versions[chosen].source)].pocket)
    }
}
