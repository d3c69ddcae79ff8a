internal import Pipeline

/// How a fault was found, a line, and what was missing, a line each.
func faultText(_ result: FaultResult) -> String {
    let name = result.fault + String(repeating: " ", count: max(1, 26 - result.fault.count))
    if let reason = result.notPlantedBecause { return "left out  \(name)\(reason)" }
    guard let record = result.record else { return "left out  \(name)" }
    var parts = [record.verdict.kind]
    if let seconds = result.causeAfter { parts.append("cause named after \(secondsText(seconds))") }
    if let finding = result.finding { parts.append(result.wasForeseen ? "foreseen by \(finding)" : "not foreseen") }
    var lines = ["\(result.isAsPromised ? "as it must" : "WRONG     ")  \(name)\(parts.joined(separator: ", "))"]
    if record.verdict.kind != result.expectedVerdict {
        lines.append("  the verdict should be \(result.expectedVerdict): \(record.verdict.summary)")
    }
    lines += result.unspoken.map { "  the console does not say: \($0)" }
    if let finding = result.finding, !result.wasForeseen { lines.append("  the check should have said \(finding)") }
    if let seconds = result.causeAfter, seconds > FaultResult.mostCauseSeconds {
        lines.append("  the cause should be named within \(secondsText(FaultResult.mostCauseSeconds))")
    }
    return lines.joined(separator: "\n")
}

/// The last line.
func faultSummary(_ results: [FaultResult]) -> String {
    let planted = results.filter { $0.notPlantedBecause == nil }
    let right = planted.count { $0.isAsPromised }
    var text = "\(right) of \(planted.count) faults were found as they must be"
    if planted.count < results.count { text += "; \(results.count - planted.count) cannot be planted into this image" }
    return text
}

private func secondsText(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    return "\(hundredths / 100).\(hundredths % 100 / 10)\(hundredths % 10) s"
}
