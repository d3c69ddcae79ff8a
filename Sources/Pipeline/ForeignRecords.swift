internal import RootfsModel
internal import Storage
internal import SystemPackage

// Records of another version of the program: what can be told without them is told, and that they were passed over.

/// What a record of any version has.
private struct AnyRecord: Decodable {
    var name: String?
    var toolVersion: String?
}

/// Why a record is passed over; nil where this version reads it, or where there is none.
func strangeness<Record: Decodable>(of path: FilePath, as type: Record.Type) -> String? {
    guard exists(path), let bytes = try? readFile(at: path), parseRecord(type, from: bytes) == nil else { return nil }
    let writer = parseRecord(AnyRecord.self, from: bytes)?.toolVersion
    return "\(path.lastComponent?.string ?? "") is not a record of this version"
        + (writer.map { " (rootfs-build \(shownVersion($0)) wrote it)" } ?? "")
}

/// The records beside an image that this version cannot read, a sentence each.
func strangeRecords(beside image: FilePath) -> [String] {
    let build = image.removingLastComponent().appending(BuildRecord.fileName)
    return ImageRecord.paths(beside: image).compactMap { strangeness(of: $0, as: ImageRecord.self) }
        + [strangeness(of: build, as: BuildRecord.self)].compactMap { $0 }
}

/// The image in a build's folder, else its listing, whatever version wrote the records: by the name that they have, else
/// the only one that there is.
func imageOrListing(in folder: FilePath) throws -> FilePath {
    let record = folder.appending(ImageRecord.fileName)
    let name = parseRecord(AnyRecord.self, from: try readFile(at: record))?.name
    // A name is no path: it may be anybody's word.
    if let name, !name.contains("/") {
        for suffix in ["ext4", "listing"] {
            let file = folder.appending("\(name).\(suffix)")
            if exists(file) { return file }
        }
        throw Failure("\(folder) has neither \(name).ext4 nor its listing")
    }
    let names = try directoryNames(at: folder).map { String(decoding: $0, as: UTF8.self) }
    for suffix in [".ext4", ".listing"] {
        let found = names.filter { $0.hasSuffix(suffix) }
        if found.count == 1 { return folder.appending(found[0]) }
    }
    throw Failure(
        "\(record) is not a record of this version, and nothing else says which file of \(folder) is the image",
        hint: "name the image")
}

/// A version of the program, as far as it looks like one.
private func shownVersion(_ text: String) -> String {
    text.count < 40 && text.allSatisfy { $0.isASCII && !$0.isWhitespace } ? text : "of an unknown version"
}
