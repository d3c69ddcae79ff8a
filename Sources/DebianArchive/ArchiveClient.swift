public import RootfsModel
public import Storage
public import SystemPackage

/// Fetches from signed archives into the store.
///
/// Offline it touches no network and takes all from the store. One client keeps its connections; it is used by one
/// thread at a time.
public struct ArchiveClient: ~Copyable {
    public let store: Store
    public let isOffline: Bool
    var transport: Transport
    let verifierDirectories: [FilePath]

    /// - Parameter verifierDirectories: where gpgv and sqv are looked for.
    public init(
        store: Store, offline: Bool, options: TransportOptions = TransportOptions(),
        verifierDirectories: [FilePath] = ["/usr/bin", "/usr/local/bin", "/bin"]
    ) throws(Failure) {
        self.store = store
        self.isOffline = offline
        self.transport = try Transport(options: options)
        self.verifierDirectories = verifierDirectories
    }

    /// Fetches files known by their digests; those that the store has are not fetched.
    ///
    /// All are tried, and the failure names each that could not be had. Offline, only files of this host are taken in.
    ///
    /// - Parameters:
    ///   - progress: what of this call is done; called some times a second, on this thread.
    ///   - arrived: called with a file's index as soon as it is in the store, in no particular order, on this thread;
    ///     it says whether the file's digest was taken just now, while it was written.
    ///   - failing: what is thrown for the files that could not be had, by their indexes; nil for the general words.
    /// - Returns: the files in the store, in the order of the request.
    public mutating func fetch(
        _ files: [PinnedFile], failing: ([(Int, FetchFailure)]) -> Failure? = { _ in nil },
        progress: (FetchProgress) -> Void = { _ in },
        isCancelled: () -> Bool = { Task.isCancelled },
        arrived: (Int, FilePath, _ isNew: Bool) throws -> Void = { _, _, _ in }
    ) throws -> [FilePath] {
        var paths = [FilePath?](repeating: nil, count: files.count)
        // Of files with the same digest one is fetched.
        var sharers = [Digest: [Int]]()
        var wanted = [Int]()
        for (index, file) in files.enumerated() {
            if let path = store.file(file.digest, size: file.size) {
                paths[index] = path
                try arrived(index, path, false)
            } else if sharers[file.digest] != nil {
                sharers[file.digest]?.append(index)
            } else {
                sharers[file.digest] = [index]
                wanted.append(index)
            }
        }
        if isOffline {
            let missing = wanted.filter { !files[$0].locations.contains { $0.hasPrefix("file:") } }
            if !missing.isEmpty { throw offlineFailure(missing.map { files[$0].what }) }
        }
        if !wanted.isEmpty {
            let requests = wanted.map { index in
                let file = files[index]
                let locations = isOffline ? file.locations.filter { $0.hasPrefix("file:") } : file.locations
                return FetchRequest(
                    what: file.what, locations: locations, content: .pinned(file.digest, size: file.size))
            }
            let scratch = try store.makeTemporaryDirectory("fetch")
            let store = store
            let outcomes = try transport.fetch(
                requests, into: scratch.path, progress: progress, isCancelled: isCancelled
            ) { number, arrival in
                guard case .file(let temporary, let digest, _, _, _) = arrival else { return }
                let path = try store.keep(fileAt: temporary, as: digest)
                for index in sharers[digest] ?? [] {
                    paths[index] = path
                    try arrived(index, path, true)
                }
            }
            var failures = [(Int, FetchFailure)]()
            for (index, outcome) in zip(wanted, outcomes) {
                if case .failure(let failure) = outcome { failures.append((index, failure)) }
            }
            if !failures.isEmpty, let failure = failing(failures) { throw failure }
            try Self.check(outcomes)
        }
        return paths.compactMap { $0 }
    }

    /// Throws one failure that names all that could not be fetched.
    private static func check(_ outcomes: [Result<Arrival, FetchFailure>]) throws(Failure) {
        var failures = [FetchFailure]()
        for outcome in outcomes {
            if case .failure(let failure) = outcome { failures.append(failure) }
        }
        guard let first = failures.first else { return }
        let allMissing = failures.allSatisfy(\.isMissing)
        let hint =
            allMissing
            ? "mirrors drop a package soon after its successor: resolve the recipe again with `rootfs-build lock --update`, "
                + "or name a mirror that keeps old versions (--mirror)" : first.failure.hint
        if failures.count == 1 {
            var failure = first.failure
            failure.hint = hint
            throw failure
        }
        throw Failure(
            "cannot fetch \(failures.count) of \(outcomes.count) files",
            notes: failures.flatMap { failure in
                failure.attempts.map { "\(failure.what): \($0.location): \($0.text)" }
            }, hint: hint)
    }

    /// What the store lacks, all of it.
    func offlineFailure(_ missing: [String]) -> Failure {
        Failure(
            "cannot build offline: the store \(store.root.string) lacks \(missing.count) "
                + (missing.count == 1 ? "file" : "files"),
            notes: missing, hint: "run once without --offline to fetch what is missing")
    }
}
