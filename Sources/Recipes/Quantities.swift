/// A number of bytes, written with its unit: `512MiB`, `1.6GiB`, `4GB`, `100B`.
public struct ByteCount: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var bytes: UInt64

    public init(bytes: UInt64) {
        self.bytes = bytes
    }

    /// The units, largest first: KiB … TiB are powers of 1024, kB … TB of 1000.
    static let units: [(name: String, bytes: UInt64)] = [
        ("TiB", 1 << 40), ("TB", 1_000_000_000_000), ("GiB", 1 << 30), ("GB", 1_000_000_000), ("MiB", 1 << 20),
        ("MB", 1_000_000), ("KiB", 1 << 10), ("kB", 1000), ("B", 1),
    ]

    /// A size from its text, a fraction of a byte dropped; nil without a unit or beyond 2^63 - 1.
    public init?(_ text: some StringProtocol) {
        guard let (number, unit) = splitQuantity(text),
            let scale = Self.units.first(where: { $0.name == unit })?.bytes,
            let bytes = number.scaled(by: scale)?.quotient, bytes <= UInt64(Int64.max)
        else { return nil }
        self.bytes = bytes
    }

    /// The shortest exact text: `4GiB`, `1500MB`, `17B`.
    public var description: String {
        for unit in Self.units where bytes >= unit.bytes && bytes % unit.bytes == 0 {
            return "\(bytes / unit.bytes)\(unit.name)"
        }
        return "\(bytes)B"
    }

    public static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }
}

extension Duration {
    /// The units of a recipe's durations, largest first, in milliseconds.
    static let recipeUnits: [(name: String, milliseconds: UInt64)] = [
        ("h", 3_600_000), ("min", 60_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// A duration as recipes write it: `30s`, `1.5s`, `200ms`, `5min`, `1h`; nil without a unit, with a fraction of
    /// a millisecond, or beyond a year.
    public init?(recipeText text: some StringProtocol) {
        guard let (number, unit) = splitQuantity(text),
            let scale = Self.recipeUnits.first(where: { $0.name == unit })?.milliseconds,
            case (let milliseconds, let remainder)? = number.scaled(by: scale), remainder == 0,
            milliseconds <= 366 * 86_400_000
        else { return nil }
        self = .milliseconds(Int64(milliseconds))
    }

    /// The whole milliseconds in it.
    public var wholeMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }

    /// The shortest exact text in a recipe's units: `30s`, `200ms`.
    public var recipeText: String {
        let milliseconds = wholeMilliseconds
        for unit in Self.recipeUnits where milliseconds != 0 && milliseconds % Int64(unit.milliseconds) == 0 {
            return "\(milliseconds / Int64(unit.milliseconds))\(unit.name)"
        }
        return "\(milliseconds)ms"
    }
}

/// A decimal number without a sign: its digits as a whole number and how many of them stand behind the point.
struct DecimalNumber: Hashable {
    var digits: UInt64
    var fractionDigits: Int

    /// The number times a whole one, and what is left of it behind the point; nil when the product is too large.
    func scaled(by scale: UInt64) -> (quotient: UInt64, remainder: UInt64)? {
        let (product, overflow) = digits.multipliedReportingOverflow(by: scale)
        if overflow { return nil }
        var divisor: UInt64 = 1
        for _ in 0..<fractionDigits { divisor *= 10 }
        return product.quotientAndRemainder(dividingBy: divisor)
    }
}

/// `1.5GiB` as 1.5 and `GiB`; blanks between them are allowed. nil when it does not begin with a number.
/// At most six digits behind the point and fifteen in all.
func splitQuantity(_ text: some StringProtocol) -> (DecimalNumber, unit: String)? {
    var digits: UInt64 = 0
    var count = 0
    var fractionDigits: Int?
    var rest = Substring(text)
    while let character = rest.utf8.first {
        if character == UInt8(ascii: "."), fractionDigits == nil, count > 0 {
            fractionDigits = 0
        } else if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character) {
            digits = digits * 10 + UInt64(character - UInt8(ascii: "0"))
            count += 1
            fractionDigits = fractionDigits.map { $0 + 1 }
            if count > 15 || (fractionDigits ?? 0) > 6 { return nil }
        } else {
            break
        }
        rest = rest.dropFirst()
    }
    guard count > 0, fractionDigits != 0 else { return nil }
    return (DecimalNumber(digits: digits, fractionDigits: fractionDigits ?? 0), String(rest.drop { $0 == " " }))
}
