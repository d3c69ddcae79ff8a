import Glibc

/// QEMU's monitor, as far as a boot needs it (QMP, qemu-qmp-ref(7)): one message a line, one question at a time. Where
/// it does not answer, nothing is known; a boot goes on without it.
struct QEMUMonitor: ~Copyable {
    private let descriptor: Int32
    private var buffer = [UInt8]()
    private var number = 0
    private var isUsable = true

    /// - Parameter descriptor: a connected socket, whose owner this becomes.
    init(descriptor: Int32) {
        self.descriptor = descriptor
        isUsable = line(containing: "\"QMP\"", within: .seconds(5)) != nil && ask("qmp_capabilities") != nil
    }

    /// Two connected sockets: ours, and the one for QEMU.
    static func pair() -> (ours: Int32, theirs: Int32)? {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            return nil
        }
        return (ends[0], ends[1])
    }

    /// How the machine is, and where its processors stand.
    mutating func state() -> (status: String?, processors: [BootWatch.MachineState.Processor]?) {
        let status = ask("query-status")?.between("\"status\": \"", and: "\"").map { String($0) }
        let registers = status == "running" ? tell("info registers -a") : nil
        return (status, registers.map { Self.processors(in: $0) })
    }

    /// The ports of this host that lead to the guest's, by those.
    mutating func forwards() -> [UInt16: UInt16] {
        var ports = [UInt16: UInt16]()
        for line in (tell("info usernet") ?? "").split(whereSeparator: \.isNewline) where line.contains("HOST_FORWARD")
        {
            let words = line.split(separator: " ")
            if words.count > 5, let host = UInt16(words[3]), let guest = UInt16(words[5]) { ports[guest] = host }
        }
        return ports
    }

    /// Presses Ctrl-Alt-Del, as Firecracker's SendCtrlAltDel does.
    mutating func sendCtrlAltDel() -> Bool {
        let keys = ["ctrl", "alt", "delete"].map { #"{"type":"qcode","data":"\#($0)"}"# }.joined(separator: ",")
        return ask("send-key", #"{"keys":[\#(keys)]}"#) != nil
    }

    /// `RIP=ffffffff81a17a0b RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1`.
    static func processors(in text: String) -> [BootWatch.MachineState.Processor] {
        text.split(separator: "CPU#").compactMap { part in
            func number(_ name: String) -> UInt64? {
                part.between(name).flatMap { UInt64($0.prefix { $0.isHexDigit }, radix: 16) }
            }
            guard let instruction = number("RIP="), let flags = number("RFL="), let halted = number("HLT=") else {
                return nil
            }
            // IF is bit 9 of the flags.
            return .init(instruction: instruction, isHalted: halted == 1, takesInterrupts: flags & 0x200 != 0)
        }
    }

    private mutating func tell(_ command: String) -> String? {
        ask("human-monitor-command", #"{"command-line":"\#(command)"}"#)?
            .replacing("\\r\\n", with: "\n").replacing("\\n", with: "\n")
    }

    /// The line of the answer; nil where there is none in time, or it is a refusal.
    private mutating func ask(_ command: String, _ arguments: String? = nil) -> String? {
        guard isUsable else { return nil }
        number += 1
        let extra = arguments.map { #","arguments":\#($0)"# } ?? ""
        var text = Array(#"{"execute":"\#(command)"\#(extra),"id":"q\#(number)"}"#.utf8) + [UInt8(ascii: "\n")]
        let count = send(descriptor, &text, text.count, Int32(MSG_NOSIGNAL))
        guard count == text.count, let answer = line(containing: "\"id\": \"q\(number)\"", within: .seconds(2)) else {
            isUsable = false
            return nil
        }
        return answer.contains("\"error\": {") ? nil : answer
    }

    private mutating func line(containing text: String, within limit: Duration) -> String? {
        let end = ContinuousClock.now + limit
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            while let newline = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: buffer[..<newline], as: UTF8.self)
                buffer.removeFirst(newline + 1)
                if line.contains(text) { return line }
            }
            let left = end - ContinuousClock.now
            var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard left > .zero, buffer.count < 1 << 20, poll(&wait, 1, Int32(left / .milliseconds(1))) > 0 else {
                return nil
            }
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return nil }
            buffer += chunk[..<count]
        }
    }

    deinit { close(descriptor) }
}
