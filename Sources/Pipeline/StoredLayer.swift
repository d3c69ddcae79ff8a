internal import RootfsModel
internal import Storage
internal import SystemPackage

/// What the store has under a layer's key: its delta, and the delta's digest, which is compared whenever the layer is
/// taken.
///
///     delta/      the upper directory of overlayfs
///     digest      of all that it does
///     inputs      what it is made of, as JSON: their digest is the key
enum StoredLayer {
    case absent
    case damaged
    case intact(delta: FilePath, change: TreeChange, digest: Digest)

    init(_ key: Digest, in store: Store) throws {
        guard let kept = store.directory(.layers, key: key) else {
            self = .absent
            return
        }
        let delta = kept.appending("delta")
        do {
            let change = try scanOverlayUpper(delta)
            let digest = try Pipeline.digest(ofDelta: change)
            let isIntact =
                try Self.digest(of: key, in: store) == digest && Self.inputs(of: key, in: store)?.digest == key
            self = isIntact ? .intact(delta: delta, change: change, digest: digest) : .damaged
        } catch is Failure {
            // What cannot be read is damaged.
            self = .damaged
        }
    }

    /// Keeps a delta that was made, and gives it as it lies in the store. The directory is one of its own on the
    /// store's file system.
    static func keep(
        delta upper: FilePath, as layer: LayerKey, by directory: FilePath, in store: Store
    ) throws -> (delta: FilePath, change: TreeChange, digest: Digest) {
        try makeDirectory(at: directory)
        try moveItem(at: upper, to: directory.appending("delta"))
        var change = try scanOverlayUpper(directory.appending("delta"))
        let digest = try Pipeline.digest(ofDelta: change)
        try writeFile(digest.hexBytes, to: directory.appending("digest"))
        try writeFile(try recordBytes(layer.inputs), to: directory.appending("inputs"))
        let delta = try store.keep(directoryAt: directory, on: .layers, key: layer.digest).appending("delta")
        // Another process may have been first, and its scripts may have done something else.
        if try Self.digest(of: layer.digest, in: store) != digest,
            case .intact(let delta, let change, let digest) = try StoredLayer(layer.digest, in: store)
        {
            return (delta, change, digest)
        }
        change.moveContent(to: delta)
        return (delta, change, digest)
    }

    /// The digest that the delta under this key had when it was kept; nil where there is none.
    static func digest(of key: Digest, in store: Store) throws -> Digest? {
        guard let path = store.directory(.layers, key: key)?.appending("digest"), exists(path) else { return nil }
        return Digest(hex: String(decoding: try readFile(at: path), as: UTF8.self))
    }

    /// What the layer under this key is made of; nil where the store does not say.
    static func inputs(of key: Digest, in store: Store) throws -> [Input]? {
        guard let path = store.directory(.layers, key: key)?.appending("inputs"), exists(path) else { return nil }
        return parseRecord([Input].self, from: try readFile(at: path))
    }

    /// Why a layer has to be made; nothing where it is taken from the store.
    func staleness(of layer: LayerKey, since previous: BuildRecord?) -> [Reason] {
        switch self {
        case .intact: return []
        case .damaged: return [Reason("layer \(layer.name)", state: "not what it was when the store kept it")]
        case .absent:
            let last = previous?.layers.first { $0.stage == layer.stage }
            let changes = last.map { layer.inputs.changes(since: $0.inputs) } ?? []
            return changes.isEmpty ? [Reason("layer \(layer.name)", state: "not in the store")] : changes
        }
    }
}

extension TreeChange {
    /// Follows the directory that was scanned to another place.
    fileprivate mutating func moveContent(to directory: FilePath) {
        for index in puts.indices {
            guard case .file(var blob, let group) = puts[index].kind, case .file(_, let path) = blob.source else {
                continue
            }
            blob.source = .file(directory: directory.string, path: path)
            puts[index].kind = .file(blob, linkGroup: group)
        }
    }
}

/// The digest of all that a delta does: the listing of what it puts, and what it takes away.
func digest(ofDelta delta: TreeChange) throws -> Digest {
    var hasher = DigestHasher()
    hasher.update(try Listing.bytes(of: try FileTree(delta.puts)))
    for (word, paths) in [("removal", delta.removals), ("opaque", delta.opaques)] {
        for path in paths {
            hasher.update(field: word)
            hasher.update(path.bytes + [0])
        }
    }
    return hasher.finalized()
}
