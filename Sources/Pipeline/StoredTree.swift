internal import RootfsModel
internal import Storage
internal import SystemPackage

/// The tree of all layers of a lock, finished, as the store keeps it: where no layer changed, it need not be put together
/// again. Its content stays where the layers and payloads have it.
///
///     tree        a `TreeSnapshot`
///     digest      its SHA-256
struct StoredTree {
    let key: Digest
    private let store: Store

    /// All that decides such a tree: the lock and the program, whose every part may have a hand in it.
    init(of held: HeldLock, settings: BuildSettings) {
        var hasher = DigestHasher()
        for field in ["tree", settings.toolVersion, settings.program.hex, held.digest.hex] {
            hasher.update(field: field)
        }
        key = hasher.finalized()
        store = settings.store
    }

    private static let treeName = "tree"
    private static let digestName = "digest"

    /// The tree, if the store has it and everything that its content lies in. A damaged one is discarded.
    func find() throws(Failure) -> FileTree? {
        guard try !Self.discardDamaged(key, in: store), let kept = store.directory(.trees, key: key) else { return nil }
        let path = kept.appending(Self.treeName)
        let (tree, directories) = try TreeSnapshot.parse(
            try readFile(at: path), below: store.root.string, name: path.string)
        // What was taken out of the store since is made again, and the tree with it.
        return directories.allSatisfy { isDirectory(FilePath($0)) } ? tree : nil
    }

    /// Discards the tree under this key if it is not what was kept; gives whether that was so.
    static func discardDamaged(_ key: Digest, in store: Store) throws(Failure) -> Bool {
        guard let kept = store.directory(.trees, key: key) else { return false }
        // What cannot be read is damaged.
        if let bytes = try? readFile(at: kept.appending(treeName)),
            (try? readFile(at: kept.appending(digestName))) == Digest(hashing: bytes).hexBytes
        {
            return false
        }
        try store.discard(.trees, key: key)
        return true
    }

    /// Keeps a tree that was put together.
    func keep(_ tree: FileTree) throws(Failure) {
        let temporary = try store.makeTemporaryDirectory("tree")
        defer { temporary.remove() }
        let directory = temporary.path.appending("kept")
        try makeDirectory(at: directory)
        let bytes = TreeSnapshot.bytes(of: tree, below: store.root.string)
        try writeFile(bytes, to: directory.appending(Self.treeName))
        try writeFile(Digest(hashing: bytes).hexBytes, to: directory.appending(Self.digestName))
        // One that refers to what is gone is of no use.
        try store.discard(.trees, key: key)
        try store.keep(directoryAt: directory, on: .trees, key: key)
    }
}
