internal import Attesting
internal import Comparing
internal import Debian
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// An image that is looked into for what it is made of: its tree, dpkg's database, the records beside it.
struct AttestedSource {
    let side: OpenedSide
    let tree: FileTree
    /// dpkg's stanzas of what is installed, by name and architecture.
    let stanzas: [Stanza]

    /// - Parameters:
    ///   - name: as the user named it.
    ///   - temporary: a folder for what must be decompressed.
    /// - Throws: where it cannot be read, is damaged, or is of a kind that has no contents.
    init(_ path: FilePath, name: String, temporary: FilePath) throws {
        var side = try OpenedSide(path, name: name, temporary: temporary)
        if side.form == .lock || side.form == .listing {
            throw Failure(
                "\(name) is a \(side.form == .lock ? "lock" : "listing"): it has no copyright files",
                hint: "name an ext4 image, a build's folder, a directory or a tarball", status: .usage)
        }
        try side.readTree(isParanoid: false)
        guard let tree = side.tree else { throw Failure("\(name) has no files") }
        if let (path, problem) = side.damaged.first {
            throw Failure("\(name) is damaged: \(path): \(problem)", hint: "rootfs-build verify looks at all of it")
        }
        self.side = side
        self.tree = tree
        stanzas = try Self.installed(in: tree, name: name)
    }

    private static func installed(in tree: FileTree, name: String) throws -> [Stanza] {
        guard let blob = tree.resolvedNode("var/lib/dpkg/status")?.blob else {
            throw Failure(
                "\(name) has no /var/lib/dpkg/status, so nobody knows its packages",
                hint: "an image whose recipe removes dpkg's database can be told only by its lock")
        }
        let status = try Stanza.parse(try contents(of: blob), file: "\(name): /var/lib/dpkg/status")
        return status.filter { stanza in
            guard stanza["Package"] != nil, stanza["Version"] != nil,
                let state = stanza["Status"]?.split(separator: " ").last
            else { return false }
            return !["not-installed", "config-files"].contains(state)
        }.sorted { ($0["Package"] ?? "", $0["Architecture"] ?? "") < ($1["Package"] ?? "", $1["Architecture"] ?? "") }
    }

    /// All bytes of a file of the tree, without comparing them with a digest: that says what the build wrote.
    static func contents(of blob: Blob) throws -> [UInt8] {
        var blob = blob
        blob.digest = nil
        if blob.size > 64 << 20 { throw Failure("\(blob.size) bytes are too many for a text of dpkg's") }
        return try blob.readAll()
    }

    /// dpkg's own architecture: that of the package dpkg, else of the first that has one; nil where all are for any.
    var architecture: String? {
        let own = stanzas.first { $0["Package"] == "dpkg" } ?? stanzas.first { $0["Architecture"] != "all" }
        return own?["Architecture"]
    }

    /// When packages were last installed, where no record says the image's moment: seconds since 1970.
    var statusMoment: Int64 { tree.resolvedNode("var/lib/dpkg/status")?.metadata.mtime.seconds ?? 0 }

    /// Reads the copyright file of every package; folders of documentation that are links lead where they do inside the
    /// image, and packages that share one read it once.
    func licences(into book: inout LicenceBook) throws -> [PackageLicence] {
        var known = [TreePath: CopyrightFile]()
        return try stanzas.map { stanza in
            let package = stanza["Package"] ?? ""
            let file = TreePath(normalizing: "usr/share/doc/\(package)/copyright").flatMap { tree.resolvedNode($0) }
            var copyright: CopyrightFile?
            if let file, let blob = file.blob {
                let read = try known[file.path] ?? CopyrightFile(parsing: Self.contents(of: blob))
                known[file.path] = read
                copyright = read
            }
            return PackageLicence(
                package: package, version: stanza["Version"] ?? "", architecture: stanza["Architecture"] ?? "",
                file: copyright == nil ? nil : file?.path.description, copyright: copyright, book: &book)
        }
    }
}
