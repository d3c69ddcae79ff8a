internal import Normalization
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// The tree of all layers of a lock, finished, as the store keeps it: where no layer changed, it need not be put
/// together again. Its content stays where the layers and payloads have it.
///
///     tree        a `TreeSnapshot`
///     layers      the digests of the layers' deltas, from the bottom up
///     rules       what each rule of normalising changed, as JSON
///     digest      the SHA-256 of all three
struct StoredTree {
    let key: Digest
    private let store: Store

    /// All that decides such a tree: the lock, the rules that are switched off, and the program, whose every part may
    /// have a hand in it.
    init(of held: HeldLock, settings: BuildSettings) {
        var hasher = DigestHasher()
        for field in ["tree", settings.toolVersion, settings.program, held.digest.hex] + settings.keptRules {
            hasher.update(field: field)
        }
        key = hasher.finalized()
        store = settings.store
    }

    private static let treeName = "tree"
    private static let layersName = "layers"
    private static let rulesName = "rules"
    private static let digestName = "digest"

    private struct Content {
        var tree: [UInt8]
        var layers: [UInt8]
        var rules: [UInt8]

        var digest: Digest {
            var hasher = DigestHasher()
            for bytes in [tree, layers, rules] { hasher.update(bytes) }
            return hasher.finalized()
        }
    }

    /// The tree, if the store has it as put together over these deltas, and everything that its content lies in; with
    /// what each rule changed. A damaged one is discarded.
    func find(over deltas: [Digest]) throws(Failure) -> (tree: FileTree, reports: [RuleReport])? {
        guard let kept = try Self.intact(key, in: store), kept.layers == Self.text(deltas),
            let reports = parseRecord([RuleReport].self, from: kept.rules)
        else { return nil }
        let name = "the tree in the store"
        let (tree, directories) = try TreeSnapshot.parse(kept.tree, below: store.root.string, name: name)
        // What was taken out of the store since is made again, and the tree with it.
        return directories.allSatisfy { isDirectory(FilePath($0)) } ? (tree, reports) : nil
    }

    /// Discards the tree under this key if it is not what was kept; gives whether that was so.
    static func discardDamaged(_ key: Digest, in store: Store) throws(Failure) -> Bool {
        guard store.directory(.trees, key: key) != nil else { return false }
        return try intact(key, in: store) == nil
    }

    /// The bytes under this key. Damaged ones, and what cannot be read, are discarded.
    private static func intact(_ key: Digest, in store: Store) throws(Failure) -> Content? {
        guard let kept = store.directory(.trees, key: key) else { return nil }
        if let tree = try? readFile(at: kept.appending(treeName)),
            let layers = try? readFile(at: kept.appending(layersName)),
            let rules = try? readFile(at: kept.appending(rulesName))
        {
            let content = Content(tree: tree, layers: layers, rules: rules)
            if (try? readFile(at: kept.appending(digestName))) == content.digest.hexBytes { return content }
        }
        try store.discard(.trees, key: key)
        return nil
    }

    private static func text(_ deltas: [Digest]) -> [UInt8] {
        Array(deltas.map { $0.hex + "\n" }.joined().utf8)
    }

    /// Keeps a tree that was put together, and what each rule changed in it.
    func keep(_ tree: FileTree, _ reports: [RuleReport], over deltas: [Digest]) throws(Failure) {
        let temporary = try store.makeTemporaryDirectory("tree")
        defer { temporary.remove() }
        let directory = temporary.path.appending("kept")
        try makeDirectory(at: directory)
        let content = Content(
            tree: TreeSnapshot.bytes(of: tree, below: store.root.string), layers: Self.text(deltas),
            rules: try recordBytes(reports))
        try writeFile(content.tree, to: directory.appending(Self.treeName))
        try writeFile(content.layers, to: directory.appending(Self.layersName))
        try writeFile(content.rules, to: directory.appending(Self.rulesName))
        try writeFile(content.digest.hexBytes, to: directory.appending(Self.digestName))
        // One that refers to what is gone is of no use.
        try store.discard(.trees, key: key)
        try store.keep(directoryAt: directory, on: .trees, key: key)
    }
}
