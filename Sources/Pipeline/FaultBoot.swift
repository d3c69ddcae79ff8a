internal import Booting
internal import Ext4
internal import Faults
internal import Glibc
internal import RootfsModel
internal import Storage
public import SystemPackage

/// How the gate that a boot is took a fault.
public struct FaultResult: Encodable, Sendable {
    public var fault: String
    public var summary: String
    public var expectedVerdict: String
    /// Why the image cannot have it; then nothing was booted.
    public var notPlantedBecause: String?
    public var record: BootRecord?
    /// Words of the cause that the console did not have.
    public var unspoken: [String] = []
    /// Seconds from the first line about the death to the one that completes the cause: by the guest's clock where its
    /// lines have it.
    public var causeAfter: Double?
    /// The finding of `check` that foresees it; nil where an image alone does not show it.
    public var finding: String?
    public var wasForeseen = false

    /// The most that the cause may take, in seconds.
    public static let mostCauseSeconds = 2.0

    /// Whether the verdict was the right one, the console named the cause in time, and the check had said so where it can.
    public var isAsPromised: Bool {
        guard let record else { return false }
        return record.verdict.kind == expectedVerdict && unspoken.isEmpty
            && (causeAfter ?? 0) <= Self.mostCauseSeconds && (finding == nil || wasForeseen)
    }
}

/// The names of all faults, and what each is.
public let faults = Fault.all.map { (name: $0.name, summary: $0.summary) }

/// Boots copies of an image, each with a fault in it, and tells how each was found. Nothing is written beside the image.
///
/// - Parameters:
///   - names: of faults.
///   - service: the recipe's service that is broken; nil: its last one.
///   - each: called with every result when it is there.
/// - Throws: where the image cannot be booted at all, or there is no such fault or service.
public func bootFaults(
    _ names: [String], service: String?, of path: FilePath, _ settings: BootSettings, progress: @escaping ProgressSink,
    each: (FaultResult) throws -> Void
) async throws {
    let chosen = try names.map { name throws(Failure) in try Fault.named(name) }
    let subject = try BootSubject(at: path)
    let bed = try FaultBed(subject, service: service)
    for fault in chosen {
        try Task.checkCancellation()
        try each(try await bed.boot(fault, settings, progress))
    }
}

/// An image to plant faults into.
private struct FaultBed {
    let subject: BootSubject
    let image: FaultyImage

    init(_ subject: BootSubject, service: String?) throws {
        self.subject = subject
        image = try FaultyImage(
            tree: Ext4Reader(subject.image).tree(digesting: true), service: service,
            services: subject.record.boot.services.map(\.name),
            moment: Timestamp(seconds: subject.record.fileSystem.moment), read: { try $0.readAll() })
    }

    func boot(_ fault: Fault, _ settings: BootSettings, _ progress: @escaping ProgressSink) async throws -> FaultResult
    {
        var result = FaultResult(
            fault: fault.name, summary: fault.summary, expectedVerdict: fault.verdict, finding: fault.finding)
        let planting: Planting
        do throws(Failure) {
            planting = try fault.planting(in: image)
        } catch {
            result.notPlantedBecause = error.message
            return result
        }
        let folder = try TemporaryDirectory(beside: FilePath(settings.scratch).appending("rootfs-build-fault"))
        let planted = try plant(planting, in: folder.path)
        var settings = settings
        settings.isKept = false
        settings.soakMilliseconds = Int64(fault.soak) * 1000
        var request = try planted.request(settings)
        if planting.needsOldProcessor { request.cpu = "qemu64" }
        var console = [ConsoleLine]()
        let boot = try await WatchedBoot(
            of: planted, request, settings, processor: planting.needsOldProcessor ? "x86-64" : nil, progress: progress
        ) { line in
            if console.count < 100_000 { console.append(line) }
        }
        result.record = boot.record
        result.wasForeseen = boot.record.predictedBy.contains { $0.id == fault.finding }
        result.read(console, causes: fault.cause)
        return result
    }

    /// A folder as a build writes it, with the fault.
    private func plant(_ planting: Planting, in folder: FilePath) throws -> BootSubject {
        var record = subject.record
        let file = folder.appending("\(record.name).ext4")
        if planting.change == TreeChange() {
            record.proof = nil
            try link(subject.image, as: file)
        } else {
            let finished = try FinishedTree(
                try image.tree.applying(planting.change), moment: Timestamp(seconds: record.fileSystem.moment),
                kept: Set(record.normalization.kept))
            record.describe(finished, try writeImage(finished, to: file, record.fileSystem, jobs: 2) { _, _ in })
        }
        record.kernel?.arguments = planting.changed(subject.kernel.arguments)
        try writeFile(try recordBytes(record), to: folder.appending(ImageRecord.fileName))
        let configuration = subject.image.removingLastComponent().appending(kernelConfigurationName)
        for path in [subject.kernelPath, subject.initrdPath, configuration].compactMap({ $0 }) where exists(path) {
            try link(path, as: folder.appending(path.lastComponent?.string ?? ""))
        }
        return try BootSubject(at: folder, isNew: true)
    }

    private func link(_ target: FilePath, as path: FilePath) throws(Failure) {
        guard symlink(target.string, path.string) == 0 else { throw systemFailure("link", path) }
    }
}

extension FaultResult {
    /// What a console says when something has just died.
    private static let deaths = [
        "Main process exited", "Failed at step", "Failed with result", "Watchdog timeout", "Out of memory", "oom-kill",
        "NOT READY", "DIED ", "Kernel panic", "FATAL",
    ]

    /// Looks for the words of the cause, and how long after the death the last of them came.
    fileprivate mutating func read(_ console: [ConsoleLine], causes: [String]) {
        var last: ConsoleLine?
        for cause in causes {
            guard let line = console.first(where: { $0.text.contains(cause) }) else {
                unspoken.append(cause)
                continue
            }
            if line.time >= last?.time ?? .zero { last = line }
        }
        guard let last, let death = console.first(where: { line in Self.deaths.contains { line.text.contains($0) } })
        else { return }
        let byGuest = last.guestTime.flatMap { later in death.guestTime.map { later - $0 } }
        causeAfter = max(0, ((byGuest ?? last.time - death.time) / .milliseconds(1)).rounded() / 1000)
    }
}
