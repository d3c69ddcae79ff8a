import Glibc

/// The host's own question to a service, through a port of the user network: a connection, and for HTTP a GET. It is
/// asked again and again, and never waited for.
struct HostProbe: ~Copyable {
    let service: String
    private let probe: BootRequest.Probe
    private let port: UInt16
    private var descriptor: Int32 = -1
    private var begun = Duration.zero
    private var next = Duration.zero
    private var hasAsked = false
    private var received = [UInt8]()

    /// - Parameter port: of this host's loopback address.
    init(_ service: String, _ probe: BootRequest.Probe, port: UInt16) {
        self.service = service
        self.probe = probe
        self.port = port
    }

    /// Goes on as far as it can at once; gives an answer when there is one. A new question follows every `pause`.
    mutating func step(at time: Duration, pause: Duration) -> HostAnswer? {
        if descriptor < 0 {
            guard time >= next else { return nil }
            begin(at: time)
        }
        guard let answer = look(at: time) else { return nil }
        close(descriptor)
        descriptor = -1
        next = time + pause
        return HostAnswer(isGood: answer.isGood, words: answer.words, time: time)
    }

    /// Asks at once and waits for the answer.
    mutating func ask(at time: () -> Duration) -> HostAnswer {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        next = .zero
        while true {
            if let answer = step(at: time(), pause: .zero) { return answer }
            usleep(50_000)
        }
    }

    private mutating func begin(at time: Duration) {
        begun = time
        hasAsked = false
        received = []
        descriptor = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = loopback(port)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private mutating func look(at time: Duration) -> (isGood: Bool, words: String)? {
        if time - begun > .seconds(5) { return (false, "no answer in 5 s") }
        if !hasAsked {
            var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&wait, 1, 0) > 0 else { return nil }
            var code: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
            if code != 0 { return (false, "no connection") }
            hasAsked = true
            if case .http(let url) = probe {
                let rest = url.dropFirst("http://".count)
                let authority = rest.prefix { !"/?#".contains($0) }
                let path = rest.dropFirst(authority.count)
                var text = Array(
                    "GET \(path.hasPrefix("/") ? "" : "/")\(path) HTTP/1.0\r\nHost: \(authority)\r\nConnection: close\r\n\r\n"
                        .utf8)
                _ = send(descriptor, &text, text.count, Int32(MSG_NOSIGNAL))
            }
        }
        var chunk = [UInt8](repeating: 0, count: 1024)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        if count > 0 { received += chunk[..<count] }
        guard case .http = probe else {
            // QEMU takes the connection itself, and ends it where the guest does not.
            if count == 0 || count < 0 && errno != EAGAIN { return (false, "closed without a byte") }
            return count > 0 || time - begun > .seconds(1) ? (true, "connected") : nil
        }
        if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
            let line = cleaned(Array(received[..<end]))
            let words = line.split(separator: " ")
            let isGood =
                words.count > 1 && words[0].hasPrefix("HTTP/1.") && words[1].count == 3 && words[1].first == "2"
            return (isGood, String(line.prefix(120)))
        }
        if count == 0 || count < 0 && errno != EAGAIN || received.count > 4096 {
            return (false, received.isEmpty ? "closed without an answer" : "an answer that is no HTTP")
        }
        return nil
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}

/// Whether a port of this host's loopback address can be had.
func isFree(_ port: UInt16) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    // As QEMU asks for it, so that connections that just ended are not in the way.
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    var address = loopback(port)
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
}

private func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}
