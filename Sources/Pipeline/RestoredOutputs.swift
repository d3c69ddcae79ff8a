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
        var files = [("\(image.name).ext4", image.imageHash), ("\(image.name).listing", image.contentHash)]
        if let kernel = image.kernel {
            files.append((kernel.file, kernel.digest))
            if let initrd = kernel.initrd { files.append(("initrd", initrd)) }
        }
        files += (image.outputs ?? [:]).map { ($0.key, $0.value) }
        return try files.allSatisfy { name, digest in
            let path = directory.appending(name)
            return exists(path) ? try Blob(file: path).takeDigest().description == digest : false
        }
    }

    /// Takes the outputs as they lie for the build's own from now on.
    func signAgain() throws {
        guard var record else { return }
        record.outputs = try outputSignatures(in: directory)
        try writeFile(try recordBytes(record), to: directory.appending(BuildRecord.fileName))
    }
}
