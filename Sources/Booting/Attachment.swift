import Glibc

extension VirtualMachine {
    /// How a machine with somebody at its console went.
    public struct Attachment: Sendable {
        public var engine: Engine
        public var shutdown: BootReport.Shutdown
        public var engineMessages: [String]
    }

    /// What ends an attachment when it is typed, Ctrl-]: once asks the guest to shut down, twice stops the machine.
    private static let escape: UInt8 = 0x1D

    /// Boots with a terminal at the console, until the guest ends or the escape is typed. It proves nothing.
    ///
    /// - Parameters:
    ///   - input: gives what is typed, byte by byte.
    ///   - output: takes the console's bytes.
    ///   - begin: called when the machine runs, with how and why so.
    /// - Throws: where no machine could be started, and CancellationError where the task was cancelled.
    public func attach(
        input: Int32, output: Int32, begin: (Engine, [String], [UInt16: UInt16]) -> Void
    ) throws -> Attachment {
        try check()
        let (engine, notes) = try engines.choose(for: request, needsNetwork: !request.forwards.isEmpty)
        var machine = try RunningMachine.start(request, on: engine, engines, grace: grace, scratch: scratch)
        var streams = Streams(output: machine.output, errors: machine.process.errors)
        begin(engine, notes, machine.forwards)
        var typed = input
        var escapes = 0
        var end: ContinuousClock.Instant?
        var errors = [UInt8]()
        var shutdown = BootReport.Shutdown.byItself
        while !streams.areAtEnd, !Task.isCancelled {
            let (bytes, more) = streams.read(within: .milliseconds(20))
            writeAll(bytes, to: output)
            errors += more.prefix(max(0, 16384 - errors.count))
            let keys = readKeys(&typed)
            for key in keys where key == Self.escape {
                escapes += 1
                if escapes == 1, machine.sendCtrlAltDel() {
                    end = ContinuousClock.now + request.shutdown
                } else {
                    end = .now
                }
                shutdown = .clean
            }
            if escapes == 0 { writeAll(keys, to: machine.input) }
            if let end, ContinuousClock.now >= end {
                shutdown = .killed
                break
            }
        }
        machine.process.letGo()
        _ = machine.process.wait()
        try Task.checkCancellation()
        let messages = errors.split(separator: UInt8(ascii: "\n")).map { cleaned(Array($0)) }
        return Attachment(
            engine: engine, shutdown: shutdown,
            engineMessages: messages.filter { !$0.isEmpty && !$0.contains("terminating on signal") })
    }

    /// What was typed; the descriptor becomes -1 at its end.
    private func readKeys(_ descriptor: inout Int32) -> [UInt8] {
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard descriptor >= 0, poll(&wait, 1, 0) > 0 else { return [] }
        var keys = [UInt8](repeating: 0, count: 1024)
        let count = read(descriptor, &keys, keys.count)
        if count <= 0 { descriptor = -1 }
        return Array(keys.prefix(max(0, count)))
    }

    private func writeAll(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
