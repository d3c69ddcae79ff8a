/// Lower-case hexadecimal digits, two for each byte.
public func hexText(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: hexDigits(bytes), as: UTF8.self)
}

/// The ASCII of `hexText`.
func hexDigits(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var digits = [UInt8]()
    digits.reserveCapacity(bytes.underestimatedCount * 2)
    for byte in bytes {
        digits.append(lowerHexDigits[Int(byte >> 4)])
        digits.append(lowerHexDigits[Int(byte & 15)])
    }
    return digits
}

private let lowerHexDigits = Array("0123456789abcdef".utf8)

/// The value of one hexadecimal digit in ASCII, either case.
func hexDigitValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}

/// Bytes for people: in hexadecimal and, where they are printable, as text; `the end` for none.
public func shownBytes(_ bytes: some Collection<UInt8>) -> String {
    if bytes.isEmpty { return "the end" }
    let text = bytes.map { (0x20..<0x7f).contains($0) ? Character(UnicodeScalar($0)) : "." }
    return "\(hexText(bytes)) \"\(String(text))\""
}
