internal import Debian
internal import Dpkg
internal import RootfsModel
internal import Storage

/// What a build of a lock uses of the store.
struct UsedEntries {
    private let store: Store
    private let packages: [Digest]
    private let layers: [Digest]
    private let trees: [Digest]

    init(of held: HeldLock, scripts: [String: [LayerScript]], settings: BuildSettings) {
        store = settings.store
        packages = held.lock.packages.map(\.sha256)
        layers = LayerKey.all(of: held.lock, scripts: scripts).map(\.digest)
        trees = [StoredTree(of: held, settings: settings).key]
    }

    /// Keeps it from being collected until the use ends.
    func use() throws -> StoreUse {
        try store.use(files: packages, payloads: packages, layers: layers, trees: trees)
    }

    /// Notes that it was of use, for nothing else is read of it.
    func noteUse() { store.noteUse(files: packages, payloads: packages, layers: layers, trees: trees) }
}
