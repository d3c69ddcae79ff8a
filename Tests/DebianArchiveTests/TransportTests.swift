import ArchiveFixture
import Glibc
import RootfsModel
import Storage
import Synchronization
import SystemPackage
import Testing

@testable import DebianArchive

/// A served directory and one to fetch into.
private struct Site {
    let directory: FixtureDirectory
    let server: FixtureServer
    let target: FilePath

    init() throws {
        directory = try FixtureDirectory("site")
        try makeDirectory(at: directory.path.appending("files"))
        target = directory.path.appending("target")
        try makeDirectory(at: target)
        server = try FixtureServer(serving: directory.path.appending("files"))
    }

    /// Puts a file and gives the request for it.
    func put(_ name: String, _ bytes: [UInt8]) throws -> FetchRequest {
        try writeFile(bytes, to: directory.path.appending("files").appending(name))
        return FetchRequest(
            what: name, locations: ["\(server.uri)/\(name)"],
            content: .pinned(Digest(hashing: bytes), size: UInt64(bytes.count)))
    }

    func fetch(_ requests: [FetchRequest], options: TransportOptions = fast, isCancelled: () -> Bool = { false }) throws
        -> [Result<Arrival, FetchFailure>]
    {
        var transport = try Transport(options: options)
        return try transport.fetch(requests, into: target, isCancelled: isCancelled)
    }

    func failure(_ request: FetchRequest, options: TransportOptions = fast) throws -> String {
        switch try fetch([request], options: options)[0] {
        case .success(let arrival): return "it arrived: \(arrival)"
        case .failure(let failure): return text(failure.failure, hiding: [server.uri: "http://SERVER"])
        }
    }
}

private func content(_ outcome: Result<Arrival, FetchFailure>) throws -> [UInt8] {
    guard case .file(let path, let digest, let size, _, _) = try outcome.get() else { return [] }
    let bytes = try readFile(at: path)
    #expect(Digest(hashing: bytes) == digest)
    #expect(UInt64(bytes.count) == size)
    return bytes
}

@Suite struct TransportTests {
    @Test func fetchesManyFilesInParallelOverFewKeptConnections() throws {
        let site = try Site()
        var requests = [FetchRequest]()
        for number in 0..<60 {
            requests.append(try site.put("file-\(number)", noise(number * 997, seed: UInt64(number))))
        }
        for request in requests.prefix(8) { site.server.inject(.slow(milliseconds: 60), at: request.what, times: 1) }
        var options = fast
        options.parallel = 4
        var transport = try Transport(options: options)
        var arrivals = [Int]()
        var last = FetchProgress()
        let outcomes = try transport.fetch(
            requests, into: site.target, progress: { last = $0 }, arrived: { index, _ in arrivals.append(index) })
        for (number, outcome) in outcomes.enumerated() {
            #expect(try content(outcome) == noise(number * 997, seed: UInt64(number)))
        }
        #expect(arrivals.sorted() == Array(0..<60))
        #expect(last.items == 60 && last.totalItems == 60)
        #expect(last.bytes == last.totalBytes && last.bytes == UInt64((0..<60).reduce(0) { $0 + $1 * 997 }))
        // Four at a time, and none of them is opened twice, not by a second call either.
        _ = try transport.fetch(Array(requests.prefix(10)), into: site.target)
        #expect(site.server.requests.count == 70)
        #expect(Set(site.server.requests.map(\.connection)).count == 4)
    }

    @Test func aCutTransferGoesOnWhereItStopped() throws {
        let site = try Site()
        let bytes = noise(300_000, seed: 1)
        let request = try site.put("a", bytes)
        site.server.inject(.cut(after: 100_000), at: "a", times: 2)
        #expect(try content(site.fetch([request])[0]) == bytes)
        #expect(site.server.requests.map(\.range) == [nil, "bytes=100000-", "bytes=200000-"])
        #expect(site.server.requests.map(\.status) == [200, 206, 206])
    }

