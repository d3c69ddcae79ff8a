internal import Glibc
public import RootfsModel
internal import SystemPackage

/// One thing that a store keeps and that can go by itself.
public struct StoreEntry: Hashable, Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        /// Packages as they were fetched, and indexes of archives.
        case files
        case payloads, layers, trees, records
    }

    public var kind: Kind
    /// The digest or key in hexadecimal; a record's own name.
    public var name: String
    /// What it takes on the disk.
    public var bytes: UInt64
    /// Seconds since 1970.
    public var lastUse: Int64

    /// Its path in the store.
    public var path: String {
        kind == .records ? "records/\(name)" : "\(kind.rawValue)/\(name.prefix(2))/\(name.dropFirst(2))"
    }
}

/// What was removed from a store, or would be.
public struct StoreRemoval: Sendable {
    public var removed: [StoreEntry]
    /// What is left, in bytes.
    public var left: UInt64
    /// How many entries had to stay because somebody uses them.
    public var inUse: Int
}

extension Store {
    /// Everything that the store keeps, by kind and name; not what is being made.
    public func entries() throws -> [StoreEntry] {
        var entries = [StoreEntry]()
        for kind in StoreEntry.Kind.allCases {
            let shelf = root.appending(kind.rawValue)
            for name in try names(in: shelf) {
                if kind == .records {
                    // A record in the making.
                    if !name.hasPrefix(".") { try add(kind, name, at: shelf.appending(name), to: &entries) }
                    continue
                }
                for rest in try names(in: shelf.appending(name)) where Digest(hex: name + rest) != nil {
                    try add(kind, name + rest, at: shelf.appending(name).appending(rest), to: &entries)
                }
            }
        }
        return entries
    }

    /// The keys of a shelf's directories, in any order.
    public func keys(of shelf: Shelf) throws -> [Digest] {
        let directory = root.appending(shelf.rawValue)
        return try names(in: directory).flatMap { name in
            try names(in: directory.appending(name)).compactMap { Digest(hex: name + $0) }
        }
    }

    private func names(in directory: FilePath) throws -> [String] {
        guard isDirectory(directory) else { return [] }
        return try directoryNames(at: directory).map { String(decoding: $0, as: UTF8.self) }
    }

    private func add(_ kind: StoreEntry.Kind, _ name: String, at path: FilePath, to entries: inout [StoreEntry]) throws
    {
        if Task.isCancelled { throw CancellationError() }
        // Another process may take it away at any moment.
        guard let status = Status(at: path.string) else { return }
        entries.append(
            StoreEntry(
                kind: kind, name: name, bytes: diskUsage(of: path), lastUse: Int64(status.raw.st_mtim.tv_sec)))
    }

    /// Removes what was used longest ago until the store has at most `limit` bytes, and all that was not used since
    /// `oldest` (seconds since 1970). What a living process uses stays. Nobody ever sees a half of an entry: each goes
    /// to tmp/ by rename, and from there the next process that opens the store takes it away if this one is killed.
    ///
    /// - Parameter waiting: called once if others are looking up entries at this moment.
    public func removeUnused(
        limit: UInt64?, oldest: Int64?, dryRun: Bool, waiting: () -> Void = {}
    ) throws -> StoreRemoval {
        // The packages' own files first where the last use is the same: they can be had again without a network.
        let order: [StoreEntry.Kind] = [.trees, .payloads, .files, .layers, .records]
        let entries = try entries().sorted {
            ($0.lastUse, order.firstIndex(of: $0.kind) ?? 0, $0.name)
                < ($1.lastUse, order.firstIndex(of: $1.kind) ?? 0, $1.name)
        }
        let trash = StoreTrash(of: self)
        // After the gate is open again: it takes a while.
        defer { trash.empty() }
        let gate = try StoreGate(of: self, .alone, waiting: waiting)
        defer { gate.open() }
        let used = try entriesInUse()
        var result = StoreRemoval(removed: [], left: entries.reduce(0) { $0 + $1.bytes }, inUse: 0)
        for entry in entries {
            let isOld = oldest.map { entry.lastUse < $0 } ?? false
            let isTooMuch = limit.map { result.left > $0 } ?? false
            if !isOld && !isTooMuch { continue }
            if used.contains(entry.path) {
                result.inUse += 1
                continue
            }
            let path = root.pushing(FilePath(entry.path))
            // Used since it was looked at.
            guard let status = Status(at: path.string), Int64(status.raw.st_mtim.tv_sec) == entry.lastUse else {
                continue
            }
            if !dryRun { try trash.take(path) }
            result.removed.append(entry)
            result.left -= entry.bytes
        }
        return result
    }
}

/// Where entries go by rename on their way out of a store, so that nobody sees a half of one: a directory of tmp/ that
/// this process owns, and on a disk too full to make one tmp/ itself. What a killed process left in either is swept
/// away.
final class StoreTrash {
    private let parent: FilePath
    private let owned: TemporaryDirectory?
    private var taken = [FilePath]()

    init(of store: Store) {
        parent = store.root.appending("tmp")
        owned = try? store.makeTemporaryDirectory("removed")
    }

    func take(_ path: FilePath) throws(Failure) {
        let name = owned == nil ? "removed-\(UInt64.random(in: 0 ... .max))" : String(taken.count)
        let place = (owned?.path ?? parent).appending(name)
        guard rename(path.string, place.string) == 0 || errno == ENOENT else { throw systemFailure("remove", path) }
        taken.append(place)
    }

    func empty() {
        for place in taken { try? removeTree(at: place) }
        owned?.remove()
    }
}

/// The bytes that a file or a directory with all below it takes on the disk, each file once.
private func diskUsage(of root: FilePath) -> UInt64 {
    struct Identity: Hashable {
        let device: dev_t, inode: ino_t
    }
    var seen = Set<Identity>()
    var bytes: UInt64 = 0
    var pending = [TreePath.root]
    while let path = pending.popLast() {
        let place = hostPath(root.string, path)
        guard let status = Status(at: place.string) else { continue }
        let identity = Identity(device: status.raw.st_dev, inode: status.raw.st_ino)
        let isOther = status.isDirectory || status.raw.st_nlink < 2 || seen.insert(identity).inserted
        if isOther { bytes += UInt64(max(0, status.raw.st_blocks)) * 512 }
        if status.isDirectory, let names = try? directoryNames(at: place) {
            pending += names.map { path.appending($0) }
        }
    }
    return bytes
}
