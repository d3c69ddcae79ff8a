internal import Comparing
internal import Pipeline
internal import Recipes
internal import RootfsModel

// How each gate comes out. Values in, values out; what is asked of them costs nothing.

extension NightRecord.Gate {
    private init(_ name: String, _ outcome: Outcome, _ because: String, _ evidence: [String] = []) {
        self.init(name: name, outcome: outcome, because: because, evidence: evidence)
    }

    static func skipped(_ name: String, _ because: String) -> Self { Self(name, .skipped, because) }

    static func off(_ name: String) -> Self { Self(name, .off, "the recipe does not ask for it") }

    /// - Parameter check: nil where check.json cannot be read.
    static func findings(_ check: CheckReport?, _ least: Recipe.Nightly.Findings) -> Self {
        let name = "findings"
        guard let check else { return Self(name, .refused, "there is no check.json of this version") }
        let severities: Set<String> =
            switch least {
            case .none: []
            case .error: ["error"]
            case .warning: ["error", "warning"]
            }
        if severities.isEmpty { return Self(name, .off, "the recipe accepts all: \(check.summary)") }
        let found = check.findings.filter { severities.contains($0.severity) }
        return Self(
            name, found.isEmpty ? .passed : .refused, check.summary,
            found.map { "\($0.severity): \($0.id): \($0.subject)\($0.message)" })
    }

    static func unpinned(_ inputs: [String], _ gate: Recipe.Nightly.Gate) -> Self {
        // The lock is part of what a night moves: that it was made now says nothing against it.
        let inputs = inputs.filter { !$0.hasPrefix("packages were resolved now") }
        if gate == .allow { return off("unpinned") }
        return inputs.isEmpty
            ? Self("unpinned", .passed, "recipe and lock pin everything")
            : Self("unpinned", .refused, counted(inputs.count, "input") + " not pinned", inputs)
    }

    static func newSetuid(_ comparison: Comparison, _ gate: Recipe.Nightly.Gate) -> Self {
        let kinds: Set<String> = ["setuid", "setgid", "capability"]
        let found = comparison.security.filter { kinds.contains($0.kind) }
        if gate == .allow { return off("new-setuid") }
        return found.isEmpty
            ? Self("new-setuid", .passed, "no program has more rights than it had")
            : Self(
                "new-setuid", .refused, counted(found.count, "program") + " with more rights than before",
                found.map { "\($0.message) (\($0.cause.text))" })
    }

    static func packageRemoved(_ comparison: Comparison, _ gate: Recipe.Nightly.Gate) -> Self {
        let gone = comparison.packages.filter { $0.change == .removed }
        if gate == .allow { return off("package-removed") }
        return gone.isEmpty
            ? Self("package-removed", .passed, "all packages are still there")
            : Self(
                "package-removed", .refused, counted(gone.count, "package") + " gone",
                gone.map { "\($0.name) \($0.old ?? "")" })
    }

    static func sizeGrowth(_ comparison: Comparison, percent: Int) -> Self {
        let name = "size-growth"
        if comparison.isIdentical { return Self(name, .passed, "the same files") }
        guard let sizes = comparison.sizes else { return Self(name, .refused, "the sizes are not known") }
        let (old, new) = (sizes.old, sizes.new)
        let text = "\(byteText(old)) → \(byteText(new)) of files; at most \(percent) % more"
        let (limit, overflow) = old.multipliedReportingOverflow(by: UInt64(100 + percent))
        let isOver = !overflow && new > limit / 100
        let parts = (sizes.packages ?? sizes.folders).sorted { ($1.delta, $0.name) < ($0.delta, $1.name) }
        return Self(
            name, isOver ? .refused : .passed, text,
            isOver
                ? parts.prefix(5).filter { $0.delta > 0 }.map {
                    "\($0.name.isEmpty ? "in no package" : $0.name): \(byteText($0.old)) → \(byteText($0.new))"
                } : [])
    }

    static func boot(_ record: BootRecord) -> Self {
        let verdict = record.verdict
        let service = verdict.service.map { " (service \($0))" } ?? ""
        return Self(
            "boot", record.proven ? .passed : .refused,
            "\(verdict.kind)\(record.proven ? "" : service): \(verdict.summary), under \(record.engine.name)",
            record.proven ? [] : verdict.evidence.suffix(12).map(\.text))
    }

    static func reproduced(_ report: ReproduceReport, imageHash: String?) -> Self {
        guard report.reproducible else {
            return Self(
                "reproduced", .refused, "two builds differ",
                report.differences.prefix(12).map {
                    "\($0.place): \($0.field)" + ($0.madeBy.map { " (\($0))" } ?? "")
                })
        }
        return report.imageHash == imageHash
            ? Self("reproduced", .passed, "two more builds gave the same bytes")
            : Self("reproduced", .refused, "two more builds gave \(report.imageHash)")
    }

    /// A gate whose question could not be asked.
    static func unanswered(_ name: String, _ failures: [Failure]) -> Self {
        Self(name, .unanswered, failures.first?.message ?? "", failures.flatMap(\.notes) + failures.compactMap(\.hint))
    }
}

/// `1 package`, `3 packages`.
func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