    @Test func moreCutsThanAttemptsAreFineWhileBytesArrive() throws {
        let site = try Site()
        let bytes = noise(100_000, seed: 2)
        let request = try site.put("a", bytes)
        site.server.inject(.cut(after: 9_000), at: "a", times: 11)
        #expect(try content(site.fetch([request])[0]) == bytes)
        #expect(site.server.requests.count == 12)
    }

    @Test func aServerWithoutRangesBeginsAgain() throws {
        let site = try Site()
        let bytes = noise(50_000, seed: 3)
        let request = try site.put("a", bytes)
        site.server.inject(.cut(after: 20_000), at: "a", times: 1)
        site.server.inject(.noRanges, at: "a", times: 1)
        #expect(try content(site.fetch([request])[0]) == bytes)
        #expect(site.server.requests.map(\.status) == [200, 200])
    }

    @Test func aFileThatChangedBetweenTwoPartsIsNotMixed() throws {
        let site = try Site()
        let old = noise(50_000, seed: 4)
        let new = noise(50_000, seed: 5)
        _ = try site.put("a", old)
        site.server.inject(.cut(after: 20_000), at: "a", times: 1)
        let name = site.directory.path.appending("files").appending("a")
        let request = FetchRequest(
            what: "a", locations: ["\(site.server.uri)/a"], content: .pinned(Digest(hashing: new), size: 50_000))
        var options = fast
        options.firstDelay = .milliseconds(500)
        var transport = try Transport(options: options)
        var isReplaced = false
        let outcomes = try transport.fetch(
            [request], into: site.target,
            progress: { progress in
                if progress.bytes == 20_000, !isReplaced {
                    isReplaced = true
                    try? writeFile(new, to: name)
                }
            })
        #expect(try content(outcomes[0]) == new)
        // If-Range made the server send all of the new one.
        #expect(site.server.requests.map(\.status) == [200, 200])
        #expect(site.server.requests.last?.range == "bytes=20000-")
    }

    @Test(arguments: [500, 502, 503, 429, 408])
    func transientStatusesAreTriedAgain(status: Int) throws {
        let site = try Site()
        let request = try site.put("a", [1, 2, 3])
        site.server.inject(.status(status), at: "a", times: 3)
        #expect(try content(site.fetch([request])[0]) == [1, 2, 3])
        #expect(site.server.requests.map(\.status) == [status, status, status, 200])
    }

    @Test(arguments: [404, 410, 403, 401])
    func finalStatusesAreNotTriedAgain(status: Int) throws {
        let site = try Site()
        let request = try site.put("a", [1, 2, 3])
        site.server.inject(.status(status), at: "a")
        _ = try site.failure(request)
        #expect(site.server.requests.count == 1)
    }

