internal import Attesting
internal import Comparing
internal import Debian
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// Puts together what is known of an image.
func attestedImage(_ source: AttestedSource, _ request: BillRequest) throws -> AttestedImage {
    var tree = source.tree
    // An image that somebody wrote to is no longer what its record says, until its content shows that it is.
    let known = source.side.isUntouched ? source.side.facts?.record : nil
    if known == nil || request.tellsFiles { tree = try digestedTree(tree, jobs: request.jobs) }
    let contentHash =
        try known.flatMap { Digest(hex: $0.contentHash) } ?? Digest(hashing: try Listing.bytes(of: tree))
    let beside = source.side.facts?.record
    let record = known ?? (beside?.contentHash == contentHash.description ? beside : nil)
    let system = try OperatingSystem(of: tree)
    var image = AttestedImage(
        name: record?.name ?? FilePath(request.name).stem ?? "image", description: record?.description,
        architecture: record?.architecture ?? source.architecture ?? request.architecture,
        distribution: system.id, release: system.release, contentHash: contentHash,
        imageHash: record.flatMap { Digest(hex: $0.imageHash) },
        moment: record?.fileSystem.moment ?? source.statusMoment, toolVersion: request.toolVersion)
    image.packages = try packages(source, into: &image.licences)
    if let record {
        image.bootFiles = bootFiles(record)
        image.overlays =
            try source.side.compared().inputs?.overlays.map {
                .init(name: $0.name, target: $0.target.description, digest: $0.digest)
            } ?? []
        let build = source.side.facts?.build
        image.packages += (build?.inputs ?? []).compactMap(rolePackage)
        for index in image.packages.indices where image.packages[index].isInstalled {
            let name = image.packages[index].name
            image.packages[index].purpose = record.packages.first { $0.name == name }?.layer
        }
        try image.addDigests(build)
    }
    if let path = request.lock { try image.addOrigins(lock(at: path, of: record)) }
    if request.tellsFiles { image.files = try files(of: tree, image.packages, request) }
    return image
}

/// The lock that an image was built with.
func lock(at path: FilePath, of record: ImageRecord?) throws -> Lock {
    let lock = try Lock(parsing: try readFile(at: path), file: path.string)
    let digest = Digest(hashing: lock.text).description
    guard let wanted = record?.lockDigest else {
        throw Failure("nothing says which lock the image was built with, so \(path) says nothing of it")
    }
    guard digest == wanted else {
        throw Failure(
            "\(path) is not the lock that the image was built with",
            notes: ["it is \(digest)", "image.json says \(wanted)"],
            hint: "take the lock from the commit that the image was built of")
    }
    return lock
}

private func packages(_ source: AttestedSource, into book: inout LicenceBook) throws -> [AttestedImage.Package] {
    zip(source.stanzas, try source.licences(into: &book)).map { stanza, licence in
        let name = stanza["Package"] ?? ""
        let version = stanza["Version"] ?? ""
        // `gnutls28 (3.7.9-2)` where the source has another version.
        let words = stanza["Source"]?.split(separator: " ") ?? []
        // What cannot be parsed says nothing of what is needed.
        func groups(_ field: String) -> [DependencyGroup] {
            stanza[field].flatMap { try? DependencyGroup.parse($0, context: "\(field) of \(name)") } ?? []
        }
        return AttestedImage.Package(
            name: name, version: version, architecture: stanza["Architecture"] ?? "",
            source: (
                words.first.map(String.init) ?? name,
                words.count > 1 ? String(words[1].dropFirst().dropLast()) : version
            ),
            maintainer: stanza["Maintainer"], homepage: stanza["Homepage"],
            summary: stanza["Description"]?.split(separator: "\n").first.map(String.init),
            depends: groups("Pre-Depends") + groups("Depends"),
            provides: groups("Provides").flatMap(\.alternatives), licence: licence)
    }
}

/// A package that kernel or initrd was made from: `kernel package linux-image-amd64 (amd64)`, `6.1.1 sha256:…`.
private func rolePackage(_ input: Input) -> AttestedImage.Package? {
    let words = input.name.split(separator: " ").map(String.init)
    let values = input.value.split(separator: " ").map(String.init)
    guard words.count == 4, words[1] == "package", ["kernel", "initrd"].contains(words[0]), values.count == 2 else {
        return nil
    }
    return AttestedImage.Package(
        name: words[2], version: values[0], architecture: String(words[3].dropFirst().dropLast()), purpose: words[0],
        digest: Digest(hex: values[1]), isInstalled: false)
}

private func bootFiles(_ record: ImageRecord) -> [AttestedImage.BootFile] {
    guard let kernel = record.kernel, let digest = Digest(hex: kernel.digest) else { return [] }
    let initrd = kernel.initrd.flatMap { Digest(hex: $0) }
    return [.init(name: kernel.file, version: kernel.release, digest: digest, roles: ["kernel"])]
        + (initrd.map { [.init(name: "initrd", version: nil, digest: $0, roles: ["kernel", "initrd"])] } ?? [])
}

extension AttestedImage {
    /// Adds the digests of the packages' .debs, which the build's record has: they are inputs of its layers.
    fileprivate mutating func addDigests(_ build: BuildRecord?) throws {
        guard let build else { return }
        var digests = [String: Digest]()
        for input in build.layers.flatMap(\.inputs) where input.name.hasPrefix("package ") {
            let values = input.value.split(separator: " ")
            guard values.count == 2, let digest = Digest(hex: values[1]) else { continue }
            digests["\(input.name.dropFirst("package ".count)) \(values[0])"] = digest
        }
        for index in packages.indices where packages[index].isInstalled {
            let package = packages[index]
            packages[index].digest = digests["\(package.name) (\(package.architecture)) \(package.version)"]
        }
    }

    /// Adds what only the lock has: where in which archive each package was.
    fileprivate mutating func addOrigins(_ lock: Lock) {
        let origins = Dictionary(lock.archives.map { ($0.name, $0.origin) }, uniquingKeysWith: { first, _ in first })
        for index in packages.indices {
            let package = packages[index]
            guard
                let locked = lock.packages.first(where: {
                    $0.name == package.name && $0.version == package.version && $0.architecture == package.architecture
                })
            else { continue }
            packages[index].digest = locked.sha256
            packages[index].size = locked.size
            packages[index].poolPath = locked.filename
            packages[index].origin = origins[locked.pocket]
        }
    }
}

/// os-release(5).
struct OperatingSystem {
    var id = "debian"
    /// The codename, else id and version; nil where neither is said.
    var release: String?

    init(of tree: FileTree) throws {
        guard let blob = tree.resolvedNode("etc/os-release")?.blob ?? tree.resolvedNode("usr/lib/os-release")?.blob
        else { return }
        var values = [Substring: String]()
        for line in String(decoding: try AttestedSource.contents(of: blob), as: UTF8.self).split(separator: "\n") {
            guard let equals = line.firstIndex(of: "=") else { continue }
            values[line[..<equals]] = line[line.index(after: equals)...].filter { !"\"'".contains($0) }
        }
        if let id = values["ID"], !id.isEmpty { self.id = id }
        release = values["VERSION_CODENAME"] ?? values["VERSION_ID"].map { "\(id)-\($0)" }
    }
}
