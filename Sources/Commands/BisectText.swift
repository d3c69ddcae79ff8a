internal import Comparing
internal import Pipeline

/// A line of a bisection that goes on.
func bisectText(_ event: BisectEvent) -> String {
    switch event {
    case .stepped(let step):
        return "step \(step.number)  \(step.made) of \(step.changes) changes  \(step.verdict)  \(step.because)"
    case .planned(let changes, let groups, let most):
        let shown =
            changes.prefix(40).map { "  \($0)" }
            + (changes.count > 40 ? ["  and \(changes.count - 40) more"] : [])
        let together =
            groups == changes.count
            ? "" : " in \(groups) \(groups == 1 ? "group that moves" : "groups that move") together"
        let rest = most == 0 ? "" : ", at most \(most) more \(most == 1 ? "image" : "images") if all can be tested"
        return (["\(changes.count) \(changes.count == 1 ? "change" : "changes")\(together)\(rest)"] + shown)
            .joined(separator: "\n")
    }
}

/// What was found, the two images that show it, and what they have otherwise.
func bisectText(_ report: BisectReport) -> String {
    var lines = [String]()
    if report.isExact {
        let how = report.culprit.count == 1 ? "" : ", which move together"
        lines.append("broken by \(report.culprit.joined(separator: " and "))\(how)")
    } else {
        lines.append("broken by one of these; what lies between them cannot be tested:")
        lines += report.culprit.map { "  \($0)" }
    }
    for (name, image) in [("good", report.good), ("bad ", report.bad)] {
        lines.append("  \(name)  \(shownPath(image.directory))  \(image.imageHash)  \(image.because)")
    }
    let others = report.changes.count - report.culprit.count
    if others > 0 { lines.append("  both have \(report.madeInBoth) of the \(others) other changes") }
    return lines.joined(separator: "\n") + "\n\n" + report.diff.text(.normal)
}
