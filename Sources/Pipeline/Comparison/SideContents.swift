internal import Checks
internal import Comparing
internal import Debian
internal import LibArchive
internal import RootfsModel
internal import Storage

extension ComparedImage {
    /// Adds what is in the tree's files: packages by dpkg's database, whose each path is, changelogs. Nothing where no
    /// content is at hand.
    mutating func addContents() throws {
        guard let tree, tree.nodes.contains(where: { $0.blob.map { $0.source != .absent } ?? false }) else {
            // A tree without a file lacks none.
            if tree?.nodes.contains(where: { $0.blob != nil }) == false { read = { try $0.readAll() } }
            return
        }
        read = { try Self.contents(of: $0) }
        let status: TreePath = "var/lib/dpkg/status"
        if let blob = tree.resolvedNode(status)?.blob, let bytes = try? Self.contents(of: blob) {
            packages = Self.packages(bytes)
        } else if tree.resolvedNode("var/lib/dpkg") == nil {
            packages = []
        }
        packageFiles = (try? tree.packageFileLists()) ?? []
        changelog = { name in try Self.changelog(of: name, in: tree) }
    }

    /// All bytes, without asking whether they are those of the digest: that says what the build wrote.
    private static func contents(of blob: Blob) throws -> [UInt8] {
        var blob = blob
        blob.digest = nil
        if blob.size > 1 << 30 { throw Failure("\(blob.size) bytes are too many to take into memory") }
        return try blob.readAll()
    }

    /// The installed packages of dpkg's status; what is no stanza is passed over.
    private static func packages(_ status: [UInt8]) -> [Package]? {
        guard let stanzas = try? Stanza.parse(status, file: "status") else { return nil }
        return stanzas.compactMap { stanza in
            guard let name = stanza["Package"], let version = stanza["Version"],
                let state = stanza["Status"]?.split(separator: " ").last,
                !["not-installed", "config-files"].contains(state)
            else { return nil }
            // `gnutls28 (3.7.9-2)` where the source has another version.
            let source = stanza["Source"]?.split(separator: " ") ?? []
            let sourceVersion = source.count > 1 ? String(source[1].dropFirst().dropLast()) : nil
            return Package(
                name: name, version: version, architecture: stanza["Architecture"] ?? "",
                source: source.first.map(String.init), sourceVersion: sourceVersion)
        }
    }

    private static func changelog(of package: String, in tree: FileTree) throws -> [UInt8]? {
        for name in ["changelog.Debian.gz", "changelog.Debian", "changelog.gz", "changelog"] {
            guard let path = TreePath(normalizing: "usr/share/doc/\(package)/\(name)"),
                let blob = tree.resolvedNode(path)?.blob, blob.size < 32 << 20
            else { continue }
            let bytes = try contents(of: blob)
            if !name.hasSuffix(".gz") { return bytes }
            return try decompress(bytes, as: .gzip, name: path.description, limit: 32 << 20)
        }
        return nil
    }

    /// Adds what starts by itself, and what each of it needs.
    mutating func addServices(architecture: String) throws {
        guard let tree, read != nil else { return }
        let subject = try CheckSubject(
            tree: tree, architecture: side.architecture ?? architecture, recipe: nil,
            kernel: CheckSubject.Kernel(arguments: kernel?.arguments ?? []), machine: CheckSubject.Machine())
        services = try subject.serviceClosures().map { closure in
            let start = closure.service.commands.first { $0.role == "ExecStart" } ?? closure.service.commands.first
            return Service(
                name: closure.service.name, command: start?.words ?? [], user: closure.service.user,
                members: closure.members.mapValues(\.rawValue), folders: closure.folders.mapValues(\.rawValue))
        }
    }
}
