import CBooting
import Glibc
import RootfsModel

/// A machine to boot an image in: QEMU's microvm on x86.
///
/// `boot` starts it, hands on what its console says, and stops it in every case. Stopping is SIGTERM to QEMU and,
/// after `grace`, SIGKILL: the image is opened as a snapshot, so nothing is lost with it.
public struct VirtualMachine: Sendable {
    /// What runs the guest's instructions.
    public enum Acceleration: String, Sendable, CaseIterable {
        /// Emulation: slow, and works everywhere. The default.
        case tcg
        case kvm
        /// KVM where /dev/kvm can be opened and this kernel gets as far as looking for its root device in a probe
        /// boot of a few seconds; else emulation. On some hosts /dev/kvm opens and guests hang.
        case auto
    }

    /// Paths on the host. The kernel is an ELF or a bzImage for x86_64.
    public var kernel: String
    public var initrd: String?
    public var image: String
    /// The recipe's kernel.arguments, one each.
    public var arguments: [String]
    /// In MiB.
    public var memory: Int
    public var vcpus: Int
    public var acceleration: Acceleration
    /// More words for QEMU: `["-netdev", "user,id=n0", …]`.
    public var options: [String]
    public var program: String
    public var grace: Duration

    public init(
        kernel: String, initrd: String?, image: String, arguments: [String], memory: Int, vcpus: Int,
        acceleration: Acceleration = .tcg, options: [String] = [], program: String = "qemu-system-x86_64",
        grace: Duration = .seconds(5)
    ) {
        self.kernel = kernel
        self.initrd = initrd
        self.image = image
        self.arguments = arguments
        self.memory = memory
        self.vcpus = vcpus
        self.acceleration = acceleration
        self.options = options
        self.program = program
        self.grace = grace
    }

    /// Boots until every expected text has appeared on the console, the guest panics or stops, or the deadline
    /// passes; then stops the machine. A boot that went wrong is a report too, with its `failure`.
    ///
    /// - Parameter console: gets each line when it ends.
    /// - Throws: where no machine could be started, and CancellationError where the task was cancelled. The machine
    ///   is stopped then as well.
    public func boot(
        expecting: [String], within deadline: Duration, console: (ConsoleLine) -> Void = { _ in }
    ) throws -> BootReport {
        guard memory > 0, vcpus > 0 else {
            throw Failure("cannot boot a machine of \(vcpus) vCPUs and \(memory) MiB of memory")
        }
        for path in [kernel, initrd, image].compactMap({ $0 }) where access(path, R_OK) != 0 {
            throw Failure("cannot boot: cannot read \(path): \(errorText(errno))")
        }
        return try run(
            command(with: chooseAccelerator()), expecting: expecting, deadline: deadline, console: console)
    }

    func command(with accelerator: QEMUCommand.Accelerator) -> QEMUCommand {
        let clock = accelerator == .tcg ? time_stamp_counter_khz() : 0
        return QEMUCommand(
            program: program, accelerator: accelerator, kernel: kernel, initrd: initrd, image: image,
            arguments: arguments, memory: memory, vcpus: vcpus, clock: clock == 0 ? nil : clock, options: options)
    }

    private func chooseAccelerator() throws -> QEMUCommand.Accelerator {
        switch acceleration {
        case .tcg: return .tcg
        case .kvm: return .kvm
        case .auto:
            let descriptor = open("/dev/kvm", O_RDWR | O_CLOEXEC)
            if descriptor < 0 { return .tcg }
            close(descriptor)
            return try kvmWorks(within: .seconds(5)) ? .kvm : .tcg
        }
    }

    /// Whether this kernel, without initrd and disk, comes under KVM to the panic that it has no root device: by
    /// then it has used clocks, interrupts and all processors.
    func kvmWorks(within deadline: Duration) throws -> Bool {
        var probe = command(with: .kvm)
        probe.initrd = nil
        probe.image = nil
        probe.arguments = ["console=ttyS0"]
        probe.options = []
        do {
            let report = try run(
                probe, expecting: ["Kernel panic - not syncing: VFS"], deadline: deadline, console: { _ in })
            return report.succeeded
        } catch is Failure {
            return false
        }
    }

