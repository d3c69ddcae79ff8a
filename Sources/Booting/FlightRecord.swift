public import RootfsModel

/// The deaths that a machine's supervisor kept in its image (docs/flight-record.md). The bytes come from a disk that
/// nobody vouches for: whatever they are, reading them ends, in what they say or in a failure.
public struct FlightRecord: Sendable {
    /// One service's deaths.
    public struct Service: Sendable, Equatable {
        public var name: String
        /// The newest first.
        public var deaths: [RecordedDeath]
        /// How many slots cannot be read: the machine stopped while one was written, or the disk is damaged.
        public var damagedSlots: Int
    }

    /// Where it is in an image.
    public static let path: TreePath = "var/lib/microvm/flight-record"
    /// More bytes than any has.
    public static let sizeLimit: UInt64 = 1 << 28

    private static let headSize = 4096
    private static let outputSize = 65_536
    private static let slotsOfService = 5

    /// In the order of the file, which is the recipe's.
    public private(set) var services: [Service] = []

    /// - Throws: where it is no flight record of this version.
    public init(_ bytes: [UInt8]) throws(Failure) {
        let head = Self.lines(bytes.prefix(Self.headSize))
        guard let first = head.first, first.key == "microvm-flight-record" else {
            throw Failure("\(Self.path) is no flight record: it does not begin as one")
        }
        guard first.value == "1" else {
            throw Failure(
                "\(Self.path) is a flight record of version \(cleaned(Array(first.value.utf8))), which is not known",
                hint: "read it with the version of this program that made the image")
        }
        let slotSize = Self.headSize + Self.outputSize
        let slots = head.first { $0.key == "slots" }.flatMap { Int($0.value) } ?? -1
        guard slots >= 0, bytes.count >= Self.headSize, (bytes.count - Self.headSize) / slotSize == slots,
            (bytes.count - Self.headSize) % slotSize == 0,
            head.first(where: { $0.key == "head-bytes" })?.value == String(Self.headSize),
            head.first(where: { $0.key == "output-bytes" })?.value == String(Self.outputSize)
        else { throw Failure("\(Self.path) is no flight record: its size is not the one that its head says") }
        // The slots of a service are side by side.
        for start in stride(from: 0, to: slots, by: Self.slotsOfService) {
            var service = Service(name: "", deaths: [], damagedSlots: 0)
            for index in start..<min(slots, start + Self.slotsOfService) {
                let place = Self.headSize + index * slotSize
                let slot = Slot(
                    head: bytes[place..<place + Self.headSize], output: bytes[place + Self.headSize..<place + slotSize])
                if service.name.isEmpty { service.name = slot.service ?? "" }
                switch slot.content {
                case .free: break
                case .death(let death): service.deaths.append(death)
                case .damaged: service.damagedSlots += 1
                }
            }
            if service.name.isEmpty { service.name = "service \(start / Self.slotsOfService + 1)" }
            service.deaths.sort { $0.number > $1.number }
            services.append(service)
        }
    }

    /// `KEY VALUE` lines, up to the first empty one.
    fileprivate static func lines(_ head: ArraySlice<UInt8>) -> [(key: String, value: String)] {
        var lines = [(key: String, value: String)]()
        for line in head.split(separator: lineFeed, omittingEmptySubsequences: false) {
            if line.isEmpty { break }
            let words = line.split(separator: space, maxSplits: 1, omittingEmptySubsequences: false)
            lines.append(
                (
                    String(decoding: words[0], as: UTF8.self),
                    words.count > 1 ? String(decoding: words[1], as: UTF8.self) : ""
                ))
        }
        return lines
    }

    /// One slot of the file.
    private struct Slot {
        enum Content {
            case free
            case death(RecordedDeath)
            case damaged
        }

        /// nil where the head does not say it.
        var service: String?
        var content: Content

        init(head: ArraySlice<UInt8>, output: ArraySlice<UInt8>) {
            let lines = FlightRecord.lines(head)
            let name = lines.first { $0.key == "service" }.map { cleaned(Array($0.value.utf8)) }
            guard let index = lines.firstIndex(where: { $0.key == "crc32" }) else {
                service = name
                // What begins as a death and does not end as one was written in part.
                content = lines.contains { $0.key == "death" } ? .damaged : .free
                return
            }
            // The bytes of the lines before, each with its line feed.
            let end = head.split(separator: lineFeed, maxSplits: index, omittingEmptySubsequences: false)
                .prefix(index).last?.endIndex.advanced(by: 1)
            guard let end, lines[index].value == crc32Text(head[head.startIndex..<end]),
                var death = RecordedDeath(Array(lines[..<index]))
            else {
                service = nil
                content = .damaged
                return
            }
            service = name
            if let count = death.outputSize, count <= output.count,
                lines.first(where: { $0.key == "output-crc32" })?.value == crc32Text(output.prefix(count))
            {
                death.output = Array(output.prefix(count))
            }
            content = .death(death)
        }
    }
}

/// One end of a service that its supervisor took for a death.
public struct RecordedDeath: Sendable, Equatable {
    public enum Ending: Sendable, Equatable {
        case exited(Int)
        /// The signal's name without SIG.
        case killed(String, dumpedCore: Bool)
        /// No process was started.
        case none
    }

