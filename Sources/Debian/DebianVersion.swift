/// A package's version (`[epoch:]upstream[-revision]`), ordered and equal as dpkg has it: `1.0` equals `0:1.00`
/// and `1.0-0`. deb-version(7).
public struct DebianVersion: Comparable, Hashable, Sendable, CustomStringConvertible {
    /// As written.
    public let text: String

    public init(_ text: String) {
        self.text = text
    }

    public var description: String { text }

    /// The upstream version, without epoch and revision.
    public var upstream: Substring {
        let withoutEpoch = text.firstIndex(of: ":").map { text[text.index(after: $0)...] } ?? text[...]
        return withoutEpoch.lastIndex(of: "-").map { withoutEpoch[..<$0] } ?? withoutEpoch
    }

    public static func == (left: DebianVersion, right: DebianVersion) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8) || order(left, right) == 0
    }

    public static func < (left: DebianVersion, right: DebianVersion) -> Bool {
        order(left, right) < 0
    }

    private static func order(_ left: DebianVersion, _ right: DebianVersion) -> Int {
        var left = left.text
        var right = right.text
        return left.withUTF8 { a in
            right.withUTF8 { b in compareVersions(UnsafeRawBufferPointer(a), UnsafeRawBufferPointer(b)) }
        }
    }

    /// Feeds what the order sees: without leading zeros, and without a last run that is empty or zero.
    public func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { bytes in
            let parts = VersionParts(UnsafeRawBufferPointer(bytes))
            for part in [parts.epoch, parts.upstream, parts.revision] {
                var index = 0
                repeat {
                    let begin = index
                    while index < part.count, !isDigit(part[index]) { index += 1 }
                    let word = begin..<index
                    while index < part.count, part[index] == Byte.zero { index += 1 }
                    let digits = index
                    while index < part.count, isDigit(part[index]) { index += 1 }
                    if word.isEmpty && digits == index { continue }
                    for byte in part[word] { hasher.combine(byte) }
                    hasher.combine(UInt8(0))
                    for byte in part[digits..<index] { hasher.combine(byte) }
                    hasher.combine(UInt8(1))
                } while index < part.count
                hasher.combine(UInt8(2))
            }
        }
    }
}

/// Where a version's three parts stand. A missing epoch or revision is empty, which orders like 0.
private struct VersionParts {
    let epoch: UnsafeRawBufferPointer
    let upstream: UnsafeRawBufferPointer
    let revision: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) {
        var start = 0
        var end = bytes.count
        var epoch = UnsafeRawBufferPointer(rebasing: bytes[0..<0])
        var revision = epoch
        var index = 0
        while index < bytes.count {
            if bytes[index] == Byte.colon {
                epoch = UnsafeRawBufferPointer(rebasing: bytes[0..<index])
                start = index + 1
                break
            }
            index += 1
        }
        index = bytes.count
        while index > start {
            index -= 1
            if bytes[index] == Byte.hyphen {
                revision = UnsafeRawBufferPointer(rebasing: bytes[(index + 1)...])
                end = index
                break
            }
        }
        self.epoch = epoch
        self.upstream = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        self.revision = revision
    }
}

/// dpkg's order of two versions: negative, zero or positive.
public func compareVersions(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    let a = VersionParts(left)
    let b = VersionParts(right)
    let epoch = comparePart(a.epoch, b.epoch)
    if epoch != 0 { return epoch }
    let upstream = comparePart(a.upstream, b.upstream)
    if upstream != 0 { return upstream }
    return comparePart(a.revision, b.revision)
}

/// Runs of non-digits by `weight`, runs of digits by number, in turns (Policy 5.6.12).
private func comparePart(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
    var i = 0
    var j = 0
    while i < a.count || j < b.count {
        while (i < a.count && !isDigit(a[i])) || (j < b.count && !isDigit(b[j])) {
            let left = i < a.count ? weight(a[i]) : 0
            let right = j < b.count ? weight(b[j]) : 0
            if left != right { return left - right }
            i += 1
            j += 1
        }
        while i < a.count, a[i] == Byte.zero { i += 1 }
        while j < b.count, b[j] == Byte.zero { j += 1 }
        var difference = 0
        while i < a.count, isDigit(a[i]), j < b.count, isDigit(b[j]) {
            if difference == 0 { difference = Int(a[i]) - Int(b[j]) }
            i += 1
            j += 1
        }
        if i < a.count, isDigit(a[i]) { return 1 }
        if j < b.count, isDigit(b[j]) { return -1 }
        if difference != 0 { return difference }
    }
    return 0
}

/// `~` before the end, the end (and digits) before letters, letters before everything else.
private func weight(_ byte: UInt8) -> Int {
    switch byte {
    case Byte.zero...Byte.nine: 0
    case Byte.tilde: -1
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(byte)
    default: Int(byte) + 256
    }
}

private func isDigit(_ byte: UInt8) -> Bool { byte >= Byte.zero && byte <= Byte.nine }
