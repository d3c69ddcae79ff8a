import Glibc

/// One boot as it goes on: the bytes that come in, the host's questions, the machine's state now and then.
struct Session: ~Copyable {
    var streams: Streams
    private let start: ContinuousClock.Instant
    private var engine = Console(expecting: [], capacity: 200)
    private var looked = Duration.zero
    private var lookedInDepth = Duration.zero

    init(_ machine: borrowing RunningMachine, start: ContinuousClock.Instant) {
        streams = Streams(output: machine.output, errors: machine.process.errors)
        self.start = start
    }

    private var now: Duration { ContinuousClock.now - start }

    /// What the VMM itself said.
    var engineMessages: [String] {
        engine.lines.map(\.text).filter { !$0.contains("terminating on signal") && !$0.isEmpty }
    }

    /// Until there is a verdict, the machine ends or the task is cancelled.
    mutating func run(
        _ machine: inout RunningMachine, _ watch: inout BootWatch, _ console: (ConsoleLine) -> Void
    ) throws {
        let probes = Probes(watch.request, machine.forwards)
        while watch.verdict == nil, !Task.isCancelled {
            read(into: &watch, for: .milliseconds(100), console)
            if streams.areAtEnd {
                watch.machineEnded(at: now)
                return
            }
            probes.step(&watch, at: now)
            var state: BootWatch.MachineState?
            if now - looked >= .seconds(1) {
                looked = now
                // The monitor is asked where the console says nothing.
                let inDepth = now - watch.lastByte > .seconds(3) && now - lookedInDepth >= .seconds(2)
                if inDepth { lookedInDepth = now }
                state = machine.state(inDepth: inDepth)
            }
            watch.tick(at: now, machine: state)
            if watch.isSoaked(at: now) {
                probes.askAll(&watch) { [start] in ContinuousClock.now - start }
                read(into: &watch, for: .zero, console)
                watch.conclude(at: now)
            }
        }
    }

    /// After the guest was asked to shut down.
    mutating func waitForEnd(
        _ watch: inout BootWatch, within limit: Duration, _ console: (ConsoleLine) -> Void
    ) -> BootReport.Shutdown {
        let end = now + limit
        while !streams.areAtEnd, now < end, !Task.isCancelled { read(into: &watch, for: .milliseconds(100), console) }
        return streams.areAtEnd ? .clean : .killed
    }

    /// Stops what still runs, and takes its last words.
    mutating func stop(
        _ machine: inout RunningMachine, _ watch: inout BootWatch, grace: Duration, _ console: (ConsoleLine) -> Void
    ) -> GuardedProcess.Ending {
        machine.process.letGo()
        // Until both streams end, or QEMU, asked to stop, would wait for somebody to read its last words.
        let end = now + grace + .seconds(2)
        while !streams.areAtEnd, now < end { read(into: &watch, for: .milliseconds(100), console) }
        let outcome = machine.process.wait()
        if let line = watch.console.finish() { console(line) }
        _ = engine.finish()
        return outcome
    }

    private mutating func read(into watch: inout BootWatch, for patience: Duration, _ console: (ConsoleLine) -> Void) {
        let (output, errors) = streams.read(within: patience)
        let time = now
        for line in watch.append(output, at: time) { console(line) }
        if !errors.isEmpty { _ = engine.append(errors, at: time) }
    }
}

/// The host's questions to all services that have a port.
private struct Probes {
    private let probes: [ProbeBox]

    init(_ request: BootRequest, _ forwards: [UInt16: UInt16]) {
        probes = request.services.compactMap { service in
            guard let probe = service.probe, let port = probe.port, let host = forwards[port] else { return nil }
            return ProbeBox(HostProbe(service.name, probe, port: host))
        }
    }

    /// Until a service answers, twice a second; then every five seconds.
    func step(_ watch: inout BootWatch, at time: Duration) {
        for box in probes {
            if let answer = box.probe.step(at: time, pause: box.isGood ? .seconds(5) : .milliseconds(500)) {
                box.isGood = answer.isGood
                watch.answered(box.probe.service, answer)
            }
        }
    }

    func askAll(_ watch: inout BootWatch, at time: () -> Duration) {
        for box in probes { watch.answered(box.probe.service, box.probe.ask(at: time)) }
    }
}

/// An array holds no owners of descriptors.
private final class ProbeBox {
    var probe: HostProbe
    var isGood = false

    init(_ probe: consuming HostProbe) {
        self.probe = probe
    }
}

/// Two streams read as their bytes come.
struct Streams {
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
