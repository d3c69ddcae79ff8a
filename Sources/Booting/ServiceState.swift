/// How a service's process ended.
public struct Death: Hashable, Sendable {
    public var time: Duration
    /// `exit status 1`, `signal SIGKILL`, `no process was started`.
    public var ending: String
    /// systemd's word: `exit-code`, `oom-kill`, `watchdog`.
    public var result: String?
    public var meaning: String?
    /// Whether it had been ready before.
    public var wasReady: Bool
    /// The supervisor's own line about it has come.
    var isReported: Bool

    /// Whether starting it again cannot help: systemd could not set its process up. Its statuses for that begin at 200
    /// (systemd.exec(5), "Process Exit Codes").
    var isHopeless: Bool {
        if ending == Self.notStarted { return true }
        guard let status = ending.between("exit status ").flatMap({ Int($0) }) else { return false }
        return (200...245).contains(status)
    }

    /// Whether it may have been stopped because it was not ready in its time.
    var wasStopped: Bool { ending == "signal SIGTERM" || ending == "exit status 143" }

    static let notStarted = "no process was started"

    /// From the supervisor's `DIED app-web.service: exit status 1, result=exit-code, restart #0, uptime 3s -- why`.
    init?(died text: String, at time: Duration, wasReady: Bool) {
        guard let words = text.between("DIED "), let colon = words.firstRange(of: ".service: ") else { return nil }
        let rest = words[colon.upperBound...]
        self.time = time
        ending = String(rest.firstRange(of: ", result=").map { rest[..<$0.lowerBound] } ?? rest)
        result = rest.between(", result=").map { String($0.prefix { $0 != "," && $0 != " " }) }
        meaning = rest.between(" -- ").map { String($0) }
        self.wasReady = wasReady
        isReported = true
    }

    /// From what PID 1 says of a unit: it is all there is where the supervisor could not be started either.
    init?(systemd text: String, at time: Duration, wasReady: Bool) {
        if let words = text.between("Main process exited, code=") {
            let code = words.prefix { $0 != "," }
            guard let status = words.between("status="), let slash = status.firstIndex(of: "/") else { return nil }
            let (number, name) = (status[..<slash], status[status.index(after: slash)...])
            ending = code == "exited" ? "exit status \(number)" : "signal SIG\(name)"
            if code == "dumped" { ending += ", core dumped" }
            meaning = Self.meanings[String(number)].flatMap { code == "exited" ? $0 : nil }
        } else if text.contains("Failed to load environment files") || text.contains("Failed to run 'start' task") {
            ending = Self.notStarted
            result = "resources"
            meaning = "systemd could not set it up: an EnvironmentFile= or another resource is missing"
        } else {
            return nil
        }
        self.time = time
        self.wasReady = wasReady
        isReported = false
    }

    /// For the statuses with which systemd runs no ExecStopPost= either, so that nobody else says what they mean.
    private static let meanings = [
        "200": "its WorkingDirectory= does not exist",
        "203":
            "systemd could not execute it: path wrong, not executable, or its ELF interpreter or #! line names something that is not there",
        "216": "its Group= does not exist in the image",
        "217": "its User= does not exist in the image",
        "226": "a path in its sandbox settings (ReadWritePaths= and the like) does not exist",
    ]
}

/// What was seen of a service.
public struct ServiceState: Hashable, Sendable {
    public let name: String
    public let probe: BootRequest.Probe?
    let runsForEver: Bool
    /// When it was first ready, from the machine's start.
    public internal(set) var readyAt: Duration?
    /// How long it says that it took, and by which probe: `1.2s: http http://…`.
    public internal(set) var readyWords: String?
    /// Whether the host's question was what showed it.
    public internal(set) var isReadyByHost = false
    /// How often it was not ready in its time, and what did answer then.
    public internal(set) var notReady = 0
    public internal(set) var answered: String?
    public internal(set) var deaths: [Death] = []
    public internal(set) var isGivenUp = false
    /// Its last lines, and those about it.
    public internal(set) var lastLines: [ConsoleLine] = []
    /// The first and the last answer to the host's question.
    public internal(set) var firstAnswer: HostAnswer?
    public internal(set) var lastAnswer: HostAnswer?

    init(_ service: BootRequest.Service) {
        name = service.name
        probe = service.probe
        runsForEver = service.runsForEver
    }

    /// `app-web`, as the console names it.
    var unit: String { "app-\(name)" }

    var wasHeardOf: Bool { !lastLines.isEmpty }

    mutating func keep(_ line: ConsoleLine) {
        lastLines.append(line)
        if lastLines.count > 16 { lastLines.removeFirst() }
    }

    /// Takes a death; gives whether it is another than the last one, and not only more about that.
    mutating func add(_ death: Death) -> Bool {
        guard let last = deaths.last, death.isReported, !last.isReported else {
            deaths.append(death)
            return true
        }
        deaths[deaths.count - 1] = death
        deaths[deaths.count - 1].wasReady = last.wasReady
        deaths[deaths.count - 1].time = last.time
        return false
    }
}

/// What came back when the host asked a service through the user network.
public struct HostAnswer: Hashable, Sendable {
    public var isGood: Bool
    /// `HTTP/1.1 200 OK`, `connected`, `closed without an answer`.
    public var words: String
    public var time: Duration

    public init(isGood: Bool, words: String, time: Duration) {
        self.isGood = isGood
        self.words = words
        self.time = time
    }
}