    @Test func aMissingFileIsNamed() throws {
        let site = try Site()
        var request = try site.put("a", [1])
        request.what = "hello 1.0 (all)"
        request.locations = ["\(site.server.uri)/b"]
        #expect(
            try site.failure(request)
                == "error: cannot fetch hello 1.0 (all): http://SERVER/b: the server answers 404 Not Found")
    }

    @Test func aServerThatStaysBrokenIsGivenUp() throws {
        let site = try Site()
        let request = try site.put("a", [1])
        site.server.inject(.status(503), at: "a")
        #expect(
            try site.failure(request)
                == "error: cannot fetch a: http://SERVER/a: the server answers 503 Service Unavailable")
        #expect(site.server.requests.count == fast.attempts)
    }

    @Test func anOverrunStopsTheDownloadAtOnce() throws {
        let site = try Site()
        let request = try site.put("a", noise(1_000, seed: 6))
        site.server.inject(.endless, at: "a")
        let message = try site.failure(request)
        #expect(message.hasPrefix("error: cannot fetch a: http://SERVER/a: it has at least "))
        #expect(message.contains(" bytes, not 1000\nhint: "))
        #expect(site.server.requests.count == 1)
    }

    @Test func anUnpinnedFileHasALimit() throws {
        let site = try Site()
        var request = try site.put("a", noise(5_000, seed: 7))
        request.content = .unpinned(limit: 4_999)
        #expect(
            try site.failure(request).hasPrefix(
                "error: cannot fetch a: http://SERVER/a: it has at least 5000 bytes, and 4999 are the most it may have")
        )
        request.content = .unpinned(limit: 5_000)
        #expect(try content(site.fetch([request])[0]).count == 5_000)
    }

    @Test func wrongBytesAreRefused() throws {
        let site = try Site()
        let request = try site.put("a", [1, 2, 3])
        site.server.inject(.wrongBytes, at: "a")
        #expect(
            try site.failure(request) == """
                error: cannot fetch a: http://SERVER/a: its digest is \(Digest(hashing: [0xfe, 2, 3])), not \
                \(Digest(hashing: [1, 2, 3]))
                hint: the mirror may be in the middle of an update or a proxy may have damaged the file; try again later \
                or name another mirror with --mirror
                """)
        #expect(site.server.requests.count == 1)
    }

    @Test func anotherSizeIsRefused() throws {
        let site = try Site()
        var request = try site.put("a", [1, 2, 3])
        request.content = .pinned(Digest(hashing: [1, 2, 3]), size: 4)
        #expect(
            try site.failure(request).hasPrefix("error: cannot fetch a: http://SERVER/a: it has 3 bytes, not 4\nhint: ")
        )
        request.content = .pinned(Digest(hashing: [1, 2, 3]), size: 2)
        #expect(
            try site.failure(request).hasPrefix(
                "error: cannot fetch a: http://SERVER/a: it has at least 3 bytes, not 2\nhint: "))
    }

    @Test func severalLocationsAreTriedInOrder() throws {
        let site = try Site()
        var request = try site.put("c", [1, 2, 3])
        _ = try site.put("b", [4, 5, 6])
        request.locations = ["a", "b", "c"].map { "\(site.server.uri)/\($0)" }
        #expect(try content(site.fetch([request])[0]) == [1, 2, 3])
        #expect(site.server.requests.map(\.path) == ["a", "b", "c"])
        request.locations.removeLast()
        #expect(
            try site.failure(request) == """
                error: cannot fetch c from any of its 2 locations
                  http://SERVER/a: the server answers 404 Not Found
                  http://SERVER/b: its digest is \(Digest(hashing: [4, 5, 6])), not \(Digest(hashing: [1, 2, 3]))
                hint: the mirror may be in the middle of an update or a proxy may have damaged the file; try again later \
                or name another mirror with --mirror
                """)
    }

    @Test func anUnreachableHostIsAskedForOneFileOnly() throws {
        let site = try Site()
        var dead = [FetchRequest]()
        for number in 0..<40 { dead.append(try site.put("file-\(number)", [UInt8(number)])) }
        let closed = try FixtureServer(serving: site.target)
        closed.stop()
        for index in dead.indices { dead[index].locations = ["\(closed.uri)/x"] }
        let start = ContinuousClock.now
        var options = fast
        options.parallel = 1
        options.firstDelay = .milliseconds(50)
        let outcomes = try site.fetch(dead, options: options)
        // 50 + 100 + 200 ms for the first one, nothing for the others.
        #expect(start.duration(to: .now) < .seconds(5))
        for outcome in outcomes {
            guard case .failure(let failure) = outcome else {
                Issue.record("it arrived")
                continue
            }
            #expect(failure.attempts.map(\.cause) == [.unreachable])
            #expect(
                failure.attempts.map(\.text) == ["Couldn't connect to server (Connection refused)"])
        }
    }

    @Test func aStalledTransferIsCutAndTriedAgain() throws {
        let site = try Site()
        let request = try site.put("a", [1, 2, 3])
        site.server.inject(.stall, at: "a", times: 1)
        #expect(try content(site.fetch([request])[0]) == [1, 2, 3])
        #expect(site.server.requests.count == 2)
    }

    @Test func anUnchangedFileIsNotSentAgain() throws {
        let site = try Site()
        var request = try site.put("a", [1, 2, 3])
        request.content = .unpinned(limit: 100)
        guard case .file(_, _, _, _, let validators) = try site.fetch([request])[0].get() else { return }
        request.validators = validators
        #expect(try site.fetch([request])[0].get() == .unchanged)
        _ = try site.put("a", [1, 2, 4])
        #expect(try content(site.fetch([request])[0]) == [1, 2, 4])
        #expect(site.server.requests.map(\.status) == [200, 304, 200])
    }

    @Test func filesOfThisHostAreFetchedToo() throws {
        let site = try Site()
        let odd = "with blank+plus%41.deb"
        var request = try site.put(odd, [1, 2, 3])
        request.locations = [location(of: odd, at: "file://\(site.directory.path.string)/files")]
        #expect(try content(site.fetch([request])[0]) == [1, 2, 3])
        request.locations = [location(of: odd, at: site.server.uri)]
        #expect(try content(site.fetch([request])[0]) == [1, 2, 3])
        #expect(site.server.requests.map(\.path) == [odd])
        request.locations = ["file:///nowhere/at/all"]
        #expect(
            try site.failure(request) == "error: cannot fetch \(odd): file:///nowhere/at/all: there is no such file")
    }

    @Test func otherProtocolsAreRefused() throws {
        let site = try Site()
        var request = try site.put("a", [1])
        request.locations = ["ftp://127.0.0.1/a"]
        #expect(try site.failure(request).hasPrefix("error: cannot fetch a: ftp://127.0.0.1/a: Unsupported protocol"))
    }

    @Test func cancellingEndsTheCallAndItsTransfers() throws {
        let site = try Site()
        let request = try site.put("a", noise(10_000, seed: 8))
        site.server.inject(.stall, at: "a")
        var asked = 0
        #expect(throws: CancellationError.self) {
            try site.fetch(
                [request],
                isCancelled: {
                    asked += 1
                    return asked > 3
                })
        }
        #expect(try directoryNames(at: site.target).isEmpty)
    }

    @Test func aProxyIsAskedInsteadOfTheServer() throws {
        let site = try Site()
        var request = try site.put("a", [1, 2, 3])
        request.locations = ["http://debian.example.invalid/a"]
        var options = fast
        options.proxies.http = site.server.uri
        #expect(try content(site.fetch([request], options: options)[0]) == [1, 2, 3])
        #expect(site.server.requests.map(\.path) == ["http://debian.example.invalid/a"])
    }

    @Test func aDirectoryThatCannotBeWrittenStopsTheCall() throws {
        let site = try Site()
        let request = try site.put("a", [1, 2, 3])
        var transport = try Transport(options: fast)
        let message = thrownText { _ = try transport.fetch([request], into: "/nowhere") }
        #expect(message == "error: cannot write /nowhere/fetch-0: No such file or directory")
        #expect(site.server.requests.count == 1)
    }

    @Test func aFullDiskStopsTheCall() throws {
        let site = try Site()
        let request = try site.put("a", noise(5_000, seed: 10))
        // Writing to it always fails for want of space.
        symlink("/dev/full", site.target.appending("fetch-0").string)
        let message = thrownText { _ = try site.fetch([request]) }
        #expect(
            message == """
                error: cannot write \(site.target.string)/fetch-0: No space left on device
                hint: free space there, or choose another place with -o (outputs) or --cache (store)
                """)
    }

    @Test func anEmptyFileArrives() throws {
        let site = try Site()
        #expect(try content(site.fetch([site.put("a", [])])[0]) == [])
    }
}
