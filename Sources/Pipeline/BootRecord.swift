internal import Booting
internal import RootfsModel
internal import SystemPackage

/// boot.json: how an image booted, and what that proves. Keys are added, never renamed; times are seconds from the
/// machine's start.
public struct BootRecord: Codable, Sendable {
    public struct Line: Codable, Sendable {
        public var seconds: Double
        public var text: String
    }

    public struct VerdictEntry: Codable, Sendable {
        /// `proven`, `no-console`, `kernel-panic`, `no-root-device`, `no-init`, `unit-failed`, `not-ready`, `died`,
        /// `out-of-memory`, `hung`, `stopped`.
        public var kind: String
        public var service: String?
        public var summary: String
        /// `exit status 203`, `signal SIGKILL`.
        public var ending: String?
        /// What that most likely means.
        public var meaning: String?
        /// What did answer where readiness was not reached.
        public var answered: String?
        public var seconds: Double
        public var evidence: [Line]
    }

    /// A finding of the check that said it before.
    public struct Predictor: Codable, Sendable {
        public var id: String
        public var severity: String
        public var service: String?
        public var path: String?
        public var message: String
        /// Why it was accepted; nil for an open one.
        public var acceptedBecause: String?
    }

    public struct EngineEntry: Codable, Sendable {
        /// `firecracker`, `kvm` or `tcg`.
        public var name: String
        /// Why none of the better ones ran it.
        public var notes: [String]
        public var commandLine: String
        /// What the VMM itself said.
        public var messages: [String]
    }

    public struct Times: Codable, Sendable {
        /// By the kernel's own clock, seen from outside.
        public var kernel: Double?
        /// When a program of the image was first heard of.
        public var `init`: Double?
        public var firstByte: Double?
        /// When everything was ready.
        public var ready: Double?
        /// The whole boot with the soak, without the shutdown.
        public var total: Double
    }

    public struct DeathEntry: Codable, Sendable {
        public var seconds: Double
        public var ending: String
        public var result: String?
        public var meaning: String?
        public var wasReady: Bool
    }

    public struct Answer: Codable, Sendable {
        public var seconds: Double
        public var isGood: Bool
        public var words: String
    }

    public struct ServiceEntry: Codable, Sendable {
        public var name: String
        public var probe: String?
        /// nil where it never was.
        public var ready: Double?
        /// As the guest says it: `1.2s: http http://…`; what it answered where only the host asked.
        public var readyWords: String?
        public var deaths: [DeathEntry]
        /// How often it was not ready in its time, and what did answer.
        public var notReady: Int
        public var answered: String?
        /// The first and the last answer to the host.
        public var hostFirst: Answer?
        public var hostLast: Answer?
    }

    public struct MemoryEntry: Codable, Sendable {
        public var usedMiB: Int
        public var totalMiB: Int
        public var servicesMiB: [String: Int]
    }

    public struct Shutdown: Codable, Sendable {
        /// `clean`, `killed`, `stopped`, `by itself` or `running`.
        public var how: String
        public var seconds: Double
    }

    public struct ConsoleEntry: Codable, Sendable {
        public var file: String
        public var digest: String
        public var lines: Int
        public var omittedLines: Int
    }

    public var image: String
    public var contentHash: String
    public var imageHash: String
    public var kernelDigest: String
    public var initrdDigest: String?
    public var kernelArguments: [String]
    public var vcpus: Int
    public var memoryMiB: Int
    public var proven: Bool
    public var verdict: VerdictEntry
    public var predictedBy: [Predictor]
    public var engine: EngineEntry
    public var times: Times
    public var soakSeconds: Double
    public var services: [ServiceEntry]
    /// Texts of the console that were asked for.
    public var expected: [String]
    public var memory: MemoryEntry?
    public var warnings: [String]
    public var shutdown: Shutdown
    public var console: ConsoleEntry
    public var toolVersion: String
}

extension BootRecord {
    static let fileName = "boot.json"

    init(_ subject: BootSubject, _ request: BootRequest, _ report: BootReport, _ log: ConsoleLog, toolVersion: String) {
        func line(_ line: ConsoleLine) -> Line { Line(seconds: line.time.wholeSeconds, text: line.text) }
        func answer(_ answer: HostAnswer?) -> Answer? {
            answer.map { Answer(seconds: $0.time.wholeSeconds, isGood: $0.isGood, words: $0.words) }
        }
        let verdict = report.verdict
        image = subject.image.lastComponent?.string ?? ""
        contentHash = subject.record.contentHash
        imageHash = subject.record.imageHash
        kernelDigest = subject.kernel.digest
        initrdDigest = subject.kernel.initrd
        kernelArguments = request.arguments
        vcpus = request.vcpus
        memoryMiB = request.memory
        proven = verdict.kind == .proven
        self.verdict = VerdictEntry(
            kind: verdict.kind.rawValue, service: verdict.service, summary: verdict.summary, ending: verdict.ending,
            meaning: verdict.meaning, answered: verdict.answered, seconds: verdict.time.wholeSeconds,
            evidence: verdict.evidence.map { line($0) })
        predictedBy = []
        engine = EngineEntry(
            name: report.engine.rawValue, notes: report.engineNotes, commandLine: report.commandLine,
            messages: report.engineMessages)
        times = Times(
            kernel: report.kernelStart?.wholeSeconds, init: report.initStart?.wholeSeconds,
            firstByte: report.firstByte?.wholeSeconds, ready: report.readySince?.wholeSeconds,
            total: report.duration.wholeSeconds)
        soakSeconds = request.soak.wholeSeconds
        services = report.services.map { service in
            ServiceEntry(
                name: service.name, probe: service.probe?.description, ready: service.readyAt?.wholeSeconds,
                readyWords: service.readyWords,
                deaths: service.deaths.map {
                    DeathEntry(
                        seconds: $0.time.wholeSeconds, ending: $0.ending, result: $0.result, meaning: $0.meaning,
                        wasReady: $0.wasReady)
                }, notReady: service.notReady, answered: service.answered, hostFirst: answer(service.firstAnswer),
                hostLast: answer(service.lastAnswer))
        }
        expected = request.expect
        memory = report.memory.map { memory in
            MemoryEntry(
                usedMiB: memory.used, totalMiB: memory.total,
                servicesMiB: Dictionary(memory.services.map { ($0.name, $0.used) }, uniquingKeysWith: { $1 }))
        }
        warnings = report.warnings
        shutdown = Shutdown(how: report.shutdown.rawValue, seconds: report.shutdownTime.wholeSeconds)
        console = ConsoleEntry(
            file: subject.logName, digest: Digest(hashing: log.bytes).description, lines: log.lines,
            omittedLines: log.omittedLines)
        self.toolVersion = toolVersion
    }
}

extension Duration {
    /// Seconds to the millisecond.
    fileprivate var wholeSeconds: Double { (self / .milliseconds(1)).rounded() / 1000 }
}
