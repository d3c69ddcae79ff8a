/// What is known of a boot: fed with the console's bytes, the machine's state, the host's questions and the passing of
/// time, it says how far every service is and, in the end, the verdict. A pure value: it reads no clock.
public struct BootWatch: Sendable {
    /// How long silence is borne. Emulation needs more than hardware.
    public struct Patience: Hashable, Sendable {
        /// Without one byte, whatever the processor does.
        public var console = Duration.seconds(20)
        /// Without one byte while the processor idles: a kernel at work does not.
        public var idle = Duration.seconds(15)
        /// With a processor that stands still, or runs in a circle with its interrupts off.
        public var stuck = Duration.seconds(8)
        /// From what decides to the verdict: for a call trace, the supervisor's words, the service's last lines.
        public var gathering = Duration.seconds(2)

        public init() {}

        public static let emulation: Self = {
            var patience = Self()
            patience.console = .seconds(75)
            patience.idle = .seconds(25)
            patience.stuck = .seconds(20)
            patience.gathering = .seconds(3)
            return patience
        }()
    }

    /// What the VMM shows of the machine.
    public struct MachineState: Hashable, Sendable {
        /// Processor time that the VMM has used.
        public var cpu: Duration
        /// QEMU's word for it; nil where it was not asked.
        public var status: String?
        /// Where every processor stands, and whether it can be interrupted there; nil where it was not asked.
        public var processors: [Processor]?

        public struct Processor: Hashable, Sendable {
            public var instruction: UInt64
            public var isHalted: Bool
            public var takesInterrupts: Bool

            public init(instruction: UInt64, isHalted: Bool, takesInterrupts: Bool) {
                self.instruction = instruction
                self.isHalted = isHalted
                self.takesInterrupts = takesInterrupts
            }
        }

        public init(cpu: Duration, status: String? = nil, processors: [Processor]? = nil) {
            self.cpu = cpu
            self.status = status
            self.processors = processors
        }
    }

    /// `BOOTED after 12.3s: memory 121 MiB of 973 MiB used, app-web 88 MiB`.
    public struct Memory: Hashable, Sendable {
        public var used: Int
        public var total: Int
        /// MiB by service.
        public var services: [(name: String, used: Int)]

        public static func == (left: Self, right: Self) -> Bool {
            left.used == right.used && left.total == right.total
                && left.services.elementsEqual(right.services, by: { $0.name == $1.name && $0.used == $1.used })
        }

        public func hash(into hasher: inout Hasher) {
            hasher.combine(used)
            hasher.combine(total)
        }
    }

    let request: BootRequest
    let patience: Patience
    public internal(set) var console: Console
    public internal(set) var services: [ServiceState]
    /// When the kernel started, as its clock's zero lies on ours: the earliest that a line's two times allow.
    public internal(set) var kernelStart: Duration?
    /// When a program of the image's own was first heard of.
    public internal(set) var initStart: Duration?
    public internal(set) var firstByte: Duration?
    public internal(set) var memory: Memory?
    /// When everything was ready: the soak begins.
    public internal(set) var readySince: Duration?
    public internal(set) var verdict: Verdict?

    /// A verdict that is certain, while more is said about it.
    var pending: (verdict: Verdict, until: Duration)?
    var lastByte = Duration.zero
    /// Lines that matter whatever comes: the kernel's warnings, a full disk.
    var remarks: [ConsoleLine] = []
    var goodbye: ConsoleLine?
    var initMistake: ConsoleLine?
    var machine: MachineState?
    var load: Double?
    var lastSample: (time: Duration, cpu: Duration)?
    var idleSince: Duration?
    var stuckSince: Duration?
    /// Whose last lines the console is telling.
    var giveUp: Int?

    public init(_ request: BootRequest, patience: Patience = Patience()) {
        self.request = request
        self.patience = patience
        let texts = request.services.compactMap { service -> String? in
            if case .console(let text)? = service.probe, !request.isSupervised { text } else { nil }
        }
        console = Console(expecting: request.expect + texts)
        services = request.services.map { ServiceState($0) }
    }

    /// Takes what came in; gives the lines that ended with it.
    public mutating func append(_ bytes: some Collection<UInt8>, at time: Duration) -> [ConsoleLine] {
        if bytes.isEmpty { return [] }
        if firstByte == nil { firstByte = time }
        lastByte = time
        let lines = console.append(bytes, at: time)
        // One by one: what was ready and then died may have come together.
        for line in lines {
            take(line)
            lookAround(at: line.time)
        }
        lookAround(at: time)
        return lines
    }

