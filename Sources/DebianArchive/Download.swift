import CCurl
import Glibc
import RootfsModel
import Storage
import SystemPackage

/// One request on its way: where it is tried, what has arrived, and what to do after each attempt.
final class Download {
    enum Verdict {
        case arrived(Arrival)
        /// The same location again, after this delay.
        case again(Duration)
        /// The next location; the host is named when nobody answers there.
        case elsewhere(deadHost: (host: String, text: String)?)
    }

    struct Attempt {
        var url: String
        var proxy: String?
        var range: String?
        var headers: [String]
    }

    let request: FetchRequest
    let index: Int
    let options: TransportOptions
    /// What the server says in the attempt that runs.
    var answer = HTTPAnswer()

    private let path: FilePath
    private var file: FileDescriptor?
    private var hasher = DigestHasher()
    /// How many bytes are in the file and the hash.
    private(set) var received: UInt64 = 0
    /// The most that was ever received at this location: only more than that counts as progress.
    private var farthest: UInt64 = 0
    private var location = 0
    private var failedAttempts = 0
    private var attempts = [FetchFailure.Attempt]()
    /// What the file's first part belongs to, for `If-Range`.
    private var validators = Validators()
    private var mayResume = true

    /// What happened inside the attempt that runs.
    private var bodyBegan = false
    private var resumedAt: UInt64 = 0
    private var overrun: UInt64?
    private var wrongRange = false
    private var hostError: Failure?

    init(_ request: FetchRequest, index: Int, directory: FilePath, options: TransportOptions) {
        self.request = request
        self.index = index
        self.options = options
        self.path = directory.appending("fetch-\(index)")
    }

    deinit { try? file?.close() }

    var expectedSize: UInt64? {
        if case .pinned(_, let size) = request.content { size } else { nil }
    }

    /// The failure when no location is left.
    var exhausted: FetchFailure? {
        location < request.locations.count ? nil : FetchFailure(what: request.what, attempts: attempts)
    }

    /// Passes over locations whose host is known to be dead.
    func skip(hosts: [String: String]) {
        while location < request.locations.count, let text = hosts[Self.host(of: request.locations[location])] {
            giveUpLocation(.unreachable, text)
        }
    }

    func beginAttempt() -> Attempt {
        let url = request.locations[location]
        answer = HTTPAnswer()
        bodyBegan = false
        overrun = nil
        wrongRange = false
        var attempt = Attempt(url: url, headers: [])
        if url.hasPrefix("https:") { attempt.proxy = options.proxies.https }
        if url.hasPrefix("http:") { attempt.proxy = options.proxies.http }
        if received > 0 && (!mayResume || url.hasPrefix("file:")) { restart() }
        resumedAt = received
        if received > 0 {
            attempt.range = "\(received)-"
            // A weak tag says nothing about bytes.
            if let tag = validators.entityTag, !tag.hasPrefix("W/") {
                attempt.headers.append("If-Range: \(tag)")
            } else if let date = validators.lastModified {
                attempt.headers.append("If-Range: \(date)")
            }
        } else if location == 0, let known = request.validators {
            if let tag = known.entityTag { attempt.headers.append("If-None-Match: \(tag)") }
            if let date = known.lastModified { attempt.headers.append("If-Modified-Since: \(date)") }
        }
        if case .unpinned = request.content { attempt.headers.append("Cache-Control: max-age=0") }
        return attempt
    }

