internal import Glibc
public import RootfsModel
public import SystemPackage

/// The store: files by their SHA-256, directories by the digest of what made them, and small named records.
///
///     files/ab/cdef…          an immutable file; its name is its SHA-256
///     payloads/ab/cdef…/      an unpacked .deb
///     layers/ab/cdef…/        a layer's delta
///     trees/ab/cdef…/         the tree of all layers of a lock
///     records/NAME            replaced by rename
///     owners                  whose ids the files of payloads and layers have
///     tmp/PURPOSE-XXXXXX/     what is being made, used or removed now
///     lock                    see StoreUse
public struct Store: Sendable {
    public let root: FilePath

    public enum Shelf: String, Sendable, CaseIterable {
        case payloads, layers, trees
    }

    /// Opens or makes the store, and removes what killed processes left in it. Payloads hold setuid programs of every
    /// version that was ever built: nobody else comes into a store.
    public init(at root: FilePath) throws(Failure) {
        self.root = root
        try makeDirectory(at: root, mode: 0o700)
        Self.closeToOthers(root)
        try makeDirectory(at: root.appending("tmp"))
        try makeDirectory(at: root.appending("records"))
        for name in ["files"] + Shelf.allCases.map(\.rawValue) { try makeDirectory(at: root.appending(name)) }
        guard access(root.string, W_OK) == 0 else { throw systemFailure("write to the store", root) }
        TemporaryDirectory.sweep(root.appending("tmp"))
    }

    /// Takes others' permissions from a store that is ours; a directory that holds no store yet keeps its mode.
    private static func closeToOthers(_ root: FilePath) {
        var status = stat()
        guard stat(root.string, &status) == 0, status.st_uid == geteuid(), status.st_mode & 0o007 != 0,
            isDirectory(root.appending(Shelf.payloads.rawValue))
        else { return }
        chmod(root.string, status.st_mode & 0o7770)
    }

    /// A directory of one's own on the store's file system.
    public func makeTemporaryDirectory(_ purpose: String) throws(Failure) -> TemporaryDirectory {
        try TemporaryDirectory(in: root.appending("tmp"), purpose: purpose)
    }

    /// The file with this digest, if the store has it. It was verified when it was kept, not since.
    public func file(_ digest: Digest) -> FilePath? {
        let path = place(of: digest, on: "files")
        return exists(path) ? path : nil
    }

    /// The same, if it also has this size: a power loss can leave a file short of its end.
    public func file(_ digest: Digest, size: UInt64?) -> FilePath? {
        guard let path = file(digest), let status = Status(at: path.string) else { return nil }
        return size == nil || UInt64(status.raw.st_size) == size ? path : nil
    }

    /// The file with this digest, if the store has it and it is still what it was: all of it is read. A damaged one is
    /// discarded.
    public func intactFile(_ digest: Digest) throws(Failure) -> FilePath? {
        guard let path = file(digest) else { return nil }
        if try Blob(file: path).takeDigest() == digest { return path }
        try discard(file: digest)
        return nil
    }

    /// Takes a file out again: it was found damaged.
    public func discard(file digest: Digest) throws(Failure) {
        try takeOut(place(of: digest, on: "files"))
    }

    /// Takes a finished file whose digest was verified, by rename.
    @discardableResult
    public func keep(fileAt temporary: FilePath, as digest: Digest) throws(Failure) -> FilePath {
        let path = place(of: digest, on: "files")
        try makeDirectory(at: path.removingLastComponent())
        chmod(temporary.string, 0o644)
        guard rename(temporary.string, path.string) == 0 else {
            throw systemFailure("keep a file in the store at", path)
        }
        return path
    }

    /// Keeps these bytes as a file.
    @discardableResult
    public func keep(bytes: [UInt8]) throws(Failure) -> Digest {
        let digest = Digest(hashing: bytes)
        if file(digest) != nil { return digest }
        let path = place(of: digest, on: "files")
        try makeDirectory(at: path.removingLastComponent())
        try writeFile(bytes, to: path)
        return digest
    }

    /// The directory kept under this key, if the store has it.
    public func directory(_ shelf: Shelf, key: Digest) -> FilePath? {
        let path = place(of: key, on: shelf.rawValue)
        return exists(path) ? path : nil
    }

    /// Takes a finished directory by rename. When another build was first, its directory stays and is given.
    @discardableResult
    public func keep(directoryAt temporary: FilePath, on shelf: Shelf, key: Digest) throws(Failure) -> FilePath {
        let path = place(of: key, on: shelf.rawValue)
        try makeDirectory(at: path.removingLastComponent())
        if rename(temporary.string, path.string) == 0 { return path }
        if errno == EEXIST || errno == ENOTEMPTY { return path }
        throw systemFailure("keep a directory in the store at", path)
    }

    /// Takes a directory out again: it was found damaged.
    public func discard(_ shelf: Shelf, key: Digest) throws(Failure) {
        try takeOut(place(of: key, on: shelf.rawValue))
    }

    /// Removes an entry so that nobody sees a half of it.
    private func takeOut(_ path: FilePath) throws(Failure) {
        guard exists(path) else { return }
        let trash = StoreTrash(of: self)
        try trash.take(path)
        trash.empty()
    }

    /// A small named record; nil when there is none. Reading it is a use.
    public func record(_ name: String) -> [UInt8]? {
        let path = root.appending("records").appending(name)
        guard let bytes = try? readFile(at: path) else { return nil }
        noteUse(of: path)
        return bytes
    }

    /// Whose ids the files of payloads and layers have, as it was said last.
    public var owners: String? {
        (try? readFile(at: root.appending("owners"))).map { String(decoding: $0, as: UTF8.self) }
    }

    public func setOwners(_ ids: String) throws(Failure) {
        try writeFile(Array(ids.utf8), to: root.appending("owners"))
    }

    /// Whether there is neither payload nor layer nor tree.
    public func holdsNoTrees() throws(Failure) -> Bool {
        for shelf in Shelf.allCases {
            for name in try directoryNames(at: root.appending(shelf.rawValue)) {
                let part = root.appending(shelf.rawValue).appending(String(decoding: name, as: UTF8.self))
                if try !directoryNames(at: part).isEmpty { return false }
            }
        }
        return true
    }

    public func setRecord(_ name: String, _ bytes: [UInt8]) throws(Failure) {
        try writeFile(bytes, to: root.appending("records").appending(name))
    }

    private func place(of digest: Digest, on shelf: String) -> FilePath {
        root.pushing(FilePath(Self.relativePlace(of: digest, on: shelf)))
    }

    static func relativePlace(of digest: Digest, on shelf: String) -> String {
        let hex = digest.hex
        return "\(shelf)/\(hex.prefix(2))/\(hex.dropFirst(2))"
    }
}