    /// Takes what the host's question to a service came to.
    public mutating func answered(_ service: String, _ answer: HostAnswer) {
        guard let index = services.firstIndex(where: { $0.name == service }) else { return }
        if services[index].firstAnswer == nil || !services[index].firstAnswer!.isGood {
            services[index].firstAnswer = answer
        }
        services[index].lastAnswer = answer
        if !request.isSupervised, answer.isGood, services[index].readyAt == nil {
            services[index].readyAt = answer.time
            services[index].readyWords = answer.words
            services[index].isReadyByHost = true
        }
        lookAround(at: answer.time)
    }

    /// Time passes; the machine's state, where it was looked at.
    public mutating func tick(at time: Duration, machine: MachineState? = nil) {
        if verdict != nil { return }
        if let machine { look(at: machine, time: time) }
        lookAround(at: time)
        if verdict == nil, pending == nil, readySince == nil, time >= request.deadline {
            verdict = verdictAtDeadline(time)
        }
    }

    /// Whether nothing died for as long as was asked: what is left is to ask every service once more.
    public func isSoaked(at time: Duration) -> Bool {
        guard verdict == nil, pending == nil, let readySince else { return false }
        return time >= readySince + request.soak
    }

    /// After the soak and the last questions: says that the image is proven, or what answers no more.
    public mutating func conclude(at time: Duration) {
        guard verdict == nil, isSoaked(at: time) else { return }
        for service in services {
            guard let first = service.firstAnswer, first.isGood, let last = service.lastAnswer, !last.isGood else {
                continue
            }
            verdict = Verdict(
                .notReady, service: service.name,
                "\(service.unit) answered the host, and no more at the end of the soak", evidence: service.lastLines,
                time: time, answered: last.words)
            return
        }
        let soak = request.soak > .zero ? "nothing died for \(brief(request.soak))" : "nothing was watched afterwards"
        verdict = Verdict(.proven, "all was ready after \(brief(readySince ?? time)), and \(soak)", time: time)
    }

    /// The machine has ended, by itself or because it was stopped.
    public mutating func machineEnded(at time: Duration) {
        if let line = console.finish() { take(line) }
        if verdict != nil { return }
        if let pending {
            verdict = finished(pending.verdict)
            return
        }
        let words = goodbye.map { ": \($0.text)" } ?? ""
        verdict = Verdict(
            .stopped, "the guest ended the machine by itself after \(brief(time))\(words)",
            evidence: Array((remarks + console.lines.suffix(12)).suffix(16)), time: time)
    }

    /// What is worth telling besides the verdict, a sentence each.
    public var warnings: [String] {
        var warnings = [String]()
        for service in services {
            if let last = service.deaths.last, let ready = service.readyAt, !last.wasReady {
                let times = service.deaths.count == 1 ? "once" : "\(service.deaths.count) times"
                warnings.append(
                    "\(service.unit) died \(times) before it was ready after \(brief(ready)): \(last.ending)")
            } else if service.notReady > 0, service.readyAt != nil {
                warnings.append("\(service.unit) was not ready in its time at first: \(service.answered ?? "")")
            }
            if case .guest(let words)? = service.probe, !request.isSupervised {
                warnings.append(
                    "\(service.unit): '\(words)' cannot be asked from outside, and the image has no supervisor")
            }
        }
        return warnings + remarks.map { "the console says: \($0.text)" }
    }

    /// What may have changed by what came: readiness, and a verdict that has waited long enough.
    private mutating func lookAround(at time: Duration) {
        if verdict != nil { return }
        if let pending {
            if time >= pending.until { verdict = finished(pending.verdict) }
            return
        }
        if !request.isSupervised {
            for index in services.indices where services[index].readyAt == nil {
                switch services[index].probe {
                case .console(let text):
                    guard let sighting = console.seen.first(where: { $0.text == text }) else { continue }
                    services[index].readyAt = sighting.time
                case .guest, nil:
                    // Nobody can say more than that the machine came up.
                    if initStart != nil { services[index].readyAt = time }
                case .http, .tcp: break
                }
            }
        }
        if readySince == nil, console.missing.isEmpty, services.allSatisfy({ $0.readyAt != nil }),
            !services.isEmpty || !request.expect.isEmpty
        {
            readySince = time
        }
    }

    /// Holds a verdict until more is said about it. The first one stays.
    mutating func decide(_ verdict: Verdict, at time: Duration, gathering: Duration? = nil) {
        if self.verdict != nil || pending != nil { return }
        pending = (verdict, time + (gathering ?? patience.gathering))
    }
}

/// `12.3 s`.
func brief(_ duration: Duration) -> String {
    let tenths = Int64((duration / .milliseconds(100)).rounded())
    return "\(tenths / 10).\(tenths % 10) s"
}
