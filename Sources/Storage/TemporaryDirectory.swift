internal import Glibc
public import RootfsModel
public import SystemPackage

/// A directory of this process alone, removed at the end of its life. A lock on it says that its owner is
/// alive: what a killed process left is removed by the next one that uses the same store.
public final class TemporaryDirectory: Sendable {
    public let path: FilePath
    private let lock: Int32

    static let lockName = ".owner"

    /// One on the same file system as a file that is to be made, so that it can be put in place by rename.
    public convenience init(beside file: FilePath) throws(Failure) {
        let parent = file.removingLastComponent()
        try self.init(in: parent.isEmpty ? "." : parent, purpose: ".\(file.lastComponent?.string ?? "new")")
    }

    init(in parent: FilePath, purpose: String) throws(Failure) {
        try makeDirectory(at: parent)
        var template = Array(parent.appending("\(purpose)-XXXXXX").string.utf8CString)
        guard mkdtemp(&template) != nil else { throw systemFailure("make a temporary directory in", parent) }
        path = FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
        lock = open(path.appending(Self.lockName).string, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0 else { throw systemFailure("lock", path) }
        // Others may look into it as the sandbox' other users do.
        chmod(path.string, 0o755)
    }

    /// Removes it now; again at the end of its life does no harm.
    public func remove() {
        try? removeTree(at: path)
    }

    deinit {
        remove()
        close(lock)
    }

    /// Removes the temporary directories whose owner is gone.
    static func sweep(_ parent: FilePath) {
        guard let names = try? directoryNames(at: parent) else { return }
        for name in names {
            let directory = parent.appending(String(decoding: name, as: UTF8.self))
            let lock = open(directory.appending(lockName).string, O_RDWR | O_CLOEXEC)
            if lock < 0 {
                // Made a moment ago and not locked yet, or emptied by its owner at this moment.
                guard let status = Status(at: directory.string), time(nil) - status.raw.st_mtim.tv_sec > 600 else {
                    continue
                }
                try? removeTree(at: directory)
                continue
            }
            if flock(lock, LOCK_EX | LOCK_NB) == 0 { try? removeTree(at: directory) }
            close(lock)
        }
    }
}
