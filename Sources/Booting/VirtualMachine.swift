import CBooting
import Glibc
import RootfsModel

/// A machine to boot an image in.
///
/// `boot` starts it, follows its console until there is a verdict, shuts it down and stops it in every case, unless it
/// is to be kept. The image is never written to.
public struct VirtualMachine: Sendable {
    public var request: BootRequest
    public var engines: EngineChoice
    /// Between SIGTERM and SIGKILL.
    public var grace = Duration.seconds(5)
    /// A directory for what is temporary.
    public var scratch = "/tmp"
    /// nil: what fits the engine.
    public var patience: BootWatch.Patience?

    public init(_ request: BootRequest, engines: EngineChoice) {
        self.request = request
        self.engines = engines
    }

    /// Boots until there is a verdict. A boot that went wrong is a report too.
    ///
    /// - Parameters:
    ///   - isKept: whether the machine runs on afterwards, if it still does.
    ///   - console: gets each line when it ends.
    /// - Throws: where no machine could be started, and CancellationError where the task was cancelled. The machine
    ///   is stopped then as well.
    public func boot(isKept: Bool = false, console: (ConsoleLine) -> Void = { _ in }) throws -> BootReport {
        try check()
        if isKept, engines.wanted == .firecracker {
            throw Failure("Firecracker's console ends with this program", hint: "keep QEMU's: --engine kvm or tcg")
        }
        let (engine, notes) = try engines.choose(for: request, needsNetwork: isKept || needsNetwork)
        let clock = ContinuousClock()
        let start = clock.now
        var machine = try RunningMachine.start(
            request, on: engine, engines, grace: grace, scratch: scratch, isKept: isKept)
        var watch = BootWatch(request, patience: patience ?? (engine == .tcg ? .emulation : .init()))
        var session = Session(machine, start: start)
        try session.run(&machine, &watch, console)

        // Nothing is left to be shut down where the kernel is gone; and what failed needs no ceremony.
        var shutdown = session.streams.areAtEnd ? BootReport.Shutdown.byItself : .stopped
        let time = clock.now - start
        var kept: BootReport.Kept?
        if !session.streams.areAtEnd, !Task.isCancelled {
            if isKept {
                shutdown = .running
                let pid = machine.process.program
                kept = machine.setFree().map { .init(pid: pid, directory: $0) }
            } else if watch.verdict?.kind == .proven {
                shutdown =
                    machine.sendCtrlAltDel() ? session.waitForEnd(&watch, within: request.shutdown, console) : .killed
            }
        }
        let shutdownTime = clock.now - start - time
        let outcome = kept == nil ? session.stop(&machine, &watch, grace: grace, console) : .exited(0)
        try Task.checkCancellation()

        let messages = session.engineMessages
        if watch.verdict?.kind == .stopped, outcome != .exited(0) {
            throw Failure(
                "\(machine.words[0]) \(outcome.text)",
                notes: messages + watch.console.lines.suffix(20).map(\.description),
                hint: "it was started as: \(QEMUCommand.quoted(machine.words))")
        }
        guard let verdict = watch.verdict else { throw Failure("the boot ended without a verdict") }
        return BootReport(
            verdict: verdict, services: watch.services, warnings: watch.warnings, firstByte: watch.firstByte,
            kernelStart: watch.kernelStart, initStart: watch.initStart, readySince: watch.readySince,
            memory: watch.memory, duration: time, shutdown: shutdown, shutdownTime: shutdownTime, engine: engine,
            engineNotes: notes, engineMessages: messages, commandLine: QEMUCommand.quoted(machine.words),
            forwards: machine.forwards, kept: kept)
    }

    /// Whether a verdict needs the host's questions, or somebody wants a port.
    private var needsNetwork: Bool {
        request.forwards.contains { $0.host != nil }
            || !request.isSupervised && request.services.contains { $0.probe?.port != nil }
    }

    func check() throws(Failure) {
        guard request.memory > 0, request.vcpus > 0 else {
            throw Failure("cannot boot a machine of \(request.vcpus) vCPUs and \(request.memory) MiB of memory")
        }
        for path in [request.kernel, request.initrd, request.image].compactMap({ $0 }) where access(path, R_OK) != 0 {
            throw Failure("cannot boot: cannot read \(path): \(errorText(errno))")
        }
    }

    /// Why this kernel, without initrd and disk, does not come to the panic that it has no root device; nil where it
    /// does.
    func probe(_ engine: Engine, within limit: Duration) throws -> String? {
        let start = ContinuousClock.now
        do {
            var machine = try RunningMachine.start(
                request, on: engine, engines, grace: grace, scratch: scratch, isProbe: true)
            var console = Console(expecting: ["Kernel panic - not syncing: VFS"])
            var streams = Streams(output: machine.output, errors: machine.process.errors)
            var words = [UInt8]()
            while !streams.areAtEnd, !console.missing.isEmpty, ContinuousClock.now - start < limit {
                try Task.checkCancellation()
                let (output, errors) = streams.read(within: .milliseconds(100))
                _ = console.append(output, at: ContinuousClock.now - start)
                words += errors.prefix(max(0, 4096 - words.count))
            }
            if console.missing.isEmpty { return nil }
            let hasEnded = streams.areAtEnd
            machine.process.letGo()
            if !hasEnded { return "a guest under it stands still (\(brief(limit)) without getting anywhere)" }
            let last = cleaned(words).isEmpty ? "the VMM ended" : lines(words).last ?? ""
            return "a guest under it does not run: \(last)"
        } catch let failure as Failure {
            return failure.message
        }
    }

    private func lines(_ bytes: [UInt8]) -> [String] {
        bytes.split(separator: UInt8(ascii: "\n")).map { cleaned(Array($0)) }.filter { !$0.isEmpty }
    }
}

extension GuardedProcess.Ending {
    /// As the end of a sentence about a program.
    var text: String {
        switch self {
        case .exited(let code): "exited with status \(code)"
        case .signaled(let signal): "was ended by signal \(signal)"
        }
    }
}
