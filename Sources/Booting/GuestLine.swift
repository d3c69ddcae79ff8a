import Glibc

/// A line of the console as kernel, journald and the supervisor write it: `[   12.345678] name[PID]: text`.
struct GuestLine: Hashable {
    /// The guest's own clock, since its kernel started.
    var stamp: Duration?
    /// Who says it; nil for the kernel, and for what is in no such form.
    var source: String?
    var pid: Int?
    var text: String

    init(_ line: String) {
        var rest = line[...]
        if let (stamp, after) = Self.stamp(rest) {
            self.stamp = stamp
            rest = after
        }
        if let (source, pid, after) = Self.source(rest) {
            self.source = source
            self.pid = pid
            rest = after
        }
        text = String(rest)
    }

    /// The recipe's service whose line it is, by the unit's name.
    var service: String? {
        guard let source, source.hasPrefix("app-") else { return nil }
        return String(source.dropFirst("app-".count))
    }

    private static func stamp(_ line: Substring) -> (Duration, Substring)? {
        guard line.first == "[", let end = line.prefix(24).firstIndex(of: "]") else { return nil }
        let number = line[line.index(after: line.startIndex)..<end].drop { $0 == " " }
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let whole = Int64(parts[0]), let fraction = Int64(parts[1]), parts[1].count <= 9 else {
            return nil
        }
        let scale = (parts[1].count..<9).reduce(Int64(1)) { scale, _ in scale * 10 }
        let rest = line[line.index(after: end)...]
        return (.seconds(whole) + .nanoseconds(fraction * scale), rest.hasPrefix(" ") ? rest.dropFirst() : rest)
    }

    private static func source(_ line: Substring) -> (String, Int, Substring)? {
        guard let open = line.prefix(80).firstIndex(of: "["), open != line.startIndex, !line[..<open].contains(" "),
            let close = line[open...].prefix(12).firstIndex(of: "]"),
            let pid = Int(line[line.index(after: open)..<close]), line[close...].hasPrefix("]: ")
        else { return nil }
        return (String(line[..<open]), pid, line[close...].dropFirst(3))
    }
}

extension String {
    /// Whether a text stands in it, byte by byte: for lines that come by the million, and have no NUL.
    func has(_ part: String) -> Bool {
        withCString { text in part.withCString { strstr(text, $0) != nil } }
    }
}

extension StringProtocol {
    /// What stands between two texts, or from one to the end.
    func between(_ start: String, and end: String? = nil) -> Substring? {
        guard let first = self[...].firstRange(of: start) else { return nil }
        let rest = self[first.upperBound...]
        guard let end else { return Substring(rest) }
        return rest.firstRange(of: end).map { Substring(rest[..<$0.lowerBound]) }
    }
}
