internal import Ext4
internal import Provisioning
internal import Recipes
internal import RootfsModel
internal import Storage
public import SystemPackage

/// What `inject` made.
public struct InjectResult: Encodable, Sendable {
    public var imagePath: String
    public var imageHash: String
    public var contentHash: String
    public var imageSize: UInt64
}

/// Lays folders over an image that exists and writes the result as a new image: the same bytes as a build whose
/// recipe has these overlays last. How the file system is made stands in the record beside the image: `IMAGE.json`
/// after an earlier injection, else the build's `image.json`.
public func inject(
    image: FilePath, overlays: [FilePath], owner: String?, target: String?, to destination: FilePath, jobs: Int,
    progress: @escaping ProgressSink
) throws -> InjectResult {
    for path in [destination, ImageRecord.path(of: destination)] where exists(path) {
        throw Failure("\(path) exists", hint: "remove it, or name another file with -o")
    }
    let directory = destination.removingLastComponent()
    guard directory.isEmpty || isDirectory(directory) else {
        throw Failure("there is no directory \(directory) to write the image to")
    }
    let reader = try Ext4Reader(image)
    if let text = reader.leftMounted?.text { progress(.warning("\(image): \(text)")) }
    var record = try recordOf(image, reader.information)
    var tree = try reader.tree(digesting: true)
    let moment = Timestamp(seconds: record.fileSystem.moment)
    let places = try overlays.map { try injectedOverlay($0, owner: owner, target: target) }
    for (overlay, place) in zip(overlays, places) {
        guard isDirectory(overlay) else { throw Failure("there is no folder \(overlay) to lay over the image") }
        var warnings = [String]()
        tree = try applyOverlay(
            try scanDirectory(overlay, digesting: true), place, to: tree, variables: Variables(), moment: moment,
            warnings: &warnings, read: { try $0.readAll() })
        for warning in warnings { progress(.warning(warning)) }
    }
    let finished = try FinishedTree(tree, moment: moment, kept: Set(record.normalization.kept))
    let staging = try TemporaryDirectory(beside: destination)
    do {
        let name = record.name
        progress(.started(recipe: name, stage: "image"))
        let written = try writeImage(
            finished, to: staging.path.appending("image"), record.fileSystem, jobs: jobs,
            progress: { progress(.advanced(recipe: name, stage: "image", done: $0, total: $1, unit: .bytes)) })
        progress(.finished(recipe: name, stage: "image", detail: byteText(written.size)))
        record.describe(finished, written)
        record.lockDigest = nil
        record.recipeDigest = nil
        record.normalization.rules += finished.reports
        try writeFile(try recordBytes(record), to: staging.path.appending("record"))
        try moveItem(at: staging.path.appending("image"), to: destination)
        try moveItem(at: staging.path.appending("record"), to: ImageRecord.path(of: destination))
    }
    return InjectResult(
        imagePath: destination.string, imageHash: record.imageHash, contentHash: record.contentHash,
        imageSize: record.imageSize)
}

/// The overlay that a recipe would name with this owner and target.
private func injectedOverlay(_ folder: FilePath, owner: String?, target: String?) throws(Failure) -> Recipe.Overlay {
    var overlay = Recipe.Overlay()
    overlay.source = Located(folder.string)
    if let owner { overlay.owner = Located(try Recipe.Owner(owner)) }
    if let target {
        guard target.hasPrefix("/"), let path = TreePath(normalizing: target) else {
            throw Failure("the target \(target) is no absolute path of the image", hint: "write for example /opt/app")
        }
        overlay.target = Located(path)
    }
    return overlay
}

/// The record that belongs to this image: its label, moment and size must be the image's own.
private func recordOf(_ image: FilePath, _ information: Ext4Information) throws -> ImageRecord {
    for path in ImageRecord.paths(beside: image) {
        guard let record = parseRecord(ImageRecord.self, from: try readFile(at: path)) else { continue }
        if record.fileSystem.label == information.label, record.fileSystem.moment == information.moment,
            record.verity?.hashOffset ?? record.imageSize == information.blocks * UInt64(information.blockSize)
        {
            return record
        }
    }
    throw Failure(
        "nothing says how \(image) was made: there is no image.json beside it that fits",
        hint: "keep the image with the image.json of its build")
}
