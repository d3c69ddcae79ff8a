internal import CLinux
internal import Glibc
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// Puts what a boot showed beside its image: boot.json, console.log and the word of it in the image's record.
struct BootProof {
    let subject: BootSubject
    let record: BootRecord
    let log: [UInt8]

    /// Why the evidence was not kept; nil where it was.
    func keep() throws -> String? {
        let folder = subject.image.removingLastComponent()
        guard access(folder.string, W_OK) == 0 else { return "\(folder) cannot be written to" }
        let hold = subject.isBuild ? try hold(folder) : nil
        defer {
            if let hold { close(hold.lock) }
            if let hold { unlink(hold.path.string) }
        }
        // A build may have put others in their place since.
        guard let now = parseRecord(ImageRecord.self, from: try readFile(at: subject.recordPath)),
            now.imageHash == record.imageHash, now.kernel?.digest == record.kernelDigest,
            now.kernel?.initrd == record.initrdDigest
        else { return "the outputs were replaced while the image was booted" }
        let bytes = try recordBytes(record)
        try writeFile(log, to: folder.appending(subject.logName))
        try writeFile(bytes, to: folder.appending(subject.bootName))
        var proven = now
        proven.proof = ImageRecord.ProofEntry(
            proven: record.proven, verdict: record.verdict.kind, engine: record.engine.name,
            soakSeconds: record.soakSeconds, record: subject.bootName, recordDigest: Digest(hashing: bytes).description)
        let wasUntouched = try isUntouched(folder)
        try writeFile(try recordBytes(proven), to: subject.recordPath)
        if wasUntouched { try signAgain(folder) }
        return nil
    }

    /// No build puts its outputs in place meanwhile.
    private func hold(_ folder: FilePath) throws(Failure) -> (lock: Int32, path: FilePath) {
        let path = OutputDirectory.lockPath(of: folder)
        let lock = open(path.string, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard lock >= 0 else { throw systemFailure("write in", folder.removingLastComponent()) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw Failure("a build is writing \(folder), so the boot's evidence cannot be kept", hint: "boot again")
        }
        return (lock, path)
    }

    /// Whether the image's record is as its build, or the last boot, left it.
    private func isUntouched(_ folder: FilePath) throws -> Bool {
        guard subject.isBuild, let build = PreviousBuild(in: folder).record else { return false }
        let now = try outputSignatures(in: folder)
        return build.outputs.first { $0.name == ImageRecord.fileName } == now.first { $0.name == ImageRecord.fileName }
    }

    /// The record is the build's still, with one word more in it: the next build finds nothing touched.
    private func signAgain(_ folder: FilePath) throws {
        guard var build = PreviousBuild(in: folder).record,
            let index = build.outputs.firstIndex(where: { $0.name == ImageRecord.fileName }),
            let now = try outputSignatures(in: folder).first(where: { $0.name == ImageRecord.fileName })
        else { return }
        build.outputs[index] = now
        try writeFile(try recordBytes(build), to: folder.appending(BuildRecord.fileName))
    }
}
