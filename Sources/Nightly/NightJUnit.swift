extension NightReport {
    /// The night as JUnit XML, which CI systems show: a test case for each gate, and one for the image itself.
    func junit(of record: NightRecord) -> String {
        var cases = [String]()
        func add(_ name: String, _ body: String, seconds: Double = 0) {
            let head = "    <testcase classname=\"\(xml(record.name))\" name=\"\(xml(name))\" time=\"\(seconds)\""
            cases.append(body.isEmpty ? head + "/>" : head + ">\n      \(body)\n    </testcase>")
        }
        func seconds(_ what: String) -> Double { record.timings.first { $0.what == what }?.seconds ?? 0 }
        let failures = record.failures.flatMap { [$0.message] + $0.notes + ($0.hint.map { ["hint: \($0)"] } ?? []) }
        add(
            "image", record.failures.isEmpty ? "" : element("error", record.because, failures),
            seconds: seconds("update") + seconds("build"))
        for gate in record.gates {
            let body =
                switch gate.outcome {
                case .passed: ""
                case .refused: element("failure", gate.because, gate.evidence)
                case .unanswered: element("error", gate.because, gate.evidence)
                case .skipped, .off: "<skipped message=\"\(xml(gate.because))\"/>"
                }
            add(gate.name, body, seconds: seconds(gate.name == "reproduced" ? "reproduce" : gate.name))
        }
        let refused = record.gates.count { $0.outcome == .refused }
        let errors = record.gates.count { $0.outcome == .unanswered } + (record.failures.isEmpty ? 0 : 1)
        let skipped = record.gates.count { [.skipped, .off].contains($0.outcome) }
        let counts =
            "tests=\"\(cases.count)\" failures=\"\(refused)\" errors=\"\(errors)\" "
            + "skipped=\"\(skipped)\""
        let time = record.timings.reduce(0) { $0 + $1.seconds }
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites>
              <testsuite name="\(xml("nightly " + record.name))" \(counts) time="\(time)" timestamp="\
            \(xml(String(record.moment.dropLast())))">
            \(cases.joined(separator: "\n"))
              </testsuite>
            </testsuites>

            """
    }

    private func element(_ name: String, _ message: String, _ lines: [String]) -> String {
        "<\(name) message=\"\(xml(message))\">\(xml(lines.joined(separator: "\n")))</\(name)>"
    }
}

/// A text that no byte of it can end; what XML 1.0 has no character for is left out.
private func xml(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case "\n", "\t": result.unicodeScalars.append(scalar)
        default:
            if scalar.value >= 0x20, scalar.value != 0xFFFE, scalar.value != 0xFFFF {
                result.unicodeScalars.append(scalar)
            }
        }
    }
    return result
}
