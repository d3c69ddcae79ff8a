internal import LibArchive
internal import RootfsModel

extension DebFile {
    /// The changelog that the package has in its documentation, decompressed: the distribution's, else the only one.
    /// nil where it has none of its own. The data archive is read up to it.
    public func changelog(of package: String) throws -> [UInt8]? {
        let folder = "usr/share/doc/\(package)/"
        let names = ["changelog.Debian.gz", "changelog.Debian", "changelog.gz", "changelog"]
        var best: (rank: Int, bytes: [UInt8])?
        var data = try openData()
        while best?.rank ?? names.count > 1, let member = try data.next() {
            guard case .file = member.kind, let path = TreePath(normalizing: member.name),
                let rank = names.firstIndex(where: { path.bytes.elementsEqual((folder + $0).utf8) }),
                rank < best?.rank ?? names.count
            else { continue }
            best = (rank, try data.readContent(limit: Self.changelogLimit))
        }
        guard let best else { return nil }
        let isCompressed = names[best.rank].hasSuffix(".gz")
        return isCompressed
            ? try decompress(
                best.bytes, as: .gzip, name: "\(names[best.rank]) of \(label)", limit: Self.changelogLimit)
            : best.bytes
    }

    /// The longest of Debian has 5 MiB.
    private static let changelogLimit = 32 << 20
}
