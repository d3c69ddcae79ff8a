internal import Pipeline

/// How many of the lines that show a verdict are printed; boot.json has all.
private let mostLines = 16

/// A boot for people: the verdict first, then what shows it, then the figures.
func bootText(_ result: BootResult) -> String {
    let record = result.record
    let verdict = record.verdict
    var lines = ["\(verdict.kind)  \(shownPath(result.imagePath))", "  \(verdict.summary)"]
    if !record.proven {
        if let answered = verdict.answered, !verdict.summary.contains(answered) {
            lines.append("  it answered: \(answered)")
        }
        lines += verdict.evidence.suffix(mostLines).map { "  \(seconds($0.seconds))  \($0.text)" }
        for finding in record.predictedBy {
            let because = finding.acceptedBecause.map { " (accepted: \($0))" } ?? ""
            lines.append("  foretold by \(finding.severity) \(finding.id): \(finding.message)\(because)")
        }
        if record.predictedBy.isEmpty { lines.append("  no finding of the check foretold it") }
    }
    lines += record.warnings.map { "  warning: \($0)" }
    lines.append("  engine    \(record.engine.name)" + record.engine.notes.map { "; \($0)" }.joined())
    let times =
        [("kernel", record.times.kernel), ("init", record.times.`init`)] + record.services.map { ($0.name, $0.ready) }
    let known = times.compactMap { time in time.1.map { "\(time.0) \(seconds($0))" } }
    if !known.isEmpty { lines.append("  times     \(known.joined(separator: ", "))") }
    if let memory = record.memory {
        let parts = memory.servicesMiB.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map {
            ", \($0.key) \($0.value)"
        }
        lines.append("  memory    \(memory.usedMiB) of \(memory.totalMiB) MiB\(parts.joined())")
    }
    lines.append("  shutdown  \(record.shutdown.how) after \(seconds(record.shutdown.seconds))")
    for (guest, host) in result.forwards.sorted(by: { ($0.key.count, $0.key) < ($1.key.count, $1.key) })
    where result.kept != nil {
        lines.append("  the guest's port \(guest) is 127.0.0.1:\(host)")
    }
    if let kept = result.kept {
        let folder = kept.console.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
            separator: "/")
        lines += [
            "  console   socat -,raw,echo=0 UNIX-CONNECT:\(kept.console)",
            "  end it    kill \(kept.pid); rm -r \(folder)",
        ]
    }
    return lines.joined(separator: "\n")
}

private func seconds(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) s"
}
