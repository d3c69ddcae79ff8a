internal import Debian
internal import DebianArchive
internal import Dpkg
internal import RootfsModel
internal import Storage
internal import Synchronization
internal import SystemPackage

/// What the recipes of one call share: the connections, the limit of what goes on at once, and what is made once for
/// all of them.
final class Workshop: Sendable {
    let settings: BuildSettings
    let slots: WorkSlots
    /// One recipe at a time reads indexes or downloads; the next one finds in the store what this one fetched.
    let client: Mutex<ArchiveClient>
    let packageDirectories: PackageDirectories
    /// By the .deb's digest.
    let payloads = SharedWork<Digest, Payload>()
    /// By their keys.
    let layers = SharedWork<Digest, Layer>()
    /// The layers' lower directories, by the layers' keys.
    let lowerDirectories = SharedWork<Digest, FilePath>()
    /// Where layers are made, from the first on, and how many paths in it were given.
    private let directory = Mutex<(place: TemporaryDirectory?, paths: Int)>((nil, 0))
    private let fetched = Mutex(Set<Digest>())
    /// The payloads that the store had before, whose files nobody has read since: what is in an image is compared when
    /// it is written, but scripts may read what is not.
    private let unread = Mutex(Set<Digest>())
    private let intact = SharedWork<Digest, Bool>()
    private let terminal = Mutex(())
    /// How many recipes may still make layers.
    private let visitors: Mutex<Int>

    /// - Parameter recipes: how many there are.
    init(_ settings: BuildSettings, recipes: Int) throws {
        self.settings = settings
        visitors = Mutex(recipes)
        packageDirectories = PackageDirectories(settings.packageDirectories)
        slots = WorkSlots(settings.jobs)
        client = Mutex(try archiveClient(settings))
    }

    /// A path on the store's file system that nothing is at; what is made there goes with the workshop.
    func freePath(_ purpose: String) throws -> FilePath {
        try directory.withLock { directory in
            let place = try directory.place ?? settings.store.makeTemporaryDirectory("layers")
            directory = (place, directory.paths + 1)
            return place.path.appending("\(purpose)-\(directory.paths)")
        }
    }

    fileprivate func oneLeaves() {
        let left = visitors.withLock { visitors in
            visitors -= 1
            return visitors
        }
        if left == 0 { directory.withLock { $0.place }?.remove() }
    }

    /// Notes that a file's digest was taken while it was written just now.
    func noteFetched(_ digest: Digest) {
        _ = fetched.withLock { $0.insert(digest) }
    }

    func wasFetched(_ digest: Digest) -> Bool {
        fetched.withLock { $0.contains(digest) }
    }

    func noteUnread(_ payload: Digest) {
        _ = unread.withLock { $0.insert(payload) }
    }

    /// Throws where a payload that the store had before is not what it was when it was unpacked. Each is read once.
    func checkUnread(_ payload: Payload) async throws {
        guard unread.withLock({ $0.contains(payload.digest) }) else { return }
        try Task.checkCancellation()
        guard try await intact.value(payload.digest, make: { try payload.isIntact() }) else {
            throw Failure("\(payload.label) in the store is not what it was when it was unpacked")
        }
    }

    /// Gives the user's terminal to one at a time; `note` tells the user why.
    func withTerminal(_ note: String, _ body: () -> Void) {
        terminal.withLock { _ in
            settings.progress(.note(note))
            settings.progress(.terminalTaken)
            body()
            settings.progress(.terminalReturned)
        }
    }
}

/// One recipe's stay in the workshop, and what it used: looked at when it fails.
final class Visit: Sendable {
    let workshop: Workshop
    private let used = Mutex<(lock: Lock?, layers: [Digest], hasLeft: Bool)>((nil, [], false))

    init(_ workshop: Workshop) {
        self.workshop = workshop
    }

    var lock: Lock? { used.withLock { $0.lock } }
    var layers: [Digest] { used.withLock { $0.layers } }

    func use(_ lock: Lock) { used.withLock { $0.lock = lock } }
    func use(layers: [Digest]) { used.withLock { $0.layers = layers } }

    /// Makes no more layers. With the last recipe the directories go, which have tens of thousands of links.
    func leaveLayers() {
        let isFirst = used.withLock { used in
            defer { used.hasLeft = true }
            return !used.hasLeft
        }
        if isFirst { workshop.oneLeaves() }
    }
}
