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

    /// `beforeLock` is called with every directory that is made, while nothing says yet that its owner lives.
    init(in parent: FilePath, purpose: String, beforeLock: (FilePath) -> Void = { _ in }) throws(Failure) {
        try makeDirectory(at: parent)
        // A build that sweeps at this moment may take a directory away before it is locked: then another is made.
        for _ in 0..<16 {
            var template = Array(parent.appending("\(purpose)-XXXXXX").string.utf8CString)
            guard mkdtemp(&template) != nil else { throw systemFailure("make a temporary directory in", parent) }
            let path = FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
            beforeLock(path)
            let lock = open(path.appending(Self.lockName).string, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            if lock < 0 && errno == ENOENT { continue }
            guard lock >= 0 else { throw systemFailure("lock", path) }
            if Self.isOwned(lock, path) {
                self.path = path
                self.lock = lock
                return
            }
            close(lock)
        }
        throw Failure(
            "cannot make a temporary directory in \(parent): another process takes away what is made there",
            hint: "see what cleans up this directory, or choose another store with --cache")
    }

    /// Takes the lock; false where another process has it or removed the file that is locked.
    private static func isOwned(_ lock: Int32, _ path: FilePath) -> Bool {
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else { return false }
        var locked = stat()
        guard fstat(lock, &locked) == 0, let there = Status(at: path.appending(lockName).string) else { return false }
        return locked.st_ino == there.raw.st_ino && locked.st_dev == there.raw.st_dev
    }

    /// Removes it now; again at the end of its life does no harm.
    public func remove() {
        try? removeTree(at: path)
    }

    deinit {
        remove()
        close(lock)
    }

    /// Whether the process that made the directory at this path lives.
    static func hasOwner(_ path: FilePath) -> Bool {
        let lock = open(path.appending(lockName).string, O_RDWR | O_CLOEXEC)
        if lock < 0 { return false }
        defer { close(lock) }
        return flock(lock, LOCK_SH | LOCK_NB) != 0
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
            if flock(lock, LOCK_EX | LOCK_NB) == 0 { try? removeLockLast(directory) }
            close(lock)
        }
    }

    /// The lock last: where files of others stop this one, the next one still sees that the owner is gone.
    private static func removeLockLast(_ directory: FilePath) throws(Failure) {
        for name in try directoryNames(at: directory) where !name.elementsEqual(lockName.utf8) {
            try removeTree(at: directory.appending(String(decoding: name, as: UTF8.self)))
        }
        try removeTree(at: directory)
    }
}
