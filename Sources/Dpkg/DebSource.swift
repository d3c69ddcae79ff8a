internal import CLinux
internal import Glibc
public import RootfsModel
public import Storage
public import SystemPackage

/// A .deb to be unpacked.
public struct DebSource: Hashable, Sendable {
    public var path: FilePath
    /// Its SHA-256.
    public var digest: Digest
    /// The package as messages name it: `bash 5.2.15-2+b13`.
    public var label: String
    /// Whether its digest was taken from the bytes that were written just now. A file that lay in the store from
    /// earlier is read again.
    public var isVerified: Bool

    public init(path: FilePath, digest: Digest, label: String, isVerified: Bool = false) {
        self.path = path
        self.digest = digest
        self.label = label
        self.isVerified = isVerified
    }

    /// Throws where the file is not the package that was fetched.
    func verify() throws(Failure) {
        let actual = try Blob(file: path).takeDigest()
        guard actual == digest else {
            throw Failure(
                "cannot unpack \(label): \(path) is not the package that was fetched",
                notes: ["it should have the digest \(digest)", "it has \(actual)"],
                hint: "remove this file, and it is fetched again")
        }
    }
}

extension Payload {
    /// The payload of this .deb, if the store has it and its listing and control members are what they were when it was
    /// unpacked. Its files are compared where they are read.
    public static func sound(_ digest: Digest, label: String, in store: Store) -> Payload? {
        guard let payload = find(digest, label: label, in: store), payload.hasItsTexts() else { return nil }
        return payload
    }

    /// The payload of this .deb: from the store, or unpacked into it, if it is the .deb with that digest. One whose
    /// listing or control members are damaged is unpacked again.
    public static func take(_ deb: DebSource, store: Store) throws -> Payload {
        if let payload = sound(deb.digest, label: deb.label, in: store) { return payload }
        try store.discard(.payloads, key: deb.digest)
        if !deb.isVerified { try deb.verify() }
        let temporary = try store.makeTemporaryDirectory("payload")
        defer { temporary.remove() }
        let directory = temporary.path.appending("payload")
        try makeDirectory(at: directory)
        try PayloadUnpacking.unpack(try DebFile(at: deb.path, label: deb.label), into: directory)
        let kept = try store.keep(directoryAt: directory, on: .payloads, key: deb.digest)
        return Payload(digest: deb.digest, directory: kept, label: deb.label)
    }
}
