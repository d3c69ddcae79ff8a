internal import Pipeline

/// A report for people: a verdict for each service, then each finding with its chain of reasons and what to do.
func checkText(_ report: CheckReport, isVerbose: Bool) -> String {
    var lines = ["\(shownPath(report.subject)): \(report.summary)"]
    if let text = report.leftMounted { lines.append("  image    \(text)") }
    lines.append("  machine  \(machineText(report))")
    lines.append("  kernel   \(kernelText(report))")
    if let run = report.run {
        lines.append(
            "  run      \(run.programs) programs, for \(run.seconds) s each, on qemu-user's \(run.processor)")
    }
    lines += services(report, isVerbose: isVerbose)
    for finding in report.findings { lines += [""] + text(of: finding) }
    if !report.accepted.isEmpty {
        lines.append("")
        lines += report.accepted.map { finding in
            "accepted: \(finding.id)\(finding.path.map { " at \($0)" } ?? ""): \(finding.acceptedBecause ?? "")"
        }
    }
    return lines.joined(separator: "\n")
}

private func machineText(_ report: CheckReport) -> String {
    let machine = report.machine
    let words = [
        report.architecture, machine.cpu, machine.monitor, "\(machine.memoryMiB) MiB",
        machine.readOnlyRoot ? "read-only root" : nil,
    ]
    return words.compactMap { $0 }.joined(separator: ", ")
}

private func kernelText(_ report: CheckReport) -> String {
    guard let kernel = report.kernel else { return "none given (--kernel): nothing is said of one" }
    return (kernel.release ?? "of an unknown release")
        + (kernel.hasConfiguration ? "" : ", its configuration unknown: kernel.config is not beside it")
}

/// The services of the recipe or of the image's own configuration, and those with something to say; the others counted.
private func services(_ report: CheckReport, isVerbose: Bool) -> [String] {
    let shown = report.services.filter { service in
        let isPackaged = service.origin.hasPrefix("systemd /lib/") || service.origin.hasPrefix("systemd /usr/lib/")
        return isVerbose || service.verdict != "ok" || !isPackaged || service.location?.isInImage == false
    }
    let width = shown.map(\.name.count).max() ?? 0
    var lines = shown.map { service in
        let verdict =
            switch service.verdict {
            case "ok": "ok      "
            case "warning": "may fail"
            default: "fails   "
            }
        let padding = String(repeating: " ", count: width - service.name.count)
        return "  \(verdict)  \(service.name)\(padding)  \(shortened(service.command.joined(separator: " ")))"
    }
    let others = report.services.count - shown.count
    if others > 0 {
        lines.append("  ok        \(others == 1 ? "1 other service" : "\(others) other services") of the image")
    }
    return lines
}

func text(of finding: CheckReport.Entry) -> [String] {
    var lines = ["\(finding.severity): \(finding.id): \(finding.subject)\(finding.message)"]
    if let place = finding.location {
        let file = place.isInImage ? "\(place.file) in the image" : place.file
        lines.append("  at \(file), line \(place.line): \(shortened(String(place.text.trimmed)))")
    }
    lines += finding.reasons.map { "  - \($0)" }
    lines += finding.packages.map { "  = \($0.text)" }
    if let remedy = finding.remedy { lines.append("  do: \(remedy)") }
    return lines
}

private func shortened(_ text: String) -> String {
    text.count > 100 ? text.prefix(99) + "…" : text
}

extension String {
    fileprivate var trimmed: Substring {
        let start = self[...].drop { $0 == " " || $0 == "\t" }
        return start.lastIndex { $0 != " " && $0 != "\t" }.map { start[...$0] } ?? start
    }
}
