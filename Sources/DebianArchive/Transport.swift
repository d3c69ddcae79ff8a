public import RootfsModel
public import SystemPackage

/// How hard and how long a transport tries.
public struct TransportOptions: Hashable, Sendable {
    /// How many transfers run at the same time.
    public var parallel = 8
    /// How often a transfer that gets nothing new is tried at one location.
    public var attempts = 5
    /// Before the second attempt; doubled before each further one, up to `longestDelay`.
    public var firstDelay = Duration.milliseconds(500)
    public var longestDelay = Duration.seconds(20)
    public var connectTimeout = Duration.seconds(15)
    /// A transfer slower than `slowestRate` bytes a second for so long is cut.
    public var stallTimeout = Duration.seconds(30)
    public var slowestRate = 500
    public var redirects = 8
    public var userAgent = "rootfs-build"
    /// Proxies besides libcurl's environment variables.
    public var proxies = ProxySettings()

    public init() {}
}

/// The proxies to take, by the scheme of what is fetched. Empty: libcurl's environment variables decide.
public struct ProxySettings: Hashable, Sendable {
    public var http: String?
    public var https: String?

    public init(http: String? = nil, https: String? = nil) {
        self.http = http
        self.https = https
    }
}

/// What a server says of one version of a file, to ask later whether it changed.
public struct Validators: Hashable, Sendable {
    public var entityTag: String?
    public var lastModified: String?

    public init(entityTag: String? = nil, lastModified: String? = nil) {
        self.entityTag = entityTag
        self.lastModified = lastModified
    }
}

/// One file to fetch.
public struct FetchRequest: Hashable, Sendable {
    public enum Content: Hashable, Sendable {
        /// Known beforehand; nothing else is accepted, and nothing beyond the size is read.
        case pinned(Digest, size: UInt64?)
        /// Not known, and at most so many bytes.
        case unpinned(limit: UInt64)
    }

    /// What it is, for messages: `chromium 120.0 (amd64)`.
    public var what: String
    /// Where it may be, tried in this order: http, https and file URLs, percent-encoded.
    public var locations: [String]
    public var content: Content
    /// The version at hand: `Arrival.unchanged` when the first location still serves it.
    public var validators: Validators?

    public init(what: String, locations: [String], content: Content, validators: Validators? = nil) {
        self.what = what
        self.locations = locations
        self.content = content
        self.validators = validators
    }
}

/// How a request came out.
public enum Arrival: Hashable, Sendable {
    /// A temporary file with the whole content, checked where the request pins it.
    case file(FilePath, digest: Digest, size: UInt64, location: Int, validators: Validators)
    /// The server says that the version at hand is still the newest.
    case unchanged
}

/// How far a call of `fetch` is.
public struct FetchProgress: Hashable, Sendable {
    public var bytes: UInt64 = 0
    /// All sizes known beforehand, together.
    public var totalBytes: UInt64 = 0
    public var items = 0
    public var totalItems = 0

    public init() {}
}

/// Why no location gave what was asked for.
public struct FetchFailure: Error, Hashable, Sendable {
    public enum Cause: Hashable, Sendable {
        /// The location answers and has no such file.
        case missing
        /// Nobody answers there.
        case unreachable
        /// It came, and is not what was asked for.
        case wrongContent
        /// Anything else the location or the connection did.
        case refused
    }

    public struct Attempt: Hashable, Sendable {
        public var location: String
        public var cause: Cause
        public var text: String
    }

    public var what: String
    /// One for each location, in the order they were tried.
    public var attempts: [Attempt]

    /// All locations answered, and none has it.
    public var isMissing: Bool { attempts.allSatisfy { $0.cause == .missing } }

    public var failure: Failure {
        if attempts.count == 1, let attempt = attempts.first {
            return Failure("cannot fetch \(what): \(attempt.location): \(attempt.text)", hint: hint)
        }
        if attempts.isEmpty { return Failure("cannot fetch \(what): no location is known for it") }
        return Failure(
            "cannot fetch \(what) from any of its \(attempts.count) locations",
            notes: attempts.map { "\($0.location): \($0.text)" }, hint: hint)
    }

    private var hint: String? {
        if attempts.contains(where: { $0.cause == .wrongContent }) {
            return "the mirror may be in the middle of an update or a proxy may have damaged the file; "
                + "try again later or name another mirror with --mirror"
        }
        if attempts.contains(where: { $0.cause == .unreachable }) {
            return "check the network and the proxy settings, or name another mirror with --mirror"
        }
        return nil
    }
}

