internal import Glibc
public import RootfsModel
internal import SystemPackage

// Who uses what of a store. A build says beforehand which entries it is going to use, and holds that for as long as it
// lives; removing what nobody uses spares them. Both go by locks on open files, which end with their process, however
// it ends.
//
//     lock                    held shared while entries are looked up and named, alone while entries are removed
//     tmp/use-XXXXXX/entries  what a living process uses, a path a line

/// The lock on the whole store, until it is opened.
public final class StoreGate: Sendable {
    enum Mode {
        /// Nothing is removed meanwhile.
        case shared
        /// Nobody looks anything up meanwhile.
        case alone
    }

    private let descriptor: Int32

    /// Waits until it can be had; `waiting` is called once when it cannot at once.
    init(of store: Store, _ mode: Mode, waiting: () -> Void = {}) throws {
        let path = store.root.appending("lock")
        let descriptor = Glibc.open(path.string, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw systemFailure("lock the store with", path) }
        var hasWaited = false
        while flock(descriptor, (mode == .alone ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0 {
            let code = errno
            if code != EWOULDBLOCK && code != EINTR || Task.isCancelled {
                close(descriptor)
                if Task.isCancelled { throw CancellationError() }
                throw systemFailure("lock the store with", path, code: code)
            }
            if !hasWaited { waiting() }
            hasWaited = true
            usleep(10_000)
        }
        self.descriptor = descriptor
    }

    public func open() {
        flock(descriptor, LOCK_UN)
    }

    deinit { close(descriptor) }
}

/// That a process uses entries of the store; until `end` nobody removes them.
public final class StoreUse: Sendable {
    fileprivate static let purpose = "use"
    fileprivate static let listName = "entries"
    private let mark: TemporaryDirectory

    fileprivate init(mark: TemporaryDirectory) {
        self.mark = mark
    }

    public func end() {
        mark.remove()
    }
}

extension Store {
    /// Says that these entries, there or still to be made, are going to be used, and that they were used now.
    public func use(files: [Digest], payloads: [Digest], layers: [Digest], trees: [Digest]) throws -> StoreUse {
        let paths = Self.paths(files: files, payloads: payloads, layers: layers, trees: trees)
        let mark = try makeTemporaryDirectory(StoreUse.purpose)
        let gate = try holdOffRemoval()
        defer { gate.open() }
        try writeFile(Array(paths.map { $0 + "\n" }.joined().utf8), to: mark.path.appending(StoreUse.listName))
        for path in paths { noteUse(of: root.pushing(FilePath(path))) }
        return StoreUse(mark: mark)
    }

    /// Says only that these entries were used now.
    public func noteUse(files: [Digest], payloads: [Digest], layers: [Digest], trees: [Digest]) {
        for path in Self.paths(files: files, payloads: payloads, layers: layers, trees: trees) {
            noteUse(of: root.pushing(FilePath(path)))
        }
    }

    private static func paths(
        files: [Digest], payloads: [Digest], layers: [Digest], trees: [Digest]
    ) -> [String] {
        files.map { relativePlace(of: $0, on: "files") }
            + payloads.map { relativePlace(of: $0, on: Shelf.payloads.rawValue) }
            + layers.map { relativePlace(of: $0, on: Shelf.layers.rawValue) }
            + trees.map { relativePlace(of: $0, on: Shelf.trees.rawValue) }
    }

    /// Holds off removing for what looks entries up as it goes.
    public func holdOffRemoval() throws -> StoreGate {
        try StoreGate(of: self, .shared)
    }

    /// The last use of an entry is its time of modification; one that is not there has none.
    func noteUse(of path: FilePath) {
        utimensat(AT_FDCWD, path.string, nil, AT_SYMLINK_NOFOLLOW)
    }

    /// The entries that living processes use, by their paths in the store. Whole only while the gate is held alone.
    func entriesInUse() throws(Failure) -> Set<String> {
        let parent = root.appending("tmp")
        var paths = Set<String>()
        for name in try directoryNames(at: parent).map({ String(decoding: $0, as: UTF8.self) })
        where name.hasPrefix("\(StoreUse.purpose)-") {
            let mark = parent.appending(name)
            guard TemporaryDirectory.hasOwner(mark),
                let list = try? readFile(at: mark.appending(StoreUse.listName))
            else { continue }
            paths.formUnion(String(decoding: list, as: UTF8.self).split(separator: "\n").map(String.init))
        }
        return paths
    }
}
