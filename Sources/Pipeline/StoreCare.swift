internal import Dpkg
internal import RootfsModel
public import Storage
internal import SystemPackage

/// What looking through a whole store found.
public struct StoreReport: Encodable, Sendable {
    /// An entry that was taken out.
    public struct Damage: Encodable, Sendable {
        public var kind: String
        public var name: String
        public var because: String
    }

    public var entries: Int
    /// What they take on the disk, the damaged ones among them.
    public var bytes: UInt64
    /// By kind and name.
    public var damaged: [Damage]
}

/// Reads all that the store keeps and takes out what is not what it was when it was kept, and the layers that were made
/// of such packages. Records hold only what is checked again whenever it is used.
public func verifyStore(_ store: Store, jobs: Int, progress sink: @escaping ProgressSink) async throws -> StoreReport {
    // Nothing goes away while it is read.
    let gate = try store.holdOffRemoval()
    defer { gate.open() }
    let (recipe, stage) = ("store", "verify")
    sink(.started(recipe: recipe, stage: stage))
    let entries = try store.entries()
    let total = entries.reduce(0) { $0 + $1.bytes }
    var damaged = [StoreReport.Damage]()
    var done: UInt64 = 0
    try await withThrowingTaskGroup(of: (StoreEntry, String?).self) { group in
        var next = entries.makeIterator()
        func start() {
            guard let entry = next.next() else { return }
            group.addTask {
                try Task.checkCancellation()
                return (entry, try damage(of: entry, in: store))
            }
        }
        for _ in 0..<max(1, jobs) { start() }
        while let (entry, because) = try await group.next() {
            if let because { damaged.append(.init(kind: entry.kind.rawValue, name: entry.name, because: because)) }
            done += entry.bytes
            sink(.advanced(recipe: recipe, stage: stage, done: done, total: total, unit: .bytes))
            start()
        }
    }
    damaged += try doubtfulLayers(
        among: entries, damaged: Set(damaged.filter { $0.kind == "payloads" || $0.kind == "layers" }.map(\.name)),
        in: store)
    sink(
        .finished(
            recipe: recipe, stage: stage, detail: "\(entries.count) entries, \(byteText(total))"))
    return StoreReport(
        entries: entries.count, bytes: total, damaged: damaged.sorted { ($0.kind, $0.name) < ($1.kind, $1.name) })
}

/// What is wrong with an entry, which is taken out then.
private func damage(of entry: StoreEntry, in store: Store) throws -> String? {
    guard let key = Digest(hex: entry.name) else { return nil }
    switch entry.kind {
    case .records: return nil
    case .files:
        return try store.file(key) != nil && store.intactFile(key) == nil ? "not what was fetched" : nil
    case .payloads:
        guard let payload = Payload.find(key, label: entry.name, in: store), try !payload.isIntact() else { return nil }
        try store.discard(.payloads, key: key)
        return "not what was unpacked"
    case .layers:
        guard case .damaged = try StoredLayer(key, in: store) else { return nil }
        try store.discard(.layers, key: key)
        return "not what was kept"
    case .trees: return try StoredTree.discardDamaged(key, in: store) ? "not what was kept" : nil
    }
}

/// The layers that were made of damaged payloads or upon damaged layers, which are taken out: they may hold the damage
/// without showing it.
private func doubtfulLayers(among entries: [StoreEntry], damaged: Set<String>, in store: Store) throws
    -> [StoreReport.Damage]
{
    var doubtful = damaged
    var layers = [(name: String, inputs: [Input])]()
    for entry in entries where entry.kind == .layers && !damaged.contains(entry.name) {
        guard let key = Digest(hex: entry.name), let inputs = try StoredLayer.inputs(of: key, in: store) else {
            continue
        }
        layers.append((entry.name, inputs))
    }
    var found = [StoreReport.Damage]()
    // Upwards, until no layer stands on one that was found.
    while let index = layers.firstIndex(where: { layer in
        layer.inputs.contains { input in doubtful.contains(String(input.value.suffix(64))) }
    }) {
        let layer = layers.remove(at: index)
        doubtful.insert(layer.name)
        if let key = Digest(hex: layer.name) { try store.discard(.layers, key: key) }
        found.append(
            .init(kind: StoreEntry.Kind.layers.rawValue, name: layer.name, because: "made of what is damaged"))
    }
    return found
}