/// Fetches files over HTTP, HTTPS and from directories, several at a time over kept connections.
///
/// A cut transfer goes on where it stopped, a transient error is tried again after a growing delay, and
/// whatever arrives is measured and hashed while its bytes pass. One transport keeps its connections until it
/// goes away, and asks no host again that stayed unreachable; it is used by one thread at a time.
public struct Transport: ~Copyable {
    public let options: TransportOptions
    private let multi: CurlMulti
    /// What was found out about hosts where nobody answers, by `Download.host(of:)`.
    private var deadHosts = [String: String]()

    public init(options: TransportOptions = TransportOptions()) throws(Failure) {
        self.options = options
        self.multi = try CurlMulti(parallel: options.parallel)
    }

    /// Fetches all requests into temporary files of a directory.
    ///
    /// - Parameters:
    ///   - directory: on the file system of wherever the files will be renamed to.
    ///   - progress: called some times a second and at the end, on this thread.
    ///   - isCancelled: asked some times a second; true ends the call with `CancellationError`.
    ///   - arrived: called with a request's index when it arrives, in the order of arrival, on this thread; it
    ///     may take the file away.
    /// - Returns: an outcome for each request, in the requests' order.
    /// - Throws: what `arrived` throws, `CancellationError`, and a `Failure` for what is wrong with this host (a
    ///   full disk); a location that fails is no throw but an outcome.
    public mutating func fetch(
        _ requests: [FetchRequest], into directory: FilePath,
        progress: (FetchProgress) -> Void = { _ in },
        isCancelled: () -> Bool = { Task.isCancelled },
        arrived: (Int, Arrival) throws -> Void = { _, _ in }
    ) throws -> [Result<Arrival, FetchFailure>] {
        var downloads = [Download]()
        for (index, request) in requests.enumerated() {
            downloads.append(Download(request, index: index, directory: directory, options: options))
        }
        var outcomes = [Result<Arrival, FetchFailure>?](repeating: nil, count: requests.count)
        var finished = 0
        var waiting = downloads[...]
        var delayed = [(download: Download, due: ContinuousClock.Instant)]()
        var nextReport = ContinuousClock.now

        func report() {
            var now = FetchProgress()
            for download in downloads {
                now.bytes += download.received
                now.totalBytes &+= download.expectedSize ?? 0
            }
            now.items = finished
            now.totalItems = downloads.count
            progress(now)
        }
        defer { multi.stopAll() }

        while finished < downloads.count {
            if isCancelled() { throw CancellationError() }
            let now = ContinuousClock.now
            while multi.activeCount < options.parallel {
                let next: Download
                if let due = delayed.firstIndex(where: { $0.due <= now }) {
                    next = delayed.remove(at: due).download
                } else if let first = waiting.popFirst() {
                    next = first
                } else {
                    break
                }
                next.skip(hosts: deadHosts)
                if let failure = next.exhausted {
                    outcomes[next.index] = .failure(failure)
                    finished += 1
                    continue
                }
                try multi.start(next)
            }

            try multi.perform()
            while let (download, code, answer) = multi.nextFinished() {
                switch try download.finish(code: code, answer: answer) {
                case .arrived(let arrival):
                    outcomes[download.index] = .success(arrival)
                    finished += 1
                    try arrived(download.index, arrival)
                case .again(let delay):
                    delayed.append((download, ContinuousClock.now.advanced(by: delay)))
                case .elsewhere(let deadHost):
                    // The next ones of this host need not find out for themselves.
                    if let deadHost { deadHosts[deadHost.host] = deadHost.text }
                    delayed.append((download, ContinuousClock.now))
                }
            }

            if ContinuousClock.now >= nextReport {
                report()
                nextReport = ContinuousClock.now.advanced(by: .milliseconds(100))
            }
            if finished < downloads.count {
                let due = delayed.map(\.due).min()
                let wait = due.map { max(.zero, ContinuousClock.now.duration(to: $0)) } ?? .milliseconds(100)
                try multi.wait(atMost: min(wait, .milliseconds(100)))
            }
        }
        report()
        return zip(outcomes, requests).map { outcome, request in
            outcome ?? .failure(FetchFailure(what: request.what, attempts: []))
        }
    }
}
