/// One line of the comparison: what we took, what the peer took for the same, and what was aimed at.
struct Line: Codable, Equatable {
    enum Unit: String, Codable {
        case seconds, mebibytes

        func text(_ value: Double) -> String {
            switch self {
            case .seconds: value < 10 ? "\(fixed(value, 2)) s" : "\(fixed(value, 1)) s"
            case .mebibytes: "\(fixed(value, 0)) MiB"
            }
        }
    }

    /// At most so many times the peer's, or at most so much.
    enum Goal: Codable, Equatable {
        case ratio(Double)
        case amount(Double)
    }

    var name: String
    var peerName: String?
    var unit: Unit
    var ours: Sample
    var peer: Sample?
    /// Ours by the peer's, run by run.
    var ratio: Sample?
    var goal: Goal?
    /// Whether the median meets the goal; nil without one.
    var isMet: Bool?

    /// nil without measurements. `peer` has as many as `ours`, each of the same round.
    init?(
        _ name: String, _ unit: Unit, ours: [Double], peer: (name: String, values: [Double])? = nil, goal: Goal? = nil
    ) {
        guard let sample = Sample(ours) else { return nil }
        self.name = name
        self.unit = unit
        self.ours = sample
        self.goal = goal
        if let peer {
            peerName = peer.name
            self.peer = Sample(peer.values)
            ratio = Sample(zip(ours, peer.values).filter { $0.1 > 0 }.map { $0.0 / $0.1 })
        }
        switch goal {
        case nil: isMet = nil
        case .ratio(let limit): isMet = ratio.map { $0.median <= limit } ?? false
        case .amount(let limit): isMet = sample.median <= limit
        }
    }

    /// The cells of the table's row.
    var cells: [String] {
        let goalText: String
        switch goal {
        case nil: goalText = ""
        case .ratio(let limit): goalText = "≤ \(fixed(limit, 2)) ×"
        case .amount(let limit): goalText = "≤ \(unit.text(limit))"
        }
        return [
            name, unit.text(ours.median), peer.map { "\(unit.text($0.median)) (\(peerName ?? ""))" } ?? "",
            ratio.map { "\(fixed($0.median, 2)) (\(fixed($0.minimum, 2))–\(fixed($0.maximum, 2)))" } ?? "", goalText,
            isMet.map { $0 ? "met" : "missed" } ?? "",
        ]
    }
}

/// The comparison as a Markdown table.
func markdownTable(_ lines: [Line]) -> String {
    let header = ["", "ours", "peer", "ratio", "goal", ""]
    let rows = [header, header.map { _ in "---" }] + lines.map(\.cells)
    return rows.map { "| " + $0.joined(separator: " | ") + " |\n" }.joined()
}

/// A text with another in place of what stands between `<!-- MARK -->` and `<!-- /MARK -->`; nil where it has not
/// both marks, in this order.
func replacingPart(_ mark: String, of text: String, with part: String) -> String? {
    guard let start = text.firstRange(of: "<!-- \(mark) -->"),
        let end = text[start.upperBound...].firstRange(of: "<!-- /\(mark) -->")
    else { return nil }
    return text[..<start.upperBound] + "\n" + part + text[end.lowerBound...]
}
