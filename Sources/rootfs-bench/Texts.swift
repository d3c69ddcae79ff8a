import Glibc

/// A number with so many decimals.
func fixed(_ value: Double, _ decimals: Int) -> String {
    let scale = pow(10, Double(decimals))
    let rounded = (abs(value) * scale).rounded()
    let whole = UInt64(rounded / scale)
    let sign = value < 0 && rounded > 0 ? "-" : ""
    if decimals == 0 { return "\(sign)\(whole)" }
    let rest = "\(UInt64(rounded) - whole * UInt64(scale))"
    return "\(sign)\(whole)." + String(repeating: "0", count: decimals - rest.count) + rest
}

/// Filled up with blanks to a width.
func padded(_ text: String, _ width: Int, toLeft: Bool = false) -> String {
    let blanks = String(repeating: " ", count: max(0, width - text.count))
    return toLeft ? blanks + text : text + blanks
}
