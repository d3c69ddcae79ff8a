internal import Debian
internal import DebianArchive
internal import Dpkg
internal import RootfsModel
internal import Storage
internal import Synchronization
internal import SystemPackage

/// The packages of one recipe on their way: each is unpacked as soon as it is in the store, while others are still
/// fetched.
final class PackageSupply: Sendable {
    /// A package that is there.
    struct Supplied: Sendable {
        var payload: Payload
        var deb: FilePath
        /// When it came, in seconds since the build began.
        var time: Double
    }

    private let packages: [Lock.Package]
    private let recipe: String
    private let lockPlaces: LockPlaces
    private let resolution: Resolution
    private let workshop: Workshop
    private let clock: StageClock
    /// The places of the packages in the order of unpacking.
    private let places: [Int]
    /// The .debs in the store, and the unpacked packages, in the lock's order.
    private let arrivals: [Promise<FilePath>]
    private let supplies: [Promise<Supplied>]

    /// - Parameters:
    ///   - recipe: its path, for what helps.
    ///   - layers: the layers' names in their order; what is of none of them is needed with the last.
    init(
        _ held: HeldLock, of recipe: String, layers: [String], resolution: Resolution, workshop: Workshop,
        clock: StageClock
    ) {
        let lock = held.lock
        packages = lock.packages
        self.recipe = recipe
        lockPlaces = LockPlaces(path: held.path, recipePath: recipe)
        self.resolution = resolution
        self.workshop = workshop
        self.clock = clock
        let numbers = Dictionary(
            layers.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        let order = unpackOrder(
            lock.packages.map { package in
                // The kernel's, with the last layer: making its files takes a moment.
                guard case .layer(let name) = package.purpose else { return (max(0, layers.count - 1), package.size) }
                return (numbers[name] ?? layers.count, package.size)
            }, jobs: workshop.settings.jobs)
        var places = [Int](repeating: 0, count: order.count)
        for (place, index) in order.enumerated() { places[index] = place }
        self.places = places
        arrivals = lock.packages.map { _ in Promise() }
        supplies = lock.packages.map { _ in Promise() }
    }

    /// Waits for one package, by its index in the lock. Throws why it cannot be unpacked, or that it is another one than
    /// the lock says.
    func package(_ index: Int) async throws -> Supplied {
        try await supplies[index].value()
    }

    /// Why packages could not be fetched: nothing that the store holds is to blame.
    struct FetchError: Error {
        var failure: Failure
    }

    /// Fetches and unpacks them all. Throws a `FetchError` as soon as all was tried and something cannot be fetched;
    /// what cannot be unpacked is told to those who wait for it.
    func run() async throws {
        let unpacking = Unpacking(clock, packages.map(\.size))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in packages.indices.sorted(by: { places[$0] < places[$1] }) {
                group.addTask { try await self.unpack(index, unpacking) }
            }
            do {
                try fetch()
            } catch let failure as Failure {
                throw FetchError(failure: failure)
            }
            try await group.waitForAll()
        }
        try unpacking.end()
    }

    private func unpack(_ index: Int, _ unpacking: Unpacking) async throws {
        let package = packages[index]
        let workshop = workshop
        let path = try await arrivals[index].value()
        let stage = try unpacking.stage(first: package.label)
        do {
            let payload = try await workshop.payloads.value(package.sha256) {
                try await workshop.slots.run(.unpacking(places[index])) { _ in
                    let deb = DebSource(
                        path: path, digest: package.sha256, label: package.label,
                        isVerified: workshop.wasFetched(package.sha256))
                    let store = workshop.settings.store
                    if store.directory(.payloads, key: package.sha256) != nil { workshop.noteUnread(package.sha256) }
                    return try stage.work { try Payload.take(deb, store: store) }
                }
            }
            try lockPlaces.check(package, against: payload.stanza())
            supplies[index].fulfil(.success(Supplied(payload: payload, deb: path, time: clock.now)))
            unpacking.advance(stage, package.size)
        } catch let error as CancellationError {
            throw error
        } catch {
            supplies[index].fulfil(.failure(error))
        }
    }

    private func fetch() throws {
        let store = workshop.settings.store
        let arrivals = arrivals
        var missing = [Int]()
        for (index, package) in packages.enumerated() {
            if let path = store.file(package.sha256, size: package.size) {
                arrivals[index].fulfil(.success(path))
            } else {
                missing.append(index)
            }
        }
        // Offline it is a list for the user.
        if !workshop.settings.offline { missing.sort { places[$0] < places[$1] } }
        let inStore = "\(packages.count) packages in the store"
        if missing.isEmpty { return try clock.begin("fetch").end(inStore) }
        let (clock, workshop, asked, wanted) = (clock, workshop, clock.now, missing)
        try workshop.client.withLock { client in
            let stage = try clock.begin(
                "fetch", waits: [StageWait(for: "another recipe's downloads", clock.now - asked)])
            var bytes: UInt64 = 0
            try stage.work {
                let sources = try PackageSources(
                    for: wanted.map { packages[$0] }, of: resolution, directories: workshop.packageDirectories,
                    settings: workshop.settings)
                let files = wanted.map { sources.file(packages[$0]) }
                _ = try client.fetch(
                    files, failing: { missingPackages($0.map { (packages[wanted[$0]], $1) }, recipe: recipe) },
                    progress: {
                        bytes = $0.bytes
                        stage.advance($0.bytes, of: $0.totalBytes, .bytes)
                    },
                    arrived: { number, path, isNew in
                        if isNew { workshop.noteFetched(files[number].digest) }
                        arrivals[wanted[number]].fulfil(.success(path))
                    })
            }
            stage.end(bytes == 0 ? inStore : "\(byteText(bytes)) fetched")
        }
    }
}

extension Lock.Package {
    /// As messages name it: `bash 5.2.15-2+b13`.
    var label: String { "\(name) \(version)" }
}

/// How far the unpacking of one recipe's packages is.
private final class Unpacking: Sendable {
    private let clock: StageClock
    private let count: Int
    private let total: UInt64
    private let asked: Double
    private let state = Mutex<(stage: RunningStage?, done: UInt64)>((nil, 0))

    init(_ clock: StageClock, _ sizes: [UInt64]) {
        self.clock = clock
        count = sizes.count
        total = sizes.reduce(0, &+)
        asked = clock.now
    }

    /// The stage, which begins with the first package that is there.
    func stage(first label: String) throws -> RunningStage {
        try state.withLock { state in
            if let stage = state.stage { return stage }
            let stage = try clock.begin("unpack", waits: [StageWait(for: "fetching \(label)", clock.now - asked)])
            state.stage = stage
            return stage
        }
    }

    func advance(_ stage: RunningStage, _ size: UInt64) {
        let done = state.withLock { state in
            state.done += size
            return state.done
        }
        stage.advance(done, of: total, .bytes)
    }

    func end() throws {
        try stage(first: "nothing").end("\(count) packages")
    }
}
