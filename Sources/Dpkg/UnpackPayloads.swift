internal import CLinux
internal import Glibc
public import RootfsModel
public import Storage
public import SystemPackage

/// A .deb to be unpacked.
public struct DebSource: Hashable, Sendable {
    public var path: FilePath
    /// Its SHA-256, verified by whoever fetched it.
    public var digest: Digest
    /// The package as messages name it: `bash 5.2.15-2+b13`.
    public var label: String

    public init(path: FilePath, digest: Digest, label: String) {
        self.path = path
        self.digest = digest
        self.label = label
    }
}

/// How far unpacking is.
public struct UnpackProgress: Hashable, Sendable {
    public var packagesDone: Int
    public var packages: Int
    /// Sizes of the .debs.
    public var bytesDone: UInt64
    public var bytes: UInt64
}

/// The payload of this .deb, if the store has it and its listing and control members are what they were when it was
/// unpacked. Its files are compared where they are read.
public func soundPayload(_ digest: Digest, label: String, in store: Store) -> Payload? {
    guard let payload = Payload.find(digest, label: label, in: store), payload.hasItsTexts() else { return nil }
    return payload
}

/// The payloads of these .debs in their order: from the store, or unpacked into it, at most `jobs` at a time and
/// the largest first. A payload of the store whose listing or control members are damaged is unpacked again. Throws the failure of the first package in order that cannot be unpacked; what was unpacked
/// until then stays in the store.
public func unpackPayloads(
    _ debs: [DebSource], store: Store, jobs: Int, progress: @Sendable (UnpackProgress) -> Void = { _ in }
) async throws -> [Payload] {
    var payloads = try debs.map { deb throws(Failure) -> Payload? in
        if let payload = soundPayload(deb.digest, label: deb.label, in: store) { return payload }
        try store.discard(.payloads, key: deb.digest)
        return nil
    }
    let sizes = debs.map { fileSize($0.path) }
    var state = UnpackProgress(
        packagesDone: 0, packages: debs.count, bytesDone: 0, bytes: sizes.reduce(0, &+))
    for index in debs.indices where payloads[index] != nil {
        state.packagesDone += 1
        state.bytesDone += sizes[index]
    }
    progress(state)

    // A package may be asked for twice: the second time it comes from the store.
    var seen = Set<Digest>()
    let missing = debs.indices.filter { payloads[$0] == nil && seen.insert(debs[$0].digest).inserted }
        .sorted { (sizes[$1], $0) < (sizes[$0], $1) }
    try await withThrowingTaskGroup(of: (Int, Result<Payload, any Error>).self) { group in
        var next = missing.makeIterator()
        func start() {
            guard let index = next.next() else { return }
            let deb = debs[index]
            group.addTask { (index, Result { try unpackPayload(deb, store: store) }) }
        }
        for _ in 0..<max(1, jobs) { start() }
        var failed: (index: Int, error: any Error)?
        while let (index, result) = try await group.next() {
            switch result {
            case .success(let payload):
                payloads[index] = payload
                state.packagesDone += 1
                state.bytesDone += sizes[index]
                progress(state)
            case .failure(let error):
                if failed == nil
                    || error is Failure && (failed?.error is CancellationError || index < failed?.index ?? 0)
                {
                    failed = (index, error)
                }
                group.cancelAll()
            }
            if failed == nil { start() }
        }
        if let failed { throw failed.error }
    }
    return try debs.indices.map { index in
        if let payload = payloads[index] { return payload }
        guard let payload = Payload.find(debs[index].digest, label: debs[index].label, in: store) else {
            throw Failure("the store lost the payload of \(debs[index].label) while it was in use")
        }
        return payload
    }
}

/// Unpacks one .deb into the store, if it is the .deb with that digest.
func unpackPayload(_ deb: DebSource, store: Store) throws -> Payload {
    let temporary = try store.makeTemporaryDirectory("payload")
    defer { temporary.remove() }
    try verify(deb)
    let directory = temporary.path.appending("payload")
    try makeDirectory(at: directory)
    try PayloadUnpacking.unpack(try DebFile(at: deb.path, label: deb.label), into: directory)
    let kept = try store.keep(directoryAt: directory, on: .payloads, key: deb.digest)
    return Payload(digest: deb.digest, directory: kept, label: deb.label)
}

/// It was verified when it was fetched; that may be long ago.
func verify(_ deb: DebSource) throws(Failure) {
    let (name, folder) = (deb.path.lastComponent?.string ?? "", deb.path.removingLastComponent().string)
    guard let path = TreePath(normalizing: name) else { return }
    let blob = Blob(size: fileSize(deb.path), digest: nil, source: .file(directory: folder, path: path))
    let actual = try blob.takeDigest()
    guard actual == deb.digest else {
        throw Failure(
            "cannot unpack \(deb.label): \(deb.path) is not the package that was fetched",
            notes: ["it should have the digest \(deb.digest)", "it has \(actual)"],
            hint: "remove this file, and it is fetched again")
    }
}

/// In bytes; 0 for a file that is not there, which opening it will say.
private func fileSize(_ path: FilePath) -> UInt64 {
    var status = stat()
    return stat(path.string, &status) == 0 ? UInt64(status.st_size) : 0
}
