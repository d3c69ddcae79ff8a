import Glibc
import RootfsModel
import Storage
import Synchronization
public import SystemPackage

/// An HTTP/1.1 server on 127.0.0.1 for the files of a directory: keep-alive, ranges, ETag and If-None-Match, and faults
/// on demand. Ends with the value or with `stop()`.
public final class FixtureServer: Sendable {
    public enum Fault: Hashable, Sendable {
        /// Answers with this status and a short text.
        case status(Int)
        /// Announces the whole file and closes the connection after so many bytes of the body.
        case cut(after: Int)
        /// Sends the whole file with its first byte changed.
        case wrongBytes
        /// Appends so many bytes, and announces them.
        case longer(by: Int)
        /// Appends bytes without end and without announcing a length, until the client closes.
        case endless
        /// Ignores Range.
        case noRanges
        /// Waits so many milliseconds before the answer.
        case slow(milliseconds: Int)
        /// Announces the file and sends nothing until the client closes.
        case stall
    }

    public struct Request: Hashable, Sendable {
        public var path: String
        public var range: String?
        public var status: Int
        /// Counts from 0 in the order of connecting.
        public var connection: Int
        /// Of the body.
        public var bytesSent: Int
    }

    private struct State {
        var requests = [Request]()
        var faults = [String: [Fault]]()
        var always = [String: Fault]()
        var connections = [Int: Int32]()
        var connectionCount = 0
        var isStopped = false
    }

    public let port: UInt16
    private let root: FilePath
    private let listener: Int32
    private let state = Mutex(State())

    public var uri: String { "http://127.0.0.1:\(port)" }

    /// What was asked, in the order of arrival.
    public var requests: [Request] { state.withLock { $0.requests } }

    public func forgetRequests() { state.withLock { $0.requests = [] } }

    /// The next requests of this path (without a leading slash) meet this fault; without `times` all of them.
    public func inject(_ fault: Fault, at path: String, times: Int? = nil) {
        state.withLock { state in
            if let times {
                state.faults[path, default: []] += Array(repeating: fault, count: times)
            } else {
                state.always[path] = fault
            }
        }
    }