    /// Takes the next bytes; false ends the transfer.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // The body of an error page is of no use.
        if answer.status != 0 && answer.status != 200 && answer.status != 206 { return true }
        do throws(Failure) {
            if !bodyBegan { try beginBody() }
            if wrongRange { return false }
            let limit: UInt64
            switch request.content {
            case .pinned(_, let size): limit = size ?? .max
            case .unpinned(let most): limit = most
            }
            if UInt64(bytes.count) > limit - received {
                overrun = received + UInt64(bytes.count)
                return false
            }
            try write(bytes)
            return true
        } catch {
            hostError = error
            return false
        }
    }

    private func beginBody() throws(Failure) {
        bodyBegan = true
        if answer.status == 206 {
            // Only the part that was asked for can be joined to what is there.
            let otherSize = expectedSize.map { answer.rangeTotal != nil && answer.rangeTotal != $0 } ?? false
            if answer.rangeStart != received || otherSize { wrongRange = true }
        } else if received > 0 {
            // The server sends all of it again: no ranges, or another version.
            restart()
        }
        if received == 0 { validators = Validators(entityTag: answer.entityTag, lastModified: answer.lastModified) }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        do {
            if file == nil {
                file = try FileDescriptor.open(
                    path, .writeOnly, options: [.create, .truncate, .closeOnExec],
                    permissions: [.ownerReadWrite, .groupRead, .otherRead])
            }
            try file?.writeAll(bytes)
        } catch {
            throw writingFailure(path, error)
        }
        hasher.update(bytes)
        received += UInt64(bytes.count)
    }

    /// What to do after an attempt.
    func finish(code: CURLcode, answer: HTTPAnswer) throws(Failure) -> Verdict {
        if let hostError { throw hostError }
        if answer.status == 304, request.validators != nil { return .arrived(.unchanged) }
        if wrongRange || answer.status == 416 {
            return again(.refused, "it does not go on where it was cut", fresh: true)
        }
        if let overrun { return wrongSize("at least \(overrun)") }
        if answer.status >= 400 { return refused(answer) }
        switch code {
        case CURLE_OK: break
        case CURLE_FILE_COULDNT_READ_FILE: return elsewhere(.missing, "there is no such file")
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
            return again(.unreachable, words(code, answer))
        case CURLE_OPERATION_TIMEDOUT:
            return again(answer.status == 0 ? .unreachable : .refused, words(code, answer))
        case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_HTTP2,
            CURLE_HTTP2_STREAM, CURLE_SSL_CONNECT_ERROR:
            return again(.refused, words(code, answer))
        default: return elsewhere(.refused, words(code, answer))
        }
        return try checked(answer)
    }

    /// The whole body came: is it what was asked for?
    private func checked(_ answer: HTTPAnswer) throws(Failure) -> Verdict {
        if !bodyBegan { try beginBody() }
        if received == 0 { try write(UnsafeRawBufferPointer(start: nil, count: 0)) }
        let digest = hasher.finalized()
        if case .pinned(let expected, let size) = request.content {
            if let size, received < size {
                // A server that does not say how long it is cannot be told from a cut connection.
                if answer.status != 0 && answer.bodyLength == nil {
                    return again(.refused, "it ended after \(received) of \(size) bytes")
                }
                return wrongSize("\(received)")
            }
            if digest != expected {
                let text = "its digest is \(digest), not \(expected)"
                // The parts may be of two versions: once more, from the start.
                if resumedAt > 0 { return again(.wrongContent, text, fresh: true) }
                return elsewhere(.wrongContent, text)
            }
        }
        do {
            try file?.close()
            file = nil
        } catch {
            throw writingFailure(path, error)
        }
        return .arrived(
            .file(path, digest: digest, size: received, location: location, validators: validators))
    }

    private func wrongSize(_ found: String) -> Verdict {
        switch request.content {
        case .pinned(_, let size): elsewhere(.wrongContent, "it has \(found) bytes, not \(size ?? 0)")
        case .unpinned(let limit):
            elsewhere(.wrongContent, "it has \(found) bytes, and \(limit) are the most it may have")
        }
    }

    private func refused(_ answer: HTTPAnswer) -> Verdict {
        let text = "the server answers \(statusWords(answer.status))"
        switch answer.status {
        case 404, 410: return elsewhere(.missing, text)
        case 408, 425, 429, 500, 502, 503, 504, 507, 509, 520...599:
            return again(.refused, text, delay: .seconds(min(answer.retryAfter, 60)))
        default: return elsewhere(.refused, text)
        }
    }

    /// The same location again unless it was tried often enough without getting further.
    private func again(
        _ cause: FetchFailure.Cause, _ text: String, fresh: Bool = false, delay asked: Duration = .zero
    ) -> Verdict {
        if received > farthest {
            farthest = received
            failedAttempts = 0
        }
        if fresh {
            mayResume = false
            restart()
        }
        failedAttempts += 1
        if failedAttempts >= options.attempts { return elsewhere(cause, text) }
        var delay = options.firstDelay
        for _ in 1..<failedAttempts where delay < options.longestDelay { delay *= 2 }
        return .again(max(min(delay, options.longestDelay), asked))
    }

    private func elsewhere(_ cause: FetchFailure.Cause, _ text: String) -> Verdict {
        let host = Self.host(of: request.locations[location])
        giveUpLocation(cause, text)
        return .elsewhere(deadHost: cause == .unreachable ? (host, text) : nil)
    }

    private func giveUpLocation(_ cause: FetchFailure.Cause, _ text: String) {
        attempts.append(FetchFailure.Attempt(location: request.locations[location], cause: cause, text: text))
        location += 1
        failedAttempts = 0
        farthest = 0
        mayResume = true
        restart()
    }

    private func restart() {
        discard()
        hasher = DigestHasher()
        received = 0
        validators = Validators()
    }

    /// Takes the temporary file away.
    func discard() {
        guard file != nil else { return }
        try? file?.close()
        file = nil
        unlink(path.string)
    }

    private func words(_ code: CURLcode, _ answer: HTTPAnswer) -> String {
        let cause = answer.systemError == 0 ? "" : " (\(Errno(rawValue: answer.systemError)))"
        let place = received > 0 ? " after \(received) bytes" : ""
        return curlWords(code) + place + cause
    }

    /// Scheme, host and port of a URL.
    static func host(of url: String) -> String {
        url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false).prefix(3).joined(separator: "/")
    }
}

/// What the operating system says of an error.
private func writingFailure(_ path: FilePath, _ error: any Error) -> Failure {
    if let code = error as? Errno { return systemFailure("write", path, code: code.rawValue) }
    return Failure("cannot write \(path): \(error)")
}

func describe(_ error: any Error) -> String {
    (error as? Errno).map { $0.description } ?? String(describing: error)
}

/// `404 Not Found`.
private func statusWords(_ status: Int) -> String {
    let known = [
        400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
        407: "Proxy Authentication Required",
        408: "Request Timeout", 410: "Gone", 429: "Too Many Requests", 451: "Unavailable For Legal Reasons",
        500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
    ]
    return known[status].map { "\(status) \($0)" } ?? "\(status)"
}
