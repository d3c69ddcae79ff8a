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

    /// Puts bytes behind what the file has until now.
    func append(_ bytes: [UInt8], at end: UInt64) throws(Failure) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done, off_t(end) + off_t(done))
            }
            if count < 0 && errno == EINTR { continue }
            if count <= 0 {
                throw Self.writeFailure(path.string, errno: errno, needed: end + UInt64(bytes.count))
            }
            done += count
        }
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
