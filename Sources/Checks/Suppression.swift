public import RootfsModel

/// A finding that is known and accepted.
public struct Suppression: Hashable, Sendable {
    /// The finding's id, whole.
    public var id: String
    /// Where it is found; nil: everywhere.
    public var path: TreePath?
    /// Why it is accepted.
    public var because: String
    /// The recipe's line that says so.
    public var location: SourceLocation?

    public init(id: String, path: TreePath? = nil, because: String, location: SourceLocation? = nil) {
        self.id = id
        self.path = path
        self.because = because
        self.location = location
    }

    func covers(_ finding: Finding) -> Bool {
        finding.id == id && (path == nil || path == finding.path)
    }
}

/// Findings, those that somebody accepted apart. Each suppression that covers nothing is a finding of its own: what it
/// was for is gone, or it never was what its author thought.
public func suppress(_ findings: [Finding], by suppressions: [Suppression]) -> (
    open: [Finding], accepted: [(finding: Finding, by: Suppression)]
) {
    var open = [Finding]()
    var accepted = [(finding: Finding, by: Suppression)]()
    var used = Set<Suppression>()
    for finding in findings {
        guard let suppression = suppressions.first(where: { $0.covers(finding) }) else {
            open.append(finding)
            continue
        }
        used.insert(suppression)
        accepted.append((finding, suppression))
    }
    for suppression in suppressions where !used.contains(suppression) {
        let place = suppression.path.map { " at \($0)" } ?? ""
        open.append(
            Finding(
                "suppress/unused", .note, "there is no finding \(suppression.id)\(place) to suppress",
                path: suppression.path, reasons: ["it was suppressed because: \(suppression.because)"],
                remedy: "take the item out of check.suppress", location: suppression.location))
    }
    return (open, accepted)
}
