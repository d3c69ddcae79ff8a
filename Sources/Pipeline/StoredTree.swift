internal import RootfsModel
internal import Storage
internal import SystemPackage

/// The tree of all layers of a lock, finished, as the store keeps it: where no layer changed, it need not be put
/// together again. Its content stays where the layers and payloads have it.
///
///     tree        a `TreeSnapshot`
///     layers      the digests of the layers' deltas, from the bottom up
///     digest      the SHA-256 of both
struct StoredTree {
    let key: Digest
    private let store: Store

    /// All that decides such a tree: the lock and the program, whose every part may have a hand in it.
    init(of held: HeldLock, settings: BuildSettings) {
        var hasher = DigestHasher()
        for field in ["tree", settings.toolVersion, settings.program, held.digest.hex] {
            hasher.update(field: field)
        }
        key = hasher.finalized()
        store = settings.store
    }

    private static let treeName = "tree"
    private static let layersName = "layers"
    private static let digestName = "digest"

    /// The tree, if the store has it as put together over these deltas, and everything that its content lies in. A
    /// damaged one is discarded.
    func find(over deltas: [Digest]) throws(Failure) -> FileTree? {
        guard let (tree, layers) = try Self.intact(key, in: store), layers == Self.text(deltas) else { return nil }
        let name = "the tree in the store"
        let (parsed, directories) = try TreeSnapshot.parse(tree, below: store.root.string, name: name)
        // What was taken out of the store since is made again, and the tree with it.
        return directories.allSatisfy { isDirectory(FilePath($0)) } ? parsed : nil
    }

    /// Discards the tree under this key if it is not what was kept; gives whether that was so.
    static func discardDamaged(_ key: Digest, in store: Store) throws(Failure) -> Bool {
        guard store.directory(.trees, key: key) != nil else { return false }
        return try intact(key, in: store) == nil
    }

    /// The bytes under this key. Damaged ones, and what cannot be read, are discarded.
    private static func intact(_ key: Digest, in store: Store) throws(Failure) -> (tree: [UInt8], layers: [UInt8])? {
        guard let kept = store.directory(.trees, key: key) else { return nil }
        if let tree = try? readFile(at: kept.appending(treeName)),
            let layers = try? readFile(at: kept.appending(layersName)),
            (try? readFile(at: kept.appending(digestName))) == digest(tree, layers).hexBytes
        {
            return (tree, layers)
        }
        try store.discard(.trees, key: key)
        return nil
    }

    private static func text(_ deltas: [Digest]) -> [UInt8] {
        Array(deltas.map { $0.hex + "\n" }.joined().utf8)
    }

    private static func digest(_ tree: [UInt8], _ layers: [UInt8]) -> Digest {
        var hasher = DigestHasher()
        hasher.update(tree)
        hasher.update(layers)
        return hasher.finalized()
    }

    /// Keeps a tree that was put together.
    func keep(_ tree: FileTree, over deltas: [Digest]) throws(Failure) {
        let temporary = try store.makeTemporaryDirectory("tree")
        defer { temporary.remove() }
        let directory = temporary.path.appending("kept")
        try makeDirectory(at: directory)
        let bytes = TreeSnapshot.bytes(of: tree, below: store.root.string)
        let layers = Self.text(deltas)
        try writeFile(bytes, to: directory.appending(Self.treeName))
        try writeFile(layers, to: directory.appending(Self.layersName))
        try writeFile(Self.digest(bytes, layers).hexBytes, to: directory.appending(Self.digestName))
        // One that refers to what is gone is of no use.
        try store.discard(.trees, key: key)
        try store.keep(directoryAt: directory, on: .trees, key: key)
    }
}
