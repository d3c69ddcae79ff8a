internal import Pipeline

/// A report for people: what died and why, then what was changed, then what else the check says.
func autopsyText(_ report: AutopsyReport, isVerbose: Bool) -> String {
    var lines = ["\(shownPath(report.image)): \(report.summary)"]
    if let text = report.leftMounted { lines.append("  disk     \(text)") }
    if let problem = report.recordProblem { lines.append("  deaths   \(problem)") }
    lines.append("  golden   \(report.golden.map(shownPath) ?? "not known (--golden): nothing is said of changes")")
    if let problem = report.checkProblem { lines.append("  check    \(problem)") }
    for service in report.services {
        for death in service.deaths { lines += [""] + text(of: death, service, report, isVerbose: isVerbose) }
        if service.damagedSlots > 0 {
            lines.append("")
            lines.append(
                "\(service.name): \(count(service.damagedSlots, "death")) lost: the machine stopped while it was kept, or the disk is damaged"
            )
        }
    }
    if !report.log.isEmpty { lines += ["", "the end of /var/log/app.log:"] + report.log.map { "  | \($0)" } }
    lines += changes(report, isVerbose: isVerbose)
    let others = report.findings.filter { $0.explains.isEmpty && (isVerbose || $0.wasKnown != true) }
    for finding in others where isVerbose || finding.finding.severity != "note" {
        lines += [""] + text(of: finding.finding)
    }
    if !report.damage.isEmpty {
        lines += ["", "not readable:"] + shown(report.damage, isVerbose: isVerbose)
    }
    return lines.map(printable).joined(separator: "\n")
}

/// Without control characters: paths are whatever the disk has.
private func printable(_ line: String) -> String {
    String(
        String.UnicodeScalarView(
            line.unicodeScalars.map { $0.properties.generalCategory == .control && $0 != "\t" ? "\u{FFFD}" : $0 }))
}

/// How many lines of a kind are shown; `--verbose` and `--json` have all.
private let most = 12

private func count(_ number: Int, _ word: String) -> String { "\(number) \(word)\(number == 1 ? "" : "s")" }

private func shown(_ lines: [String], isVerbose: Bool) -> [String] {
    if isVerbose || lines.count <= most { return lines.map { "  \($0)" } }
    return lines.prefix(most).map { "  \($0)" } + ["  and \(lines.count - most) more"]
}

private func text(
    of death: AutopsyReport.Death, _ service: AutopsyReport.Service, _ report: AutopsyReport, isVerbose: Bool
) -> [String] {
    var lines = ["\(service.name): death \(death.number), \(death.ending)\(death.meaning.map { ": \($0)" } ?? "")"]
    var times = ["\(seconds(death.uptimeMilliseconds)) s after boot \(death.boot.prefix(8))"]
    if let ran = death.ranMilliseconds, death.step == nil { times.append("it had run for \(seconds(ran)) s") }
    times.append(death.restart == 0 ? "first start" : "restart #\(death.restart)")
    lines.append("  when     \(death.time), \(times.joined(separator: ", "))")
    let left = death.argumentsLeftOut > 0 ? " and \(count(death.argumentsLeftOut, "argument")) more" : ""
    lines.append("  ran      \(death.command.map(quoted).joined(separator: " "))\(left)")
    if let step = death.step {
        lines.append("  failed   before the program was reached: \(step)\(death.error.map { ", \($0)" } ?? "")")
    }
    // On the console the words are above; here they follow.
    if !["", death.meaning, death.error].contains(death.reason), !death.reason.contains("above") {
        lines.append("  reason   \(death.reason)")
    }
    for path in death.changes {
        let kind = report.changes.first { $0.path == path }?.kind ?? "changed"
        lines.append("  changed  \(path): \(kind) since the golden image")
    }
    for index in death.findings.prefix(isVerbose ? .max : 3) {
        let finding = report.findings[index]
        let isFirst = finding.explains.first == death.number
        let text = text(of: finding.finding)
        // A finding is told in full once, and by its first line where it explains other deaths.
        lines += (isFirst ? text[...] : text[..<1]).map { "  check    \($0)" }
    }
    guard let words = death.lines else {
        return lines + ["  its last lines are lost: the machine stopped while they were kept"]
    }
    if words.isEmpty { return lines + ["  it wrote nothing"] }
    return lines + words.suffix(isVerbose ? .max : most).map { "  | \($0)" }
}

private func changes(_ report: AutopsyReport, isVerbose: Bool) -> [String] {
    var lines = [String]()
    for group in AutopsyChange.Group.allCases {
        let changes = report.changes.filter { $0.group == group }
        if changes.isEmpty { continue }
        lines += ["", "\(group.rawValue) changed since the golden image:"]
        lines += shown(gathered(changes, isVerbose: isVerbose), isVerbose: isVerbose)
    }
    if !report.churn.isEmpty {
        let parts = report.churn.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        lines += ["", "changed as on every machine: \(parts.joined(separator: ", "))"]
    }
    return lines
}

/// A line for each change; one for what is below the same directories, where there is more of it than can be shown.
private func gathered(_ changes: [AutopsyChange], isVerbose: Bool) -> [String] {
    if isVerbose || changes.count <= most { return changes.map { "\($0.path): \(words(of: $0))" } }
    var groups = [(directory: Substring, changes: [AutopsyChange])]()
    for change in changes {
        let directory = change.path[..<(change.path.lastIndex(of: "/") ?? change.path.startIndex)]
        if let last = groups.last, last.directory == directory, last.changes.first?.kind == change.kind {
            groups[groups.count - 1].changes.append(change)
        } else {
            groups.append((directory, [change]))
        }
    }
    return groups.map { group in
        guard let first = group.changes.first, group.changes.count > 1 else {
            return group.changes.map { "\($0.path): \(words(of: $0))" }.joined()
        }
        return "\(group.directory)/: \(group.changes.count) \(first.kind), \(first.path) the first"
    }
}

/// What is otherwise, in words: of a content only that it is.
private func words(of change: AutopsyChange) -> String {
    if change.kind != "changed" { return change.kind }
    let fields = change.fields.filter { !$0.hasPrefix("time ") }.map { $0.hasPrefix("content ") ? "content" : $0 }
    return (fields.isEmpty ? change.fields : fields).joined(separator: ", ")
}

/// Seconds with three decimals.
private func seconds(_ milliseconds: Int64) -> String {
    let rest = String(milliseconds.magnitude % 1000)
    let sign = milliseconds < 0 ? "-" : ""
    return "\(sign)\(milliseconds.magnitude / 1000).\(String(repeating: "0", count: 3 - rest.count))\(rest)"
}

/// A word as a shell would take it.
private func quoted(_ word: String) -> String {
    let isPlain = !word.isEmpty && word.allSatisfy { $0.isLetter || $0.isNumber || "-_./=:,+@%".contains($0) }
    return isPlain ? word : "'\(word.replacing("'", with: "'\\''"))'"
}
