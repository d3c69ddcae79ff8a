public import Comparing
internal import Ext4
internal import RootfsModel
public import SystemPackage

/// What one image, build, listing, directory or tarball is.
///
/// - Parameters:
///   - name: as the user named it.
///   - temporary: a folder for what must be decompressed.
///   - architecture: Debian's name of it, where nothing says it.
///   - warn: takes what has to be known besides.
/// - Throws: where it cannot be read at all; single paths that cannot be read are in the result.
public func summarizeImage(
    _ path: FilePath, name: String, temporary: FilePath, architecture: String, warn: (String) -> Void
) throws -> ImageSummary {
    var side = try OpenedSide(path, name: name, temporary: temporary)
    if side.form == .lock {
        throw Failure("\(name) is a lock, not an image", hint: "rootfs-build diff compares locks")
    }
    for sentence in side.strangeRecords { warn("\(name): \(sentence)") }
    // Nothing here needs the digests of the files.
    try side.readTree(isParanoid: true)
    return try withExtendedLifetime(side) {
        var image = try side.compared()
        // A tree that is damaged may have units that cannot be read: the rest is told all the same.
        try? image.addServices(architecture: architecture)
        return ImageSummary(
            image,
            fileSystem: side.information.map {
                ImageSummary.FileSystem(
                    label: $0.label, uuid: $0.uuidText, blockSize: $0.blockSize, blocks: $0.blocks,
                    features: $0.features)
            })
    }
}