    private func run(
        _ command: QEMUCommand, expecting: [String], deadline: Duration, console report: (ConsoleLine) -> Void
    ) throws -> BootReport {
        let words = try command.words()
        let clock = ContinuousClock()
        let start = clock.now
        var process = try GuardedProcess(words, grace: grace)
        var console = Console(expecting: expecting)
        var engine = Console(expecting: [], capacity: 500)
        var streams = Streams(output: process.output, errors: process.errors)

        func read(for patience: Duration) {
            let (output, errors) = streams.read(within: patience)
            let time = clock.now - start
            for line in console.append(output, at: time) { report(line) }
            _ = engine.append(errors, at: time)
        }

        var ending = BootReport.Ending.guestStopped
        var duration = Duration.zero
        while !streams.areAtEnd {
            read(for: .milliseconds(100))
            duration = clock.now - start
            if Task.isCancelled { break }
            if console.missing.isEmpty {
                ending = .sawAll
                break
            }
            if let panic = console.panic {
                ending = .panic(panic.text)
                // Its call trace is still on its way; a guest that restarts after a panic ends this early.
                let end = clock.now + .seconds(2)
                while clock.now < end, !streams.areAtEnd { read(for: .milliseconds(100)) }
                break
            }
            if duration >= deadline {
                ending = .deadline
                break
            }
        }
        // The last bytes and the end can come together.
        if ending == .guestStopped {
            duration = clock.now - start
            if console.missing.isEmpty {
                ending = .sawAll
            } else if let panic = console.panic {
                ending = .panic(panic.text)
            }
        }

        let endedByItself = streams.areAtEnd
        process.letGo()
        // Until both streams end, or QEMU, asked to stop, would wait for somebody to read its last words.
        let patience = clock.now + grace + .seconds(2)
        while !streams.areAtEnd, clock.now < patience { read(for: .milliseconds(100)) }
        let outcome = process.wait()
        let time = clock.now - start
        if let line = console.finish(at: time) { report(line) }
        _ = engine.finish(at: time)
        try Task.checkCancellation()

        let messages = engine.lines.map(\.text).filter { !$0.contains("terminating on signal") && !$0.isEmpty }
        if endedByItself, outcome != .exited(0), ending == .guestStopped {
            throw Failure(
                "\(program) \(outcome.text)", notes: messages + console.lines.suffix(20).map(\.description),
                hint: "it was started as: \(QEMUCommand.quoted(words))")
        }
        return BootReport(
            ending: ending, duration: duration, seen: console.seen, missing: console.missing, lines: console.lines,
            dropped: console.dropped, engineMessages: messages, accelerator: command.accelerator.rawValue,
            commandLine: QEMUCommand.quoted(words), stoppedCleanly: outcome != .signaled(SIGKILL))
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

/// Two pipes read as their bytes come.
private struct Streams {
    private let output: Int32
    private let errors: Int32
    private var outputIsOpen = true
    private var errorsAreOpen = true
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    init(output: Int32, errors: Int32) {
        self.output = output
        self.errors = errors
    }

    var areAtEnd: Bool { !outputIsOpen && !errorsAreOpen }

    /// What came in, waiting for the first of it so long at most.
    mutating func read(within patience: Duration) -> (output: [UInt8], errors: [UInt8]) {
        var waits = [
            pollfd(fd: outputIsOpen ? output : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: errorsAreOpen ? errors : -1, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&waits, 2, Int32(clamping: Int64(patience / .milliseconds(1)))) > 0 else { return ([], []) }
        let first = waits[0].revents == 0 ? [] : Self.take(from: output, buffer: &buffer, isOpen: &outputIsOpen)
        let second = waits[1].revents == 0 ? [] : Self.take(from: errors, buffer: &buffer, isOpen: &errorsAreOpen)
        return (first, second)
    }

    private static func take(from descriptor: Int32, buffer: inout [UInt8], isOpen: inout Bool) -> [UInt8] {
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        if count > 0 { return Array(buffer[..<count]) }
        if count == 0 || errno != EINTR { isOpen = false }
        return []
    }
}
