import Glibc
import RootfsModel
import SystemPackage

/// The host file that an image is written to: new, and removed again unless it is finished.
struct ImageFile: ~Copyable {
    let descriptor: Int32
    private let path: FilePath
    private var isFinished = false

    init(_ path: FilePath, size: UInt64) throws(Failure) {
        self.path = path
        self.descriptor = try Self.create(path, size)
    }

    deinit {
        close(descriptor)
        if !isFinished { _ = path.withPlatformString { unlink($0) } }
    }

    private static func create(_ path: FilePath, _ size: UInt64) throws(Failure) -> Int32 {
        let descriptor = path.withPlatformString { open($0, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644) }
        if descriptor < 0 { throw Failure("cannot make the image \(path): \(errorText(errno))") }
        if ftruncate(descriptor, off_t(size)) != 0 {
            let cause = errorText(errno)
            close(descriptor)
            _ = path.withPlatformString { unlink($0) }
            throw Failure("cannot make the image \(path) \(size) bytes long: \(cause)")
        }
        return descriptor
    }

    /// Throws where the host's disk cannot take so many bytes: better now than after a minute.
    func checkRoom(for needed: UInt64) throws(Failure) {
        var status = statvfs()
        guard fstatvfs(descriptor, &status) == 0 else { return }
        let available = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        if available.overflow || available.partialValue >= needed { return }
        throw Failure(
            "cannot write the image \(path): it takes \(needed) bytes and the disk has \(available.partialValue) left",
            hint: "free at least \(needed - available.partialValue) bytes, or write to another disk")
    }

    static func writeFailure(_ path: String, errno code: Int32, needed: UInt64) -> Failure {
        Failure(
            "cannot write the image \(path): \(errorText(code))",
            notes: ["it takes \(needed) bytes on the disk"],
            hint: code == ENOSPC || code == EDQUOT ? "free some room, or write to another disk" : nil)
    }

    /// Keeps the file.
    mutating func finish() {
        isFinished = true
    }
}