    public init(serving root: FilePath) throws {
        self.root = root
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard listener >= 0 else { throw systemFailure("open a socket for", root) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isBound else {
            close(listener)
            throw systemFailure("bind a port for", root)
        }
        self.listener = listener
        self.port = UInt16(bigEndian: address.sin_port)
        // The thread must not keep the server alive: it knows what it needs through a weak reference.
        let reference = WeakServer(self)
        startThread { Self.acceptAll(listener, reference) }
    }

    deinit { stop() }

    /// Closes the port and all connections.
    public func stop() {
        let open = state.withLock { state -> [Int32] in
            if state.isStopped { return [] }
            state.isStopped = true
            return [listener] + state.connections.values
        }
        for descriptor in open { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    private static func acceptAll(_ listener: Int32, _ reference: WeakServer) {
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { break }
            guard let server = reference.server else {
                close(connection)
                break
            }
            let number = server.state.withLock { state -> Int in
                let number = state.connectionCount
                state.connectionCount += 1
                state.connections[number] = connection
                return number
            }
            startThread {
                while let request = readRequest(connection) {
                    guard let server = reference.server, server.answer(request, on: connection, number: number) else {
                        break
                    }
                }
                if let server = reference.server { server.state.withLock { $0.connections[number] = nil } }
                close(connection)
            }
        }
        close(listener)
    }

    /// False when the connection is to be closed.
    private func answer(_ request: RequestHead, on connection: Int32, number: Int) -> Bool {
        let path = percentDecoded(request.path.drop { $0 == "/" })
        let fault = state.withLock { state -> Fault? in
            if var queue = state.faults[path], !queue.isEmpty {
                let first = queue.removeFirst()
                state.faults[path] = queue
                return first
            }
            return state.always[path]
        }
        if case .slow(let milliseconds) = fault { usleep(UInt32(milliseconds) * 1000) }
        // A client that takes us for its proxy names the host before the path.
        let local =
            path.hasPrefix("http:") ? String(path.split(separator: "/").dropFirst(2).joined(separator: "/")) : path
        let file = root.appending(FilePath(local).components.filter { $0.kind == .regular })
        var info = stat()
        let bytes = stat(file.string, &info) == 0 && info.st_mode & S_IFMT == S_IFREG ? try? readFile(at: file) : nil
        let entry = state.withLock { state -> Int in
            state.requests.append(
                Request(path: path, range: request.headers["range"], status: 0, connection: number, bytesSent: 0))
            return state.requests.count - 1
        }
        func respond(_ status: Int, _ headers: [String], _ body: [UInt8], announced: Int? = nil, isWhole: Bool = true)
            -> Bool
        {
            var head = "HTTP/1.1 \(status) Fixture\r\n"
            for header in headers { head += header + "\r\n" }
            if let announced { head += "Content-Length: \(announced)\r\n" }
            head += "\r\n"
            state.withLock { state in
                // The log may have been forgotten since.
                guard entry < state.requests.count else { return }
                state.requests[entry].status = status
                state.requests[entry].bytesSent = body.count
            }
            return sendAll(Array(head.utf8), connection) && sendAll(body, connection) && isWhole
        }
        if case .status(let status) = fault {
            let body = Array("fault\n".utf8)
            return respond(status, [], body, announced: body.count)
        }
        guard var bytes else {
            let body = Array("not found\n".utf8)
            return respond(404, [], body, announced: body.count)
        }
        let tag = "\"\(Digest(hashing: bytes).hex.prefix(16))\""
        if fault == .wrongBytes, !bytes.isEmpty { bytes[0] ^= 0xff }
        if case .longer(let count) = fault { bytes += [UInt8](repeating: 0, count: count) }
        if request.headers["if-none-match"] == tag { return respond(304, ["ETag: \(tag)"], []) }
        if fault == .endless {
            guard respond(200, ["Connection: close"], bytes) else { return false }
            while sendAll([UInt8](repeating: 0, count: 65536), connection) {}
            return false
        }
        if fault == .stall {
            guard respond(200, [], [], announced: bytes.count) else { return false }
            var byte: UInt8 = 0
            while recv(connection, &byte, 1, 0) > 0 {}
            return false
        }
        var start = 0
        let isSame = request.headers["if-range"].map { $0 == tag } ?? true
        if fault != .noRanges, isSame, let range = request.headers["range"], range.hasPrefix("bytes="),
            range.hasSuffix("-"),
            let asked = Int(range.dropFirst(6).dropLast()), asked > 0
        {
            guard asked < bytes.count else {
                return respond(416, ["Content-Range: bytes */\(bytes.count)"], [], announced: 0)
            }
            start = asked
        }
        let body = Array(bytes[start...])
        var headers = ["ETag: \(tag)"]
        if start > 0 { headers.append("Content-Range: bytes \(start)-\(bytes.count - 1)/\(bytes.count)") }
        let status = start > 0 ? 206 : 200
        if case .cut(let count) = fault {
            return respond(status, headers, Array(body.prefix(count)), announced: body.count, isWhole: false)
        }
        return respond(status, headers, body, announced: body.count)
    }
}

private final class WeakServer: Sendable {
    private let reference: Mutex<WeakReference>

    private struct WeakReference {
        weak var server: FixtureServer?
    }

    init(_ server: FixtureServer) { self.reference = Mutex(WeakReference(server: server)) }

    var server: FixtureServer? { reference.withLock { $0.server } }
}

private struct RequestHead {
    var path: String
    /// By lower-case name.
    var headers = [String: String]()
}

/// The next request's head; nil when the client has closed.
private func readRequest(_ connection: Int32) -> RequestHead? {
    var bytes = [UInt8]()
    while !bytes.suffix(4).elementsEqual("\r\n\r\n".utf8) {
        var byte: UInt8 = 0
        guard recv(connection, &byte, 1, 0) == 1, bytes.count < 65536 else { return nil }
        bytes.append(byte)
    }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n")
    guard let words = lines.first?.split(separator: " "), words.count == 3 else { return nil }
    var head = RequestHead(path: String(words[1]))
    for line in lines.dropFirst() {
        guard let colon = line.firstIndex(of: ":") else { continue }
        head.headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
    }
    return head
}

private func sendAll(_ bytes: [UInt8], _ connection: Int32) -> Bool {
    bytes.withUnsafeBytes { buffer in
        var sent = 0
        while sent < buffer.count {
            let count = send(
                connection, buffer.baseAddress?.advanced(by: sent), buffer.count - sent, Int32(MSG_NOSIGNAL))
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }
}

private func percentDecoded(_ text: Substring) -> String {
    var bytes = [UInt8]()
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "%"), rest.count >= 2,
            let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
        {
            bytes.append(value)
            rest = rest.dropFirst(2)
        } else {
            bytes.append(byte)
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// A thread of its own: what blocks must not take one of Swift's few.
private func startThread(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let context = Unmanaged.passRetained(ThreadBody(body)).toOpaque()
    let status = pthread_create(
        &thread, nil,
        { context in
            if let context { Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run() }
            return nil
        }, context)
    precondition(status == 0, "a test could not start a thread")
    pthread_detach(thread)
}
