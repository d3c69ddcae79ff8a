internal import Comparing
internal import Pipeline
internal import RootfsModel

extension NightReport {
    /// The night for a pull request or a chat: the decision, what closed a gate, what moved, then the comparison.
    func markdown(of record: NightRecord) -> String {
        var lines = ["# \(escaped(record.name)): \(record.decision.rawValue)", "", "\(escaped(record.because)).", ""]
        if !record.succeeded { lines += ["The last good image stays in place.", ""] }
        for failure in record.failures {
            lines += ["- \(escaped(failure.message))"] + failure.notes.prefix(20).map { "  - \(escaped($0))" }
            if let hint = failure.hint { lines.append("  - hint: \(escaped(hint))") }
        }
        if !record.failures.isEmpty { lines.append("") }
        if !record.gates.isEmpty {
            lines += ["| gate | | because |", "| --- | --- | --- |"]
            for gate in record.gates {
                let outcome = gate.isClosed ? "**\(gate.outcome.rawValue)**" : gate.outcome.rawValue
                lines.append("| \(gate.name) | \(outcome) | \(escaped(gate.because)) |")
            }
            lines.append("")
            for gate in record.gates where gate.isClosed && !gate.evidence.isEmpty {
                lines += ["`\(gate.name)`:", ""] + gate.evidence.prefix(20).map { "- \(escaped($0))" } + [""]
            }
        }
        lines += moves("Moved", record.moved) + moves("Waits for a person", record.waiting)
        if !record.notes.isEmpty { lines += record.notes.map { "- \(escaped($0))" } + [""] }
        let facts = facts(of: record)
        if !facts.isEmpty { lines += facts.map { "- \($0.0): \(escaped($0.1))" } + [""] }
        let text = lines.joined(separator: "\n")
        guard let comparison, !comparison.isIdentical else { return text }
        // A comment holds no more than this in all.
        return text + "\n" + comparison.markdown(limit: max(8_000, 60_000 - text.utf8.count))
    }

    private func moves(_ title: String, _ moves: [NightRecord.Move]) -> [String] {
        if moves.isEmpty { return [] }
        let most = 60
        var lines = ["### \(title)", ""] + moves.prefix(most).map { "- \(escaped($0.text))" }
        if moves.count > most { lines.append("- … \(moves.count - most) more in nightly.json") }
        return lines + [""]
    }

    /// Names and values for people.
    func facts(of record: NightRecord) -> [(String, String)] {
        var facts = [("night", record.moment)]
        if let version = record.version { facts.append(("kept as", version)) }
        if let figures = record.figures {
            facts.append(("image", "\(figures.imageHash), \(byteText(figures.imageSize))"))
            facts.append(("packages", "\(figures.packages)"))
        }
        if let boot {
            let ready = boot.times.ready.map { ", all ready after \(secondsText($0))" } ?? ""
            facts.append(("boot", "\(boot.verdict.kind) under \(boot.engine.name)\(ready)"))
        }
        let timings = record.timings.map { "\($0.what) \(secondsText($0.seconds))" }
        if !timings.isEmpty { facts.append(("took", timings.joined(separator: ", "))) }
        return facts
    }
}

/// `1.2 s`.
func secondsText(_ seconds: Double) -> String { "\((seconds * 10).rounded() / 10) s" }

/// A text as Markdown, so that nothing in it is a mark.
private func escaped(_ text: String) -> String {
    var result = ""
    for character in text.prefix(400) {
        switch character {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\n", "\r": result += " "
        case "\\", "`", "*", "_", "[", "]", "|", "~", "#": result += "\\\(character)"
        default: result.append(character)
        }
    }
    return result
}
