import Glibc

/// One line that a guest wrote, with the time since the machine was started.
public struct ConsoleLine: Hashable, Sendable {
    public var time: Duration
    /// Without its end and without the terminal's colours and movements.
    public var text: String

    public init(time: Duration, text: String) {
        self.time = time
        self.text = text
    }

    /// When the guest says that it wrote it, by its own clock; nil where it says nothing of that.
    public var guestTime: Duration? { GuestLine(text).stamp }

    /// The time in seconds as `   12.345 `, and the text.
    public var description: String {
        "\(seconds(time, width: 8)) \(text)"
    }
}

/// What a guest wrote on its serial line: its lines, and which of the expected texts were among them and when.
/// A pure machine: it is fed bytes and times.
public struct Console: Sendable {
    public struct Sighting: Hashable, Sendable {
        public var text: String
        public var time: Duration
    }

    /// The last lines, at least `capacity` of them where there were so many.
    public private(set) var lines: [ConsoleLine] = []
    /// How many older lines are no longer in `lines`.
    public private(set) var dropped = 0
    /// In the order they appeared.
    public private(set) var seen: [Sighting] = []
    /// What was expected and has not appeared, in the order it was asked for.
    public private(set) var missing: [String]
    private let capacity: Int
    private var partial: [UInt8] = []
    private var lastByte = Duration.zero
    /// A longer line is cut here, so that a guest that never ends one cannot fill our memory.
    private static let longestLine = 16 << 10

    public init(expecting: [String], capacity: Int = 1000) {
        self.missing = expecting.filter { !$0.isEmpty }
        self.capacity = max(1, capacity)
    }

    /// Takes what came in at a time; gives the lines that ended with it. An expected text counts as seen in a line
    /// that has not ended as well: a login prompt never does.
    public mutating func append(_ bytes: [UInt8], at time: Duration) -> [ConsoleLine] {
        lastByte = time
        var ended = [ConsoleLine]()
        var rest = bytes[...]
        while !rest.isEmpty {
            let room = Self.longestLine - partial.count
            let newline = rest.prefix(room).withUnsafeBytes { buffer in
                memchr(buffer.baseAddress!, Int32(UInt8(ascii: "\n")), buffer.count).map {
                    buffer.baseAddress! - UnsafeRawPointer($0)
                }
            }.map { rest.startIndex - $0 }
            partial += rest[..<(newline ?? min(rest.endIndex, rest.startIndex + room))]
            rest = rest.dropFirst(newline.map { $0 + 1 - rest.startIndex } ?? room)
            if newline != nil || partial.count >= Self.longestLine { ended.append(endLine(at: time)) }
        }
        if !partial.isEmpty, !missing.isEmpty { look(at: cleaned(partial), time: time) }
        return ended
    }

    /// Ends a line that has no newline, with the time of its last byte; nil where there is none.
    public mutating func finish() -> ConsoleLine? {
        partial.isEmpty ? nil : endLine(at: lastByte)
    }

    private mutating func endLine(at time: Duration) -> ConsoleLine {
        let line = ConsoleLine(time: time, text: cleaned(partial))
        partial.removeAll(keepingCapacity: true)
        look(at: line.text, time: time)
        lines.append(line)
        // Dropped in bulk, so that a line costs the same however many there were.
        if lines.count >= capacity * 2 {
            lines.removeFirst(capacity)
            dropped += capacity
        }
        return line
    }

    private mutating func look(at text: String, time: Duration) {
        if missing.isEmpty { return }
        let found = missing.filter { text.has($0) }
        if found.isEmpty { return }
        missing.removeAll { found.contains($0) }
        seen += found.map { Sighting(text: $0, time: time) }
    }
}

/// The text of a line without escape sequences (ECMA-48) and control characters but tabs.
func cleaned(_ line: [UInt8]) -> String {
    var text = [UInt8]()
    text.reserveCapacity(line.count)
    var index = 0
    while index < line.count {
        let byte = line[index]
        index += 1
        if byte == 0x1B {
            guard index < line.count else { break }
            let kind = line[index]
            index += 1
            switch kind {
            case UInt8(ascii: "["):
                // Parameters, then one final byte.
                while index < line.count, !(0x40...0x7E).contains(line[index]) { index += 1 }
                index += 1
            case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "^"), UInt8(ascii: "_"):
                // A text up to BEL or ESC \.
                while index < line.count, line[index] != 0x07, line[index] != 0x1B { index += 1 }
                if index < line.count, line[index] == 0x1B { index += 1 }
                index += 1
            case 0x20...0x2F:
                // Intermediate bytes, then one final byte.
                while index < line.count, (0x20...0x2F).contains(line[index]) { index += 1 }
                index += 1
            default:
                break
            }
        } else if byte >= 0x20 && byte != 0x7F || byte == UInt8(ascii: "\t") {
            text.append(byte)
        }
    }
    return String(decoding: text, as: UTF8.self)
}

/// A duration as seconds with three decimals, right-aligned.
func seconds(_ duration: Duration, width: Int = 0) -> String {
    let parts = duration.components
    let milliseconds = parts.attoseconds / 1_000_000_000_000_000
    let decimals = String(milliseconds)
    let text = "\(parts.seconds).\(String(repeating: "0", count: max(0, 3 - decimals.count)))\(decimals)"
    return String(repeating: " ", count: max(0, width - text.count)) + text
}
