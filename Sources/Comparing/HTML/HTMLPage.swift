import RootfsModel

extension Comparison {
    /// The comparison as a page that a browser shows: one file that needs no network.
    ///
    /// - Parameters:
    ///   - json: its encoded form, which the page's script reads.
    ///   - before: what stands above it.
    public func html(json: String, _ detail: Detail = .normal, before: PageSection? = nil) -> String {
        HTMLPage(
            title: "\(old.name) → \(new.name)", json: json, plain: text(detail),
            script: HTMLPage.graphScript + HTMLPage.diffScript, before: before
        ).text
    }
}

extension ImageSummary {
    /// Likewise what one image is.
    ///
    /// - Parameter json: its encoded form.
    public func html(json: String) -> String {
        HTMLPage(title: side.name, json: json, plain: text(), script: HTMLPage.inspectScript).text
    }
}

/// One self-contained file: what it shows as JSON, a script that shows it, and the text form for who runs no script.
///
/// Names and texts of an image are anybody's. They stand in the JSON and in the text form alone, where no byte of them
/// can end what they are in, and the script makes text nodes of them, never markup. The policy of the page lets nothing
/// but its own script and style run and nothing be loaded, whatever is in it.
struct HTMLPage {
    var title: String
    var json: String
    var plain: String
    /// What comes after the parts that every page has.
    var script: String
    /// What stands above what the script shows, and needs none.
    var before: PageSection?

    var text: String {
        let script = "\n" + Self.baseScript + Self.tableScript + Self.treemapScript + script + "\n"
        let style = "\n" + Self.style + "\n"
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src '\(Self.hash(script))'; \
            style-src '\(Self.hash(style))'; base-uri 'none'; form-action 'none'">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="generator" content="rootfs-build">
            <title>\(Self.escaped(title))</title>
            <style>\(style)</style>
            </head>
            <body>
            <a class="skip" href="#content">To the report</a>
            <nav id="sections" aria-label="Sections"></nav>
            \(before.map { "<header>\($0.markup)</header>\n" } ?? "")<main id="content" tabindex="-1"><noscript><pre>\(Self.escaped(plain))</pre></noscript></main>
            <script type="application/json" id="data">\(Self.inScript(json))</script>
            <script>\(script)</script>
            </body>
            </html>

            """
    }

    /// A text as HTML, in which what turns the direction of the text or has no shape is told by its number.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default:
                if isOdd(scalar) {
                    result += "⟨U+\(hexadecimal(scalar.value))⟩"
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result
    }

    /// JSON that no text in it can end: what HTML or an editor would take for something else is an escape.
    static func inScript(_ json: String) -> String {
        var result = ""
        result.reserveCapacity(json.utf8.count + 1024)
        for scalar in json.unicodeScalars {
            if scalar == "<" || scalar == ">" || scalar == "&" || isOdd(scalar) {
                for unit in String(scalar).utf16 { result += "\\u" + hexadecimal(UInt32(unit)) }
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Whether it is a control character, has no width, or turns the direction of the text around it.
    private static func isOdd(_ scalar: Unicode.Scalar) -> Bool {
        if scalar == "\n" || scalar == "\t" { return false }
        if scalar.value < 0x80 { return scalar.value < 0x20 || scalar.value == 0x7F }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: return true
        default: return scalar.properties.isDefaultIgnorableCodePoint
        }
    }

    private static func hexadecimal(_ value: UInt32) -> String {
        let digits = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// What a content security policy calls a script or a style by (CSP 3, section 2.3.1).
    static func hash(_ text: String) -> String { "sha256-" + base64(Digest(hashing: Array(text.utf8)).bytes) }

    /// RFC 4648, section 4.
    private static func base64(_ bytes: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let part = bytes[start..<min(start + 3, bytes.count)]
            let word = part.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - part.count))
            for index in 0...3 { text.append(index <= part.count ? digits[word >> (18 - 6 * index) & 63] : "=") }
        }
        return text
    }
}
