internal import RootfsModel
internal import Storage
internal import SystemPackage

extension PreviousBuild {
    /// Whether the outputs were copied or unpacked since the build, as a cache of a CI system does: other inodes and
    /// times, but the files that the build wrote, each that the image's record names with its digest. Reads all of them.
    func areRestored() throws -> Bool {
        guard let record, let image else { return false }
        let now = try outputSignatures(in: directory)
        guard now.map(\.name) == record.outputs.map(\.name),
            zip(now, record.outputs).allSatisfy({ $0.name == ImageRecord.fileName || $0.size == $1.size })
        else { return false }
        return try OutputDigests(of: image, image: "\(image.name).ext4", in: directory, isBuild: true).areRight()
    }

    /// Takes the outputs as they lie for the build's own from now on.
    func signAgain() throws {
        guard var record else { return }
        record.outputs = try outputSignatures(in: directory)
        try writeFile(try recordBytes(record), to: directory.appending(BuildRecord.fileName))
    }
}
