internal import RootfsModel
internal import Storage
internal import SystemPackage

/// What is signed of an image: its record as the build wrote it, which names the digest of every output.
///
/// A boot adds its `proof` to the record, so that is no part of what is signed: a signature made before a boot holds
/// after it. Only a proof written exactly as a boot writes it is taken out, so nothing else can hide there.
struct SignedRecord {
    /// What signatures are made for, so that one of something else cannot be taken for one (ssh-keygen(1), -n).
    static let namespace = "image@rootfs-build"

    let path: FilePath
    /// The bytes that are signed.
    let bytes: [UInt8]
    /// What these bytes say.
    let record: ImageRecord

    /// Where the signature is.
    var signature: FilePath { Self.signature(of: path) }

    static func signature(of record: FilePath) -> FilePath {
        record.removingLastComponent().appending("\(record.lastComponent?.string ?? "").sig")
    }

    /// The record of an image, or of the directory that a build wrote.
    static func path(of image: FilePath) throws(Failure) -> FilePath {
        guard let path = ImageRecord.paths(beside: image).first else {
            throw Failure(
                "there is no image.json beside \(image), so nothing names the digests of its files",
                hint: "keep the image with the image.json of its build")
        }
        return path
    }

    init(at path: FilePath) throws(Failure) {
        self.path = path
        let whole = try readFile(at: path)
        guard let now = parseRecord(ImageRecord.self, from: whole) else {
            throw Failure("\(path) is no image.json of this version", hint: "build the image again")
        }
        var bytes = whole
        if let proof = now.proof {
            guard let range = whole.firstRange(of: try Self.text(of: proof)) else {
                throw Failure("the proof in \(path) is not as a boot writes it", hint: "boot the image again")
            }
            bytes.removeSubrange(range)
        }
        guard var record = parseRecord(ImageRecord.self, from: bytes), record.proof == nil else {
            throw Failure("\(path) is no image.json of this version", hint: "build the image again")
        }
        self.bytes = bytes
        self.record = record
        record.proof = now.proof
        guard record == now else { throw Failure("\(path) says things twice, and not the same") }
    }

    /// The lines that a boot adds.
    private static func text(of proof: ImageRecord.ProofEntry) throws(Failure) -> [UInt8] {
        struct Part: Encodable {
            var proof: ImageRecord.ProofEntry
        }
        // `{`, the member, `}`: in a record, where others follow, with a comma behind it.
        let lines = try recordBytes(Part(proof: proof)).split(separator: UInt8(ascii: "\n"))
        return Array(lines.dropFirst().dropLast().joined(separator: [UInt8(ascii: "\n")])) + Array(",\n".utf8)
    }
}
