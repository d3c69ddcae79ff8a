internal import RootfsModel

// The keys of services.

extension ValueFormat where Value == Recipe.Service {
    static let service = Self.record(
        "a service",
        keys: [
            RecipeKey(
                "command", \.command,
                TextFormat.text("an argument").located().list(of: "the program and its arguments").notEmpty(
                    "the program and its arguments"), required: true,
                "the program's absolute path and its arguments, as a list"),
            RecipeKey("user", \.user, TextFormat.account("a user").located(), "default root"),
            RecipeKey(
                "after", \.after, TextFormat.serviceOrUnit.located().list(of: "services"),
                "services that are ready before this one starts, or units of systemd's own by their full names, such as network.target"
            ),
            RecipeKey(
                "environment", \.environment,
                TextFormat.text().entries(
                    of: "names and values", sorted: true, key: .environmentName,
                    join: { Recipe.EnvironmentVariable(name: $0.value, value: $1) }, split: { ($0.name, $0.value) }),
                "environment variables"),
            RecipeKey("restart", \.restart, .restart, "what happens when it ends by itself"),
            RecipeKey("ready", \.ready, .readiness, "when it counts as ready; default: when started"),
        ],
        initial: { Recipe.Service(name: Located("")) },
        finish: { service, node, reader in
            guard let program = node.items("command").first, let text = program.text, !program.isNull else { return }
            if !text.hasPrefix("/") || TreePath(normalizing: text)?.isRoot != false {
                let isShell = text.contains(" ")
                reader.report(
                    "the program must be an absolute path, found `\(shortened(text))`", at: program.place,
                    hint: isShell
                        ? "write each argument as an item of its own" : "did you mean `/usr/bin/\(shortened(text))`?")
            }
        })
}

extension ValueFormat where Value == [Recipe.Service] {
    static let services = ValueFormat<Recipe.Service>.service.entries(
        of: "services", key: .serviceName,
        join: { name, service in
            var service = service
            service.name = name
            return service
        }, split: { ($0.name.value, $0) })
}

extension ValueFormat where Value == Recipe.Restart {
    static let restart = Self.record(
        "restart",
        keys: [
            RecipeKey("policy", \.policy, .choice("restart policy"), "default always"),
            RecipeKey("backoff", \.backoff, .backoff, "the wait before a restart, doubled each time: 1s..30s"),
            RecipeKey("limit", \.limit, .restartLimit, "how many restarts in which time are too many: 5 in 60s"),
        ],
        initial: { Recipe.Restart() }
    ).orShort(
        ValueFormat<Recipe.RestartPolicy>.choice("restart policy").map(
            { policy in
                var restart = Recipe.Restart()
                restart.policy = policy
                return restart
            }, back: { $0.policy }))
}

extension ValueFormat where Value == Recipe.Backoff {
    static let backoff = parsed(
        "a back-off such as 1s..30s", write: { "\($0.first.recipeText)..\($0.longest.recipeText)" },
        parse: { text, reader, place in
            guard let dots = text.firstRange(of: "..") else {
                reader.report("`\(shortened(text))` is not a back-off", at: place, hint: "write for example `1s..30s`")
                return nil
            }
            var bounds = [Duration]()
            for part in [text[..<dots.lowerBound], text[dots.upperBound...]] {
                guard let bound = Duration(recipeText: part) else {
                    let mistake = durationMistake(String(part))
                    reader.report(mistake.message, at: place, hint: mistake.hint)
                    return nil
                }
                bounds.append(bound)
            }
            if bounds[0] > bounds[1] || bounds[0] == .zero {
                let problem = bounds[0] == .zero ? "begins with no wait at all" : "ends below where it begins"
                reader.report("the back-off `\(shortened(text))` \(problem)", at: place)
                return nil
            }
            return Recipe.Backoff(first: bounds[0], longest: bounds[1])
        })
}

extension ValueFormat where Value == Recipe.RestartLimit {
    static let restartLimit = parsed(
        "a limit such as 5 in 60s", write: { "\($0.count) in \($0.window.recipeText)" },
        parse: { text, reader, place in
            let words = text.split(separator: " ")
            guard words.count == 3, words[1] == "in", let count = decimal(words[0]) else {
                reader.report(
                    "`\(shortened(text))` is not a limit of restarts", at: place, hint: "write for example `5 in 60s`")
                return nil
            }
            guard (1...1000).contains(count) else {
                reader.report("\(count) restarts are out of range: 1 to 1000", at: place)
                return nil
            }
            guard let window = Duration(recipeText: words[2]), window > .zero else {
                let mistake = durationMistake(String(words[2]))
                reader.report(mistake.message, at: place, hint: mistake.hint)
                return nil
            }
            return Recipe.RestartLimit(count: count, window: window)
        })
}

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
            RecipeKey("within", \.within, .positiveDuration, "default 30s"),
        ],
        oneOf: [KeyGroup(names: ["http", "tcp", "file", "unix"], isRequired: true)],
        initial: { Recipe.Readiness(probe: Located(.file(.root))) })
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
