internal import Booting
internal import Glibc
internal import RootfsModel
internal import Storage
public import SystemPackage

/// What a boot takes besides its image.
public struct BootSettings: Sendable {
    /// `firecracker`, `kvm` or `tcg`; nil: the best one that works here.
    public var engine: String?
    /// Where programs are looked for, as in PATH.
    public var path: String
    /// Texts to wait for besides the recipe's.
    public var expect: [String] = []
    /// In seconds, instead of the recipe's.
    public var within: Int?
    public var soakMilliseconds: Int64?
    /// Ports of the guest that shall be reachable from this host.
    public var ports: [(guest: UInt16, host: UInt16?)] = []
    /// Whether the machine runs on afterwards.
    public var isKept = false
    /// A directory for what is temporary.
    public var scratch: String
    /// Debian's name of this machine's architecture.
    public var hostArchitecture: String
    public var toolVersion: String

    public init(path: String, scratch: String, hostArchitecture: String, toolVersion: String) {
        self.path = path
        self.scratch = scratch
        self.hostArchitecture = hostArchitecture
        self.toolVersion = toolVersion
    }
}

/// How a boot went, for the command line.
public struct BootResult: Encodable, Sendable {
    /// A machine that runs on, and how it is reached.
    public struct Kept: Encodable, Sendable {
        public var pid: Int32
        /// Sockets: the serial line, QEMU's monitor (QMP).
        public var console: String
        public var monitor: String
    }

    public var imagePath: String
    public var record: BootRecord
    /// This host's ports by the guest's.
    public var forwards: [String: UInt16]
    public var kept: Kept?
    /// Why boot.json and console.log were not written; nil where they were.
    public var notKeptBecause: String?
}

/// What booting writes nothing of: whoever sits at the console sees it.
public struct AttachedBoot: Sendable {
    /// `clean`, `killed` or `by itself`.
    public var shutdown: String
    public var messages: [String]
}

/// The verdicts that a boot can come to.
public let bootVerdicts = Verdict.Kind.allCases.map(\.rawValue)

/// The engines that can be asked for.
public let bootEngines = Engine.allCases.map(\.rawValue)

/// Boots an image, or the outputs of a build, until there is a verdict, and keeps the evidence beside the image.
///
/// - Throws: where it cannot be booted at all. A boot that goes wrong is a result.
public func boot(
    at path: FilePath, _ settings: BootSettings, progress: @escaping ProgressSink
) async throws -> BootResult {
    let subject = try BootSubject(at: path)
    let boot = try await WatchedBoot(of: subject, try subject.request(settings), settings, progress: progress)
    let obstacle = try BootProof(subject: subject, record: boot.record, log: boot.log.bytes).keep()
    let report = boot.report
    return BootResult(
        imagePath: subject.image.string, record: boot.record,
        forwards: Dictionary(report.forwards.map { (String($0), $1) }, uniquingKeysWith: { $1 }),
        kept: report.kept.map {
            .init(pid: $0.pid, console: "\($0.directory)/console", monitor: "\($0.directory)/monitor")
        }, notKeptBecause: obstacle)
}

/// A boot that came to its verdict.
struct WatchedBoot {
    var record: BootRecord
    var report: BootReport
    var log = ConsoleLog()

    /// - Parameter processor: what the check is told of the machine's processor.
    init(
        of subject: BootSubject, _ request: BootRequest, _ settings: BootSettings, processor: String? = nil,
        progress: @escaping ProgressSink, line: (ConsoleLine) -> Void = { _ in }
    ) async throws {
        try checkArchitecture(of: subject, settings)
        var log = ConsoleLog()
        report = try machine(request, settings).boot(isKept: settings.isKept) {
            log.add($0)
            line($0)
            progress(.note($0.description))
        }
        record = BootRecord(subject, request, report, log, toolVersion: settings.toolVersion)
        let check = CheckSettings(cpu: processor, hostArchitecture: settings.hostArchitecture)
        record.predictedBy = try await BootPrediction(for: subject, check).findings(for: report.verdict)
        self.log = log
    }
}

/// Boots with a terminal at the console. Nothing is waited for, proven or written.
///
/// - Parameter begin: called when the machine runs: by which engine, why by no better one, this host's ports by the
///   guest's.
public func attach(
    at path: FilePath, _ settings: BootSettings, input: Int32, output: Int32,
    begin: (String, [String], [UInt16: UInt16]) -> Void
) throws -> AttachedBoot {
    let subject = try BootSubject(at: path)
    try checkArchitecture(of: subject, settings)
    let attachment = try machine(try subject.request(settings), settings).attach(input: input, output: output) {
        begin($0.rawValue, $1, $2)
    }
    return AttachedBoot(shutdown: attachment.shutdown.rawValue, messages: attachment.engineMessages)
}

private func machine(_ request: BootRequest, _ settings: BootSettings) -> VirtualMachine {
    let engines = EngineChoice(wanted: settings.engine.flatMap { Engine(rawValue: $0) }, path: settings.path)
    var machine = VirtualMachine(request, engines: engines)
    machine.scratch = settings.scratch
    return machine
}

private func checkArchitecture(of subject: BootSubject, _ settings: BootSettings) throws(Failure) {
    let architecture = subject.record.architecture
    let isFirecracker = settings.engine == Engine.firecracker.rawValue
    if isFirecracker ? architecture == settings.hostArchitecture : architecture == "amd64" { return }
    throw Failure(
        "cannot boot an image for \(architecture) here: QEMU's microvm is for amd64 alone",
        hint: architecture == settings.hostArchitecture
            ? "boot it with --engine firecracker" : "boot it on a host of that architecture with --engine firecracker")
}
