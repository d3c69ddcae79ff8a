public import Comparing
internal import Ext4
internal import RootfsModel
internal import Storage
public import SystemPackage

/// Lists the versions of images: of each image or build's folder that is named, and of each in a folder of them.
///
/// Records and superblocks are enough for most; of images between which packages moved, dpkg's list and the changelogs
/// are read too.
///
/// - Parameters:
///   - subjects: each with the name that the user gave it.
///   - temporary: a folder for what must be decompressed.
/// - Throws: where a folder holds nothing that could be a version. One that cannot be read is in the result.
public func listVersions(
    of subjects: [(path: FilePath, name: String)], temporary: FilePath
) throws -> VersionLog {
    var found = [(version: VersionLog.Version, image: ComparedImage)]()
    var problems = [VersionLog.Problem]()
    var places = [String: FilePath]()
    for (path, name) in try subjects.flatMap({ try versions(at: $0.path, name: $0.name) }) {
        try Task.checkCancellation()
        // A folder and what is in it may both be named.
        if places[name] != nil { continue }
        do {
            let read = try ReadVersion(path, name: name, temporary: temporary)
            places[name] = read.image
            found.append((read.version, read.compared))
        } catch let failure as Failure {
            let text = failure.message.replacing(path.string, with: name)
            problems.append(
                .init(name: name, problem: text.hasPrefix("\(name) is ") ? "it" + text.dropFirst(name.count) : text))
        } catch let failures as Failures {
            problems.append(.init(name: name, problem: failures.all.first?.message ?? "it cannot be read"))
        }
    }
    return VersionLog(found, problems: problems) { image, name in
        guard let path = places[name] else { return image }
        return (try? image.withChangelogs(of: path)) ?? image
    }
}

/// The images and builds' folders that a name stands for.
private func versions(at path: FilePath, name: String) throws -> [(path: FilePath, name: String)] {
    guard exists(path) else { throw Failure("there is no \(path)", status: .usage) }
    if !isDirectory(path) || exists(path.appending(ImageRecord.fileName)) { return [(path, name)] }
    let below = try builds(below: path, name: name)
    if below.isEmpty {
        throw Failure(
            "\(name) holds neither builds nor images", hint: "name a folder of builds, a build's folder, or images",
            status: .usage)
    }
    return below
}

/// What could be a version in a folder; of a kept night, or a folder of such, what is in it.
private func builds(below path: FilePath, name: String) throws -> [(path: FilePath, name: String)] {
    let prefix = name.hasSuffix("/") ? name : name + "/"
    // What a build has in the making begins with a dot.
    return try directoryNames(at: path).map { String(decoding: $0, as: UTF8.self) }.sorted()
        .filter { !$0.hasPrefix(".") }
        .flatMap { entry in
            let place = path.appending(entry)
            if isDirectory(place) {
                let isNight = exists(place.appending(nightRecordName))
                return isNight ? try builds(below: place, name: prefix + entry) : [(place, prefix + entry)]
            }
            return [".ext4", ".ext4.zst"].contains { entry.hasSuffix($0) } ? [(place, prefix + entry)] : []
        }
}

/// What a night writes of its decision, and by which a folder that keeps nights is known.
public let nightRecordName = "nightly.json"

/// One version, as far as records and superblock say it.
private struct ReadVersion {
    var version: VersionLog.Version
    var compared: ComparedImage
    /// The image's file, where its contents can be read in place.
    var image: FilePath?

    init(_ path: FilePath, name: String, temporary: FilePath) throws {
        version = VersionLog.Version(name: name)
        let form = try SideForm(of: path)
        switch form {
        case .directory: throw Failure("it holds no build: it has no \(ImageRecord.fileName)")
        case .lock, .tar: throw Failure("it is neither an image nor a build's folder")
        case .image, .output, .listing, .compressed: break
        }
        if form == .compressed {
            // The record is enough, and decompressing takes seconds.
            let original = path.removingLastComponent().appending(path.stem ?? "")
            let facts = try OutputFacts(beside: original, nil)
            if facts.record != nil {
                compared = ComparedImage(side: .init(name: name, kind: .image))
                facts.add(to: &compared)
                add(facts, nil)
                return
            }
        }
        var side = try OpenedSide(path, name: name, temporary: temporary)
        if side.facts?.record == nil {
            // Nothing says what it is: it has to say so itself.
            try side.readTree(isParanoid: true)
            compared = try withExtendedLifetime(side) { try side.compared() }
        } else {
            compared = ComparedImage(side: .init(name: name, kind: .image))
            side.facts?.add(to: &compared)
        }
        image = side.file
        version.notes += side.strangeRecords
        if form == .output, side.facts?.record == nil, side.strangeRecords.isEmpty {
            version.notes.append("\(ImageRecord.fileName) is of another image")
        }
        add(side.facts, side.information)
        if !side.damaged.isEmpty {
            let paths = side.damaged.count == 1 ? "1 path" : "\(side.damaged.count) paths"
            version.notes.append("damaged: \(paths) cannot be read, \(side.damaged[0].path) first")
        }
    }

    private mutating func add(_ facts: OutputFacts?, _ information: Ext4Information?) {
        let (side, record) = (compared.side, facts?.record)
        version.recipe = side.recipe
        version.moment = side.moment ?? information.map(\.moment)
        version.built = facts?.built
        version.contentHash = side.contentHash
        version.imageHash = side.imageHash
        version.imageSize = record?.imageSize ?? information.map { $0.blocks * UInt64($0.blockSize) }
        if let information {
            version.used =
                (information.blocks - min(information.blocks, information.freeBlocks))
                * UInt64(information.blockSize)
        } else if let record {
            version.used = record.imageSize - min(record.imageSize, record.imageFree)
        }
        version.kernel = record?.kernel.map { $0.package ?? $0.release }
        version.packages = compared.packages?.count
        version.proven = record?.proof?.proven
        version.verdict = record?.proof?.verdict
        if let information, record != nil, !information.isAsMade { version.notes.append("written to since its build") }
    }
}

extension ComparedImage {
    /// The same with what is in an image's file: dpkg's list, which has the sources' versions, and changelogs.
    fileprivate func withChangelogs(of image: FilePath) throws -> ComparedImage {
        var result = self
        let tree = try Ext4Reader(image).tree(digesting: false) { _, _ in }
        var own = ComparedImage(side: side, tree: tree)
        try own.addContents()
        result.packages = own.packages ?? packages
        result.changelog = own.changelog
        return result
    }
}
