internal import Recipes

/// One word of an ExecStart= or ExecStartPost= line (systemd.service(5), Command lines): `%` and `$` doubled so that
/// they are themselves, in quotes where the word is not plain.
func unitWord(_ word: String, isProgram: Bool = false) -> String {
    // The program's path is taken before variables are, so a dollar in it stays single.
    let text = word.replacing("%", with: "%%")
    let escaped = isProgram ? text : text.replacing("$", with: "$$")
    let isPlain = escaped.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "%$/._-+=:,@".utf8.contains(byte)
        }
    }
    return isPlain && !escaped.isEmpty ? escaped : unitQuoted(escaped)
}

/// `Environment="NAME=value"`: a dollar has no meaning there, a percent sign has.
func unitAssignment(_ name: String, _ value: String) -> String {
    unitQuoted("\(name)=\(value)".replacing("%", with: "%%"))
}

/// A value that runs to the end of its line, as User=: not unquoted by systemd.
func unitValue(_ value: String) -> String {
    value.replacing("%", with: "%%")
}

/// In double quotes, with the C escapes that systemd.syntax(7) lists.
private func unitQuoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\\": result += "\\\\"
        case "\"": result += "\\\""
        case "\n": result += "\\n"
        case "\t": result += "\\t"
        case "\r": result += "\\r"
        case _ where scalar.value < 32 || scalar.value == 127:
            let digits = String(scalar.value, radix: 16)
            result += "\\x" + (digits.count == 1 ? "0" : "") + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}

/// A time span for a unit: `1500ms`, `30s`.
func unitSpan(_ duration: Duration) -> String {
    let milliseconds = duration.wholeMilliseconds
    return milliseconds.isMultiple(of: 1000) ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
}
