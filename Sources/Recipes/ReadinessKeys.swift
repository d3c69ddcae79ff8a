internal import RootfsModel

// The keys of when a service counts as ready.

extension Recipe.Readiness {
    /// The probe, if it is of one kind: each kind is a key.
    private func probe<Value>(_ extract: (Recipe.ReadinessProbe) -> Value?) -> Located<Value>? {
        extract(probe.value).map { Located($0, at: probe.location) }
    }

    private mutating func setProbe<Value>(_ value: Located<Value>?, _ make: (Value) -> Recipe.ReadinessProbe) {
        if let value { probe = Located(make(value.value), at: value.location) }
    }

    var http: Located<String>? {
        get { probe { if case .http(let url) = $0 { url } else { nil } } }
        set { setProbe(newValue) { .http($0) } }
    }

    var tcp: Located<SocketAddress>? {
        get { probe { if case .tcp(let host, let port) = $0 { SocketAddress(host: host, port: port) } else { nil } } }
        set { setProbe(newValue) { .tcp(host: $0.host, port: $0.port) } }
    }

    var file: Located<TreePath>? {
        get { probe { if case .file(let path) = $0 { path } else { nil } } }
        set { setProbe(newValue) { .file($0) } }
    }

    var unix: Located<TreePath>? {
        get { probe { if case .unix(let path) = $0 { path } else { nil } } }
        set { setProbe(newValue) { .unix($0) } }
    }

    var console: Located<String>? {
        get { probe { if case .console(let text) = $0 { text } else { nil } } }
        set { setProbe(newValue) { .console($0) } }
    }

    var command: [Located<String>]? {
        get { if case .command(let words) = probe.value { words } else { nil } }
        set { if let newValue { probe = Located(.command(newValue), at: newValue.first?.location) } }
    }
}

/// A host and a port.
struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    var host: String
    var port: UInt16

    /// `8080`, `127.0.0.1:8080`, `[::1]:8080`; a port alone is this machine's.
    init?(_ text: some StringProtocol) {
        let colon = text.lastIndex(of: ":")
        var host = colon.map { String(text[..<$0]) } ?? "127.0.0.1"
        let digits = colon.map { text[text.index(after: $0)...] } ?? text[...]
        guard let number = decimal(digits), let port = UInt16(exactly: number), port > 0 else { return nil }
        if host.hasPrefix("[") && host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard host.contains(":"),
                host.utf8.allSatisfy({ $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") || isHexDigit($0) })
            else {
                return nil
            }
        } else if !isHostname(host) {
            return nil
        }
        self.init(host: host, port: port)
    }

    init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

private func isHexDigit(_ byte: UInt8) -> Bool {
    isDigit(byte) || "abcdefABCDEF".utf8.contains(byte)
}

extension ValueFormat where Value == SocketAddress {
    static let socketAddress = parsed("a host and a port such as 127.0.0.1:8080", write: \.description) {
        text, reader, place in
        if let address = SocketAddress(text) { return address }
        reader.report(
            "`\(shortened(text))` is not a host and a port", at: place,
            hint: "write for example `8080` or `127.0.0.1:8080`")
        return nil
    }
}

extension ValueFormat where Value == String {
    /// A plain HTTP URL: the probe runs inside the machine, where certificates prove nothing.
    static let httpURL = text("a URL such as http://127.0.0.1:8080/healthz", pattern: "^http://") { text in
        let rest = text.dropFirst("http://".count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let hasPort = authority.hasSuffix("]") ? false : authority.contains(":")
        let isAddress = SocketAddress(hasPort ? String(authority) : authority + ":80") != nil
        let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        if text.hasPrefix("http://") && isAddress && isPlain && !authority.isEmpty { return nil }
        return TextMistake(
            "`\(shortened(text))` is not an http URL", hint: "write for example `http://127.0.0.1:8080/healthz`")
    }
}

extension ValueFormat where Value == String {
    /// What can stand in a line.
    static let consoleText = text("a text of the console") { text in
        if text.isEmpty { return TextMistake("an empty text is always there") }
        return text.utf8.contains { $0 < 32 || $0 == 127 }
            ? TextMistake("the text has a line break or another control character, which no line has in it") : nil
    }
}

extension ValueFormat where Value == Recipe.Readiness {
    static let readiness = Self.record(
        "ready",
        keys: [
            RecipeKey("http", \.http, TextFormat.httpURL.located(), "a URL that answers with a status 200 to 299"),
            RecipeKey(
                "tcp", \.tcp, ValueFormat<SocketAddress>.socketAddress.located(), "a port that accepts a connection"),
            RecipeKey("file", \.file, PathFormat.imagePath("a file").located(), "a path that exists"),
            RecipeKey(
                "unix", \.unix, PathFormat.imagePath("a socket").located(), "a unix socket that is there"),
            RecipeKey(
                "console", \.console, TextFormat.consoleText.located(), "a text in a line that the service prints"),
            RecipeKey(
                "command", \.command,
                TextFormat.text("an argument").located().list(of: "a program and its arguments").notEmpty(
                    "a program and its arguments"), "a program, run as the service's user, that ends with the status 0"),
            RecipeKey("within", \.within, .positiveDuration, "default 30s"),
        ],
        oneOf: [KeyGroup(names: ["http", "tcp", "file", "unix", "console", "command"], isRequired: true)],
        initial: { Recipe.Readiness(probe: Located(.file(.root))) },
        finish: { _, node, reader in checkProgram(node.items("command").first, &reader) })
}

extension ValueFormat where Value == Duration {
    /// A time to wait for something: longer than none.
    static let positiveDuration: Self = {
        var format = duration
        format.read = { node, reader in
            guard let value = duration.read(node, &reader) else { return nil }
            if value > .zero { return value }
            reader.report("no time at all", at: node.place, hint: "write for example `30s`")
            return nil
        }
        return format
    }()
}
