internal import Comparing
internal import Ext4
internal import FoundationEssentials
internal import Glibc
internal import Kernels
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// What lies beside an image and is known to be of it: its record, its listing, its build's record, its kernel.
struct OutputFacts {
    let image: FilePath
    var record: ImageRecord?
    /// The listing of which the record has the digest.
    var listing: [UInt8]?
    private(set) var build: BuildRecord?
    private let folder: FilePath

    /// Looks beside an image; `information` is its superblock's. What is another image's is left out.
    init(beside image: FilePath, _ information: Ext4Information?) throws {
        self.image = image
        folder = image.removingLastComponent()
        for path in ImageRecord.paths(beside: image) {
            guard let record = parseRecord(ImageRecord.self, from: try readFile(at: path)),
                path == ImageRecord.path(of: image) || image.stem == record.name
            else { continue }
            if let information, Self.uuid(of: record) != information.uuid { continue }
            self.record = record
            if path.lastComponent?.string == ImageRecord.fileName {
                build = (try? readFile(at: folder.appending(BuildRecord.fileName))).flatMap {
                    parseRecord(BuildRecord.self, from: $0)
                }
            }
            break
        }
    }

    /// The UUID that the image of a record has, which comes from its content.
    private static func uuid(of record: ImageRecord) -> [UInt8]? {
        Digest(hex: record.contentHash).map {
            Ext4Options(identity: .derived(from: $0), moment: record.fileSystem.moment, size: .free(bytes: 0)).uuid
        }
    }

    /// Whether nothing speaks against the image being what its build wrote: its UUID is that of the record's content,
    /// its superblock was never written again, and the file has the time and size that the build left.
    func isUntouched(_ information: Ext4Information) -> Bool {
        guard let record, information.isAsMade else { return false }
        var status = stat()
        guard stat(image.string, &status) == 0, UInt64(status.st_size) == record.imageSize else { return false }
        guard let output = build?.outputs.first(where: { $0.name == image.lastComponent?.string }) else { return true }
        return output.size == record.imageSize && output.modified == Int64(status.st_mtim.tv_sec)
            && output.modifiedNanoseconds == Int64(status.st_mtim.tv_nsec)
    }

    /// When the build wrote the image, in UTC seconds since 1970; nil where nothing says it.
    var built: Int64? { build?.outputs.first { $0.name == image.lastComponent?.string }?.modified }

    /// Reads the listing, if it is the record's.
    mutating func readListing() {
        guard let record else { return }
        for name in [image.stem ?? "", record.name] where listing == nil {
            let path = folder.appending("\(name).listing")
            guard exists(path), let bytes = try? readFile(at: path),
                Digest(hashing: bytes).description == record.contentHash
            else { continue }
            listing = bytes
        }
    }

    /// Adds to a side what the records say.
    func add(to image: inout ComparedImage) {
        guard let record else { return }
        image.side.recipe = record.name
        image.side.architecture = record.architecture
        image.side.imageHash = record.imageHash
        image.side.contentHash = record.contentHash
        image.side.moment = record.fileSystem.moment
        image.side.imageSize = record.imageSize
        image.side.imageFree = image.side.imageFree ?? record.imageFree
        image.side.kernel = record.kernel?.release
        image.side.toolVersion = record.toolVersion
        if image.packages == nil {
            image.packages = record.packages.map {
                .init(name: $0.name, version: $0.version, architecture: $0.architecture, purpose: "layer \($0.layer)")
            }
        } else {
            let layers = Dictionary(
                record.packages.map { ($0.name, $0.layer) }, uniquingKeysWith: { first, _ in first })
            image.packages = image.packages?.map { package in
                var package = package
                package.purpose = layers[package.name].map { "layer \($0)" }
                return package
            }
        }
        image.kernel = kernel(record)
        image.inputs = build.flatMap(Self.inputs)
        image.isInjected = record.recipeDigest == nil
        image.recipeDigest = record.recipeDigest ?? "injected into \(record.contentHash)"
    }

    private func kernel(_ record: ImageRecord) -> ComparedImage.Kernel? {
        guard let kernel = record.kernel else { return nil }
        let options = (try? readFile(at: folder.appending(kernelConfigurationName))).map {
            KernelConfig(parsing: $0).options
        }
        return ComparedImage.Kernel(
            release: kernel.release, package: kernel.package, options: options, arguments: record.kernelArguments,
            digest: kernel.digest, initrd: kernel.initrd)
    }

    /// The settings that can change a tree: what only says how a machine boots, or how large the file system is, cannot.
    private static func inputs(_ record: BuildRecord) -> ComparedImage.Inputs? {
        let elsewhere = ["boot", "machine", "check", "image", "kernel", "description", "name", "recipe", "overlays"]
        var settings = [String: String]()
        var digests = [String: String]()
        var places = [(source: String, target: String)]()
        for input in record.inputs {
            if input.name.hasPrefix("overlay ") {
                digests[String(input.name.dropFirst("overlay ".count))] = input.value
            }
            guard input.name.hasPrefix("recipe ") else { continue }
            let name = String(input.name.dropFirst("recipe ".count))
            if name == "overlays" { places = overlayPlaces(input.value) }
            if elsewhere.contains(where: { name == $0 || name.hasPrefix($0 + ".") }) { continue }
            settings[name] = input.value
        }
        // A source that is laid in two places has two inputs, the second with a number.
        var counts = [String: Int]()
        let overlays = places.map { place in
            counts[place.source, default: 0] += 1
            let count = counts[place.source] ?? 1
            let name = place.source + (count > 1 ? " (\(count))" : "")
            return ComparedImage.Overlay(
                name: place.source, target: TreePath(normalizing: place.target) ?? .root, digest: digests[name] ?? "",
                paths: record.overlays?.first { $0.name == name }?.paths.map(Set.init))
        }
        return ComparedImage.Inputs(settings: settings, overlays: overlays)
    }

    private static func overlayPlaces(_ json: String) -> [(source: String, target: String)] {
        struct Place: Decodable {
            var source: String
            var target: String
        }
        return (try? JSONDecoder().decode([Place].self, from: Data(json.utf8)))?.map { ($0.source, $0.target) } ?? []
    }
}
