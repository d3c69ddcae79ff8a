import CCurl
import Glibc
import RootfsModel

/// What a server answered, read from its header lines.
struct HTTPAnswer {
    /// 0 for file URLs.
    var status = 0
    var entityTag: String?
    var lastModified: String?
    /// The first byte's offset and the whole size, of `Content-Range: bytes 5-9/10`.
    var rangeStart: UInt64?
    var rangeTotal: UInt64?
    /// The length of this answer's body; nil where the server does not say.
    var bodyLength: UInt64?
    /// What the server asks us to wait.
    var retryAfter = 0
    /// The error of the operating system behind a failed connection, 0 for none.
    var systemError: Int32 = 0

    /// Takes one header line, without its end. A status line begins a new answer: those before were redirects.
    mutating func read(line: Substring) {
        if line.hasPrefix("HTTP/") {
            self = HTTPAnswer()
            self.status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            return
        }
        guard let colon = line.firstIndex(of: ":") else { return }
        let name = line[..<colon].lowercased()
        let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
        switch name {
        case "etag": entityTag = String(value)
        case "last-modified": lastModified = String(value)
        case "content-range":
            guard value.hasPrefix("bytes ") else { return }
            let range = value.dropFirst(6)
            guard let slash = range.firstIndex(of: "/") else { return }
            rangeTotal = UInt64(range[range.index(after: slash)...])
            rangeStart = range[..<slash].split(separator: "-").first.flatMap { UInt64($0) }
        default: break
        }
    }
}

/// The owner of a libcurl easy handle and of the lists it borrows.
private final class CurlEasy {
    let handle: UnsafeMutableRawPointer
    private var headers: UnsafeMutablePointer<curl_slist>?

    init() throws(Failure) {
        guard let handle = curl_easy_init() else { throw Failure("cannot start a transfer: out of memory") }
        self.handle = handle
    }

    deinit {
        curl_easy_cleanup(handle)
        curl_slist_free_all(headers)
    }

    func set(_ option: CURLoption, _ value: Int) throws(Failure) { try check(curl_set_long(handle, option, value)) }

    func set(_ option: CURLoption, _ value: String) throws(Failure) {
        try check(curl_set_string(handle, option, value))
    }

    func setHeaders(_ lines: [String]) throws(Failure) {
        for line in lines { headers = curl_slist_append(headers, line) }
        try check(curl_set_headers(handle, headers))
    }

    func check(_ code: CURLcode) throws(Failure) {
        if code != CURLE_OK { throw Failure("cannot set up a transfer: \(curlWords(code))") }
    }
}

/// The owner of a libcurl multi handle, its easy handles and the transfers that run.
final class CurlMulti {
    private struct Active {
        var easy: CurlEasy
        var download: Download
    }

    private let multi: UnsafeMutableRawPointer
    private var active = [UnsafeMutableRawPointer: Active]()