    public var service: String
    /// Counted over all services: the greatest is the newest.
    public var number: UInt64
    /// The kernel's boot_id.
    public var boot: String
    /// Seconds since 1970 by the machine's clock.
    public var time: Int64
    /// Since boot, when it died and when it had been started; nil where no process was started.
    public var uptime: Duration
    public var started: Duration?
    public var pid: Int
    public var restart: Int
    public var ending: Ending
    /// systemd's word for it: `exit-code`, `oom-kill`.
    public var result: String
    /// What failed before the program was reached, in systemd's words: `EXEC`, `USER`; nil where it was reached.
    public var step: String?
    /// The system's error number of that step; 0 where none is known.
    public var errorNumber: Int32
    public var reason: String
    /// Without escape sequences and control characters, as all texts here.
    public var arguments: [String]
    /// How many arguments more there were.
    public var argumentsLeftOut: Int
    /// The last 64 KiB that it wrote; nil where they were lost, since the machine stopped while they were kept.
    public var output: [UInt8]?
    /// How many bytes of output there should be.
    fileprivate var outputSize: Int?

    /// nil where what makes a death is missing.
    fileprivate init?(_ lines: [(key: String, value: String)]) {
        func value(_ key: String) -> String? { lines.first { $0.key == key }?.value }
        func text(_ key: String) -> String { cleaned(Array((value(key) ?? "").utf8)) }
        func time(_ key: String) -> Duration? {
            let parts = (value(key) ?? "").split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count == 2, let whole = UInt32(parts[0]), let fraction = UInt16(parts[1]), fraction < 1000
            else { return nil }
            return .seconds(whole) + .milliseconds(fraction)
        }
        guard let number = value("death").flatMap({ UInt64($0) }), let ending = value("end").flatMap(Ending.init),
            value("service") != nil
        else { return nil }
        self.number = number
        self.ending = ending
        service = text("service")
        boot = text("boot")
        self.time = value("time").flatMap { Int64($0) } ?? 0
        uptime = time("uptime") ?? .zero
        started = time("started")
        pid = value("pid").flatMap { Int($0) } ?? 0
        restart = value("restart").flatMap { Int($0) } ?? 0
        result = text("result")
        step = text("step").isEmpty || text("step") == "-" ? nil : text("step")
        errorNumber = value("errno").flatMap { Int32($0) } ?? 0
        reason = cleaned(unescaped(value("reason") ?? ""))
        arguments = (value("argv") ?? "").split(separator: " ").map { cleaned(unescaped($0)) }
        argumentsLeftOut = value("argv-left-out").flatMap { Int($0) } ?? 0
        outputSize = value("output").flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil }
    }

    /// The last lines that it wrote, without escape sequences and control characters.
    public func lastLines(_ count: Int) -> [String] {
        printableLines(output ?? [], last: count)
    }
}

/// The last lines of a text, without empty ones at its end, escape sequences and control characters.
public func printableLines(_ bytes: [UInt8], last count: Int) -> [String] {
    var lines = bytes.split(separator: lineFeed, omittingEmptySubsequences: false)
    while lines.last?.allSatisfy({ $0 == space || $0 == 0x0D }) == true { lines.removeLast() }
    return lines.suffix(count).map { cleaned(Array($0)) }
}

extension RecordedDeath.Ending {
    fileprivate init?(_ text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        switch (words.first, words.count) {
        case ("none", 1): self = .none
        case ("exited", 2):
            guard let status = Int(words[1]), (0...255).contains(status) else { return nil }
            self = .exited(status)
        case ("killed", 2), ("dumped", 2):
            guard !words[1].isEmpty, words[1].utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
            self = .killed(words[1], dumpedCore: words[0] == "dumped")
        default: return nil
        }
    }
}

private let lineFeed = UInt8(ascii: "\n")
private let space = UInt8(ascii: " ")

/// The bytes of a text in which some stand as `%` and two digits; a `%` without them is none.
private func unescaped(_ text: some StringProtocol) -> [UInt8] {
    let bytes = Array(text.utf8)
    var result = [UInt8]()
    var index = 0
    while index < bytes.count {
        if bytes[index] == UInt8(ascii: "%") {
            if index + 2 < bytes.count, let value = hexDigitPair(bytes[index + 1], bytes[index + 2]) {
                result.append(value)
                index += 2
            }
        } else {
            result.append(bytes[index])
        }
        index += 1
    }
    return result
}

private func hexDigitPair(_ high: UInt8, _ low: UInt8) -> UInt8? {
    UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16)
}

/// CRC-32 as zip, gzip and PNG have it, in eight hexadecimal digits.
func crc32Text(_ bytes: some Sequence<UInt8>) -> String {
    let crc = ~bytes.reduce(UInt32.max) { crc32Table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
    return hexText((0..<4).map { UInt8(truncatingIfNeeded: crc >> UInt32(24 - $0 * 8)) })
}

private let crc32Table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { crc, _ in crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0xedb8_8320 }
}
