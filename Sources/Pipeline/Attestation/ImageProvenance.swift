internal import Attesting
internal import Debian
internal import RootfsModel
internal import Storage
public import SystemPackage

/// How an image was made, as an in-toto statement: from its image.json and build.json, and from its lock where that is at
/// hand.
///
/// - Parameters:
///   - path: a directory that a build wrote.
///   - lock: the lock that it was built with, which knows each package's place in its archive.
///   - builder: who built, as a URI; nil: this program, wherever it ran.
/// - Throws: where the outputs are not those that image.json names (`.negative`), or the lock is another one.
public func provenance(of path: FilePath, lock lockPath: FilePath?, builder: String?) throws -> [UInt8] {
    let image = try ImageReference.image(at: path)
    let signed = try SignedRecord(at: SignedRecord.path(of: image))
    let record = signed.record
    let folder = image.removingLastComponent()
    guard let recipeDigest = record.recipeDigest, let lockDigest = record.lockDigest,
        let build = PreviousBuild(in: folder).record
    else {
        throw Failure(
            "nothing says how \(path) was made",
            hint: "name a directory that a build wrote; folders laid over its image later are in no record")
    }
    let outputs = OutputDigests(signed, image: image)
    let faults = try outputs.faults()
    guard faults.isEmpty else {
        throw Failure(
            "\(path) is not what its image.json says, so nothing is stated of it", notes: faults,
            hint: "build it again, with this version of the program", status: .negative)
    }
    func hex(_ digest: String) -> String { Digest(hex: digest)?.hex ?? digest }
    let locked = try lockPath.map { try lock(at: $0, of: record) }
    var dependencies = [Provenance.Resource(name: "\(record.name).lock", digest: hex(lockDigest))]
    dependencies += locked.map(Provenance.archives) ?? []
    dependencies += Provenance.packages(of: build, lock: locked)
    dependencies += Provenance.files(of: build)
    dependencies += (locked?.files ?? []).map { .init(name: $0.name, digest: $0.sha256.hex) }
    let byproducts = try [BuildRecord.fileName, BootRecord.fileName].filter { exists(folder.appending($0)) }.map {
        Provenance.Resource(name: $0, digest: try Blob(file: folder.appending($0)).takeDigest().hex)
    }
    let inputs = Dictionary(build.inputs.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    var versions = ["rootfs-build": record.toolVersion]
    versions["program"] = inputs["program"]
    let settings = inputs.filter { $0.key.hasPrefix("recipe ") }
    return Provenance(
        recipe: record.name, recipeDigest: recipeDigest,
        settings: Dictionary(
            settings.map { (String($0.key.dropFirst("recipe ".count)), $0.value) },
            uniquingKeysWith: { first, _ in first }),
        kept: record.normalization.kept, architecture: record.architecture, moment: record.fileSystem.moment,
        builder: builder ?? Provenance.builder, versions: versions,
        subjects: outputs.outputs.map { .init(name: $0.name, digest: hex($0.digest)) }, dependencies: dependencies,
        byproducts: byproducts
    ).statement().bytes
}

extension Provenance {
    /// The archives' states that a lock was made from.
    fileprivate static func archives(of lock: Lock) -> [Resource] {
        lock.archives.map { archive in
            Resource(
                name: "\(archive.name) InRelease", digest: archive.inRelease.hex,
                annotations: [
                    "origin": archive.origin, "suite": archive.suite, "codename": archive.codename,
                    "date": archiveDate(archive.date),
                ])
        }
    }

    /// Every .deb: of the layers, the kernel and the initrd.
    fileprivate static func packages(of build: BuildRecord, lock: Lock?) -> [Resource] {
        let origins = Dictionary(
            (lock?.archives ?? []).map { ($0.name, $0.origin) }, uniquingKeysWith: { first, _ in first })
        let places = Dictionary(
            (lock?.packages ?? []).map { ($0.sha256.description, $0) }, uniquingKeysWith: { first, _ in first })
        let all =
            build.layers.flatMap { layer in layer.inputs.map { (layer.stage, $0) } } + build.inputs.map { ("", $0) }
        return all.compactMap { stage, input in
            // `package NAME (ARCH)`, or `kernel package NAME (ARCH)`: `VERSION sha256:…`
            var words = input.name.split(separator: " ").map(String.init)
            let values = input.value.split(separator: " ").map(String.init)
            let role = words.count == 4 ? words.removeFirst() : nil
            guard words.count == 3, words[0] == "package", values.count == 2, let digest = Digest(hex: values[1]) else {
                return nil
            }
            let place = places[values[1]]
            var annotations = ["for": role ?? stage]
            annotations["pool path"] = place?.filename
            annotations["archive"] = place?.pocket
            let architecture = String(words[2].dropFirst().dropLast())
            let origin = place.flatMap { origins[$0.pocket] }
            return Resource(
                name: "\(words[1])_\(values[0])_\(architecture).deb",
                uri: origin.map {
                    packageURL(
                        name: words[1], version: values[0], architecture: architecture, namespace: $0, release: nil)
                }, digest: digest.hex, annotations: annotations)
        }
    }

    /// Overlays, scripts and the kernel's file.
    fileprivate static func files(of build: BuildRecord) -> [Resource] {
        build.inputs.compactMap { input in
            guard let digest = Digest(hex: input.value) else { return nil }
            if input.name.hasPrefix("overlay ") {
                return Resource(
                    name: input.name, digest: digest.hex, mediaType: "text/mtree",
                    annotations: ["digest of": "the folder's listing"])
            }
            let isFile = input.name == "kernel file" || input.name.hasPrefix("script ")
            return isFile ? Resource(name: input.name, digest: digest.hex) : nil
        }
    }
}