    init(parallel: Int) throws(Failure) {
        guard libraryStarted, let multi = curl_multi_init() else { throw Failure("cannot start libcurl") }
        self.multi = multi
        curl_set_multi_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, parallel)
        curl_set_multi_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, parallel)
        curl_set_multi_long(multi, CURLMOPT_MAXCONNECTS, parallel)
    }

    deinit {
        stopAll()
        curl_multi_cleanup(multi)
    }

    var activeCount: Int { active.count }

    /// Starts a download's next attempt.
    func start(_ download: Download) throws(Failure) {
        // The connections are the multi handle's: a used easy handle holds nothing worth keeping.
        let easy = try CurlEasy()
        let options = download.options
        let attempt = download.beginAttempt()
        try easy.set(CURLOPT_URL, attempt.url)
        try easy.check(curl_set_protocols(easy.handle))
        try easy.set(CURLOPT_NOSIGNAL, 1)
        try easy.set(CURLOPT_FOLLOWLOCATION, 1)
        try easy.set(CURLOPT_MAXREDIRS, options.redirects)
        try easy.set(CURLOPT_USERAGENT, options.userAgent)
        try easy.set(CURLOPT_NETRC, Int(CURL_NETRC_OPTIONAL.rawValue))
        try easy.set(CURLOPT_CONNECTTIMEOUT_MS, options.connectTimeout.milliseconds)
        try easy.set(CURLOPT_LOW_SPEED_LIMIT, options.slowestRate)
        try easy.set(CURLOPT_LOW_SPEED_TIME, max(1, options.stallTimeout.milliseconds / 1000))
        try easy.set(CURLOPT_BUFFERSIZE, 256 << 10)
        if let proxy = attempt.proxy { try easy.set(CURLOPT_PROXY, proxy) }
        if let range = attempt.range { try easy.set(CURLOPT_RANGE, range) }
        try easy.setHeaders(attempt.headers)
        let context = Unmanaged.passUnretained(download).toOpaque()
        try easy.check(
            curl_set_write_callback(
                easy.handle,
                { bytes, size, count, context in
                    guard let bytes, let context else { return 0 }
                    let download = Unmanaged<Download>.fromOpaque(context).takeUnretainedValue()
                    return download.receive(UnsafeRawBufferPointer(start: bytes, count: size * count))
                        ? size * count : 0
                }, context))
        try easy.check(
            curl_set_header_callback(
                easy.handle,
                { bytes, size, count, context in
                    guard let bytes, let context else { return 0 }
                    let line = String(
                        decoding: UnsafeRawBufferPointer(start: bytes, count: size * count), as: UTF8.self)
                    let download = Unmanaged<Download>.fromOpaque(context).takeUnretainedValue()
                    download.answer.read(line: line.prefix { !$0.isNewline })
                    return size * count
                }, context))
        active[easy.handle] = Active(easy: easy, download: download)
        try Self.check(curl_multi_add_handle(multi, easy.handle))
    }

    func perform() throws(Failure) {
        var running: Int32 = 0
        try Self.check(curl_multi_perform(multi, &running))
    }

    /// Waits until something can be done, at most so long.
    func wait(atMost duration: Duration) throws(Failure) {
        try Self.check(curl_multi_poll(multi, nil, 0, Int32(clamping: duration.milliseconds), nil))
    }

    /// A transfer that has ended since the last call, with libcurl's verdict and the server's answer.
    func nextFinished() -> (Download, CURLcode, HTTPAnswer)? {
        var code = CURLE_OK
        while let handle = curl_next_finished(multi, &code) {
            guard let ended = active.removeValue(forKey: handle) else { continue }
            var answer = ended.download.answer
            let length = curl_get_offset(handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T)
            answer.bodyLength = length < 0 ? nil : UInt64(length)
            answer.retryAfter = Int(curl_get_offset(handle, CURLINFO_RETRY_AFTER))
            answer.systemError = Int32(clamping: curl_get_long(handle, CURLINFO_OS_ERRNO))
            curl_multi_remove_handle(multi, handle)
            return (ended.download, code, answer)
        }
        return nil
    }

    /// Ends what still runs and takes its temporary files away.
    func stopAll() {
        for ended in active.values {
            curl_multi_remove_handle(multi, ended.easy.handle)
            ended.download.discard()
        }
        active.removeAll()
    }

    private static func check(_ code: CURLMcode) throws(Failure) {
        if code != CURLM_OK { throw Failure("cannot transfer files: \(String(cString: curl_multi_strerror(code)))") }
    }
}

/// libcurl's global state, once in a process.
private let libraryStarted = curl_start_library() == CURLE_OK

/// libcurl's own words for an error code.
func curlWords(_ code: CURLcode) -> String {
    String(cString: curl_easy_strerror(code))
}

extension Duration {
    var milliseconds: Int {
        let (seconds, attoseconds) = components
        return Int(clamping: seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
    }
}
