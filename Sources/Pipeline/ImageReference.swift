internal import Ext4
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// What an image is to be, as far as it is known: its record, its listing, or both.
struct ImageReference {
    /// A record and the file that it was read from.
    var record: (path: FilePath, record: ImageRecord)?
    /// A listing's tree, its bytes' digest and the file.
    var listing: (path: FilePath, tree: FileTree, digest: Digest)?

    /// The image itself for a directory that a build wrote.
    static func image(at path: FilePath) throws(Failure) -> FilePath {
        guard isDirectory(path) else { return path }
        let file = path.appending(ImageRecord.fileName)
        guard exists(file) else {
            throw Failure(
                "\(path) holds no build: it has no \(ImageRecord.fileName)", hint: "name an image, or a build's folder")
        }
        return path.appending("\(try readRecord(file).name).ext4")
    }

    /// What lies beside the image: the record of an injection or of a build, and the listing.
    init(beside image: FilePath) throws(Failure) {
        let directory = image.removingLastComponent()
        if let path = ImageRecord.paths(beside: image).first { record = (path, try Self.readRecord(path)) }
        let listing = directory.appending("\(image.stem ?? "").listing")
        if exists(listing) { self.listing = try Self.readListing(listing) }
        if record == nil && self.listing == nil {
            throw Failure(
                "nothing says what \(image) should be: there is neither image.json nor \(image.stem ?? "").listing beside it",
                hint: "name one with --against")
        }
    }

    /// A record or a listing that the user names: told by how it begins. With a record also its listing, where that
    /// lies beside the image or the record: the one of which the record has the digest.
    init(at path: FilePath, for image: FilePath) throws(Failure) {
        if try readFile(at: path).starts(with: Array("#mtree".utf8)) {
            listing = try Self.readListing(path)
            return
        }
        let record = try Self.readRecord(path)
        self.record = (path, record)
        let names = ["\(image.stem ?? "").listing", "\(record.name).listing"]
        for directory in [image, path].map({ $0.removingLastComponent() }) {
            for file in names.map({ directory.appending($0) }) where listing == nil && exists(file) {
                guard let bytes = try? readFile(at: file), Digest(hashing: bytes).description == record.contentHash
                else { continue }
                listing = try Self.readListing(file)
            }
        }
    }

    private static func readRecord(_ path: FilePath) throws(Failure) -> ImageRecord {
        guard let record = parseRecord(ImageRecord.self, from: try readFile(at: path)) else {
            throw Failure(
                "\(path) is neither a listing nor an image.json of this version",
                hint: "a listing begins with #mtree")
        }
        return record
    }

    private static func readListing(
        _ path: FilePath
    ) throws(Failure) -> (path: FilePath, tree: FileTree, digest: Digest) {
        let bytes = try readFile(at: path)
        return (path, try Listing.parse(bytes, name: path.string), Digest(hashing: bytes))
    }

    /// Throws where the record is another image's: it says another label, another moment, or, with the same ones,
    /// another UUID, which comes from the content hash.
    func checkRecord(isOf image: FilePath, _ information: Ext4Information) throws(Failure) {
        guard let (path, record) = record, let content = Digest(hex: record.contentHash) else { return }
        let wanted = Ext4Options(
            identity: .derived(from: content), moment: record.fileSystem.moment, size: .free(bytes: 0)
        ).uuid
        if wanted == information.uuid { return }
        throw Failure(
            "\(path) is of another image than \(image)",
            notes: [
                "it says the label \(record.fileSystem.label) and the content \(record.contentHash)",
                "the image has the label \(information.label) and the UUID \(information.uuidText), which comes from another content",
            ], hint: "name the image.json of this image's build with --against")
    }
}
