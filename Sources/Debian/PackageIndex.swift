internal import Glibc
public import RootfsModel

/// The text of a Packages file, read in place: for each stanza, where the fields stand that solving needs.
/// A stanza as a whole value is parsed on demand.
public struct PackageIndex: Sendable {
    /// The fields whose places are kept.
    public enum Field: Int, Sendable, CaseIterable {
        case package, version, architecture, essential, protected, important, priority, multiArch, source
        case preDepends, depends, conflicts, breaks, recommends, suggests, replaces, enhances, provides
    }

    public let bytes: [UInt8]
    /// What failures call it.
    public let file: String
    /// For each stanza its own begin and end, then begin and end of each field; begin == end where it is absent.
    private let places: [UInt32]

    private static let stride = 2 + 2 * Field.allCases.count

    /// Finds the stanzas. Fails on a line that is neither field nor continuation, on a stanza without Package,
    /// Version or Architecture, and on a text of 4 GiB or more.
    public init(parsing bytes: [UInt8], file: String) throws(Failure) {
        guard bytes.count < Int(UInt32.max) else { throw Failure("cannot parse \(file): longer than 4 GiB") }
        var places = [UInt32]()
        places.reserveCapacity(bytes.count / 800 * Self.stride)
        let mistake = bytes.withUnsafeBufferPointer { Self.scan($0, into: &places) }
        if let mistake {
            let line = bytes[..<mistake.position].count(where: { $0 == Byte.lineFeed }) + 1
            let end = bytes[mistake.position...].firstIndex(of: Byte.lineFeed) ?? bytes.count
            throw Failure(
                "cannot parse \(file): " + mistake.message,
                at: location(file: file, line: line, column: 1, length: 1, of: bytes[mistake.position..<end]))
        }
        self.bytes = bytes
        self.file = file
        self.places = places
    }

    /// How many stanzas it has.
    public var count: Int { places.count / Self.stride }

    /// Where in `bytes` a stanza stands, its last line feed included.
    public func range(of stanza: Int) -> Range<Int> {
        let base = stanza * Self.stride
        return Int(places[base])..<Int(places[base + 1])
    }

    /// Where in `bytes` a field's value stands, without blanks around it; empty where it is absent.
    public func range(of field: Field, in stanza: Int) -> Range<Int> {
        let base = stanza * Self.stride + 2 + 2 * field.rawValue
        return Int(places[base])..<Int(places[base + 1])
    }

    public func text(of field: Field, in stanza: Int) -> String {
        String(decoding: bytes[range(of: field, in: stanza)], as: UTF8.self)
    }

    /// The whole stanza as a value.
    public func package(at stanza: Int) throws(Failure) -> PackageStanza {
        try PackageStanza(parsing: Array(bytes[range(of: stanza)]), file: file)
    }

    private struct Mistake {
        var position: Int
        var message: String
    }

    private static func scan(_ bytes: UnsafeBufferPointer<UInt8>, into places: inout [UInt32]) -> Mistake? {
        guard let base = bytes.baseAddress else { return nil }
        let count = bytes.count
        var position = 0
        var row = [UInt32](repeating: 0, count: stride)
        let empty = row
        var isInStanza = false
        var current = -1

        func finish(at end: Int) -> Mistake? {
            row[1] = UInt32(end)
            for field in [Field.package, .version, .architecture] {
                let at = 2 + 2 * field.rawValue
                if row[at] == row[at + 1] {
                    let name = field == .package ? "Package" : field == .version ? "Version" : "Architecture"
                    return Mistake(position: Int(row[0]), message: "a stanza without the \(name) field")
                }
            }
            places.append(contentsOf: row)
            row = empty
            isInStanza = false
            current = -1
            return nil
        }

        while position < count {
            let start = position
            let end =
                memchr(base + start, 10, count - start).map { UnsafeRawPointer($0) - UnsafeRawPointer(base) } ?? count
            position = min(end + 1, count)
            if end == start {
                if isInStanza, let mistake = finish(at: start) { return mistake }
                continue
            }
            let first = base[start]
            if first == Byte.hash { continue }
            if isBlank(first) {
                // A continued field is rare among those kept: its end moves on.
                var last = end
                while last > start, isBlank(base[last - 1]) { last -= 1 }
                if last == start {
                    if isInStanza, let mistake = finish(at: start) { return mistake }
                } else if !isInStanza {
                    return Mistake(position: start, message: "a continuation line without a field before it")
                } else if current >= 0 {
                    row[current + 1] = UInt32(last)
                }
                continue
            }
            guard
                let colon = memchr(base + start, 58, end - start).map({ UnsafeRawPointer($0) - UnsafeRawPointer(base) })
            else { return Mistake(position: start, message: "a line that is neither field nor continuation") }
            if !isInStanza {
                isInStanza = true
                row[0] = UInt32(start)
            }
            guard let field = field(base + start, colon - start) else {
                current = -1
                continue
            }
            var from = colon + 1
            var to = end
            while from < to, isBlank(base[from]) { from += 1 }
            while to > from, isBlank(base[to - 1]) { to -= 1 }
            current = 2 + 2 * field.rawValue
            row[current] = UInt32(from)
            row[current + 1] = UInt32(to)
        }
        return isInStanza ? finish(at: count) : nil
    }

    /// The kept field of this name, without regard to case.
    private static func field(_ name: UnsafePointer<UInt8>, _ count: Int) -> Field? {
        func matches(_ other: StaticString, _ field: Field) -> Field? {
            strncasecmp(name, other.utf8Start, count) == 0 ? field : nil
        }
        switch (count, name[0] | 32) {
        case (6, UInt8(ascii: "s")): return matches("source", .source)
        case (6, UInt8(ascii: "b")): return matches("breaks", .breaks)
        case (7, UInt8(ascii: "p")): return matches("package", .package)
        case (7, UInt8(ascii: "v")): return matches("version", .version)
        case (7, UInt8(ascii: "d")): return matches("depends", .depends)
        case (8, UInt8(ascii: "p")): return matches("priority", .priority) ?? matches("provides", .provides)
        case (8, UInt8(ascii: "s")): return matches("suggests", .suggests)
        case (8, UInt8(ascii: "r")): return matches("replaces", .replaces)
        case (8, UInt8(ascii: "e")): return matches("enhances", .enhances)
        case (9, UInt8(ascii: "e")): return matches("essential", .essential)
        case (9, UInt8(ascii: "p")): return matches("protected", .protected)
        case (9, UInt8(ascii: "i")): return matches("important", .important)
        case (9, UInt8(ascii: "c")): return matches("conflicts", .conflicts)
        case (10, UInt8(ascii: "m")): return matches("multi-arch", .multiArch)
        case (10, UInt8(ascii: "r")): return matches("recommends", .recommends)
        case (11, UInt8(ascii: "p")): return matches("pre-depends", .preDepends)
        case (12, UInt8(ascii: "a")): return matches("architecture", .architecture)
        default: return nil
        }
    }
}
