internal import Comparing
internal import Pipeline
internal import RootfsModel

extension NightReport {
    /// What stands above the comparison on the page: the decision, the gates, how it was built and booted and how it went from build
    /// to build.
    func nightSection(of record: NightRecord, boot: BootRecord?, since kept: [NightRecord]) -> PageSection {
        var section = PageSection()
        section.heading("\(record.name): \(record.decision.rawValue)", level: 1)
        section.paragraph(record.because, tone: record.succeeded ? "good" : "bad")
        if !record.succeeded { section.paragraph("The last good image stays in place.") }
        for failure in record.failures {
            section.paragraph(failure.message, tone: "bad")
            section.lines(failure.notes + (failure.hint.map { ["hint: \($0)"] } ?? []))
        }
        section.table(
            ["gate", "", "because"],
            record.gates.map { gate in
                [(gate.name, nil), (gate.outcome.rawValue, tone(of: gate.outcome)), (gate.because, nil)]
            })
        for gate in record.gates where gate.isClosed && !gate.evidence.isEmpty {
            section.heading(gate.name, level: 3)
            section.lines(gate.evidence)
        }
        add("Moved", record.moved, to: &section)
        add("Waits for a person", record.waiting, to: &section)
        section.list(record.notes)
        section.table(["", ""], facts(of: record).map { [($0.0, "quiet"), ($0.1, nil)] })
        if let boot { add(boot, to: &section) }
        if !stages.isEmpty {
            section.heading("Build", level: 2)
            section.table(
                ["stage", "from", "took", "processor", ""],
                stages.sorted { $0.startSeconds < $1.startSeconds }.map { stage in
                    [
                        (stage.stage, nil), (secondsText(stage.startSeconds), nil),
                        (secondsText(stage.wallSeconds), nil),
                        (secondsText(stage.cpuSeconds), nil), (stage.detail, "quiet"),
                    ]
                })
        }
        addTrend(kept, record, to: &section)
        return section
    }

    private func tone(of outcome: NightRecord.Gate.Outcome) -> String {
        switch outcome {
        case .passed: "good"
        case .refused, .unanswered: "bad"
        case .skipped, .off: "quiet"
        }
    }

    private func add(_ title: String, _ moves: [NightRecord.Move], to section: inout PageSection) {
        if moves.isEmpty { return }
        section.heading("\(title): \(moves.count)", level: 2)
        section.list(moves.map(\.text))
    }

    private func add(_ boot: BootRecord, to section: inout PageSection) {
        section.heading("Boot", level: 2)
        section.paragraph("\(boot.verdict.kind): \(boot.verdict.summary)", tone: boot.proven ? "good" : "bad")
        var times = [("kernel", boot.times.kernel), ("init", boot.times.`init`)].map { ($0.0, $0.1, "") }
        times += boot.services.map { ($0.name, $0.ready, $0.readyWords ?? "") }
        times.append(("all", boot.times.ready, ""))
        section.table(
            ["", "ready after", ""],
            times.map { name, seconds, words in
                [
                    (name, nil), (seconds.map { secondsText($0) } ?? "never", seconds == nil ? "quiet" : nil),
                    (words, "quiet"),
                ]
            })
        section.lines(boot.verdict.evidence.map { "\(secondsText($0.seconds))  \($0.text)" })
    }

    /// Size, packages, build and boot over the kept builds and this one.
    private func addTrend(_ kept: [NightRecord], _ record: NightRecord, to section: inout PageSection) {
        let all = kept + (record.figures == nil ? [] : [record])
        guard all.count > 1 else { return }
        section.heading("Trend over \(all.count) builds", level: 2)
        func chart(
            _ name: String, _ value: (NightRecord.Figures) -> Double?, _ shown: @escaping @Sendable (Double) -> String
        ) -> TrendChart {
            TrendChart(name, all.map { (String($0.moment.prefix(10)), $0.figures.flatMap(value)) }, shown: shown)
        }
        section.charts([
            chart("in use in the image", { Double($0.usedSize) }, { byteText(UInt64($0)) }),
            chart("packages", { Double($0.packages) }, { "\(Int($0))" }),
            chart("build", { $0.buildSeconds }, { secondsText($0) }),
            chart("boot", { $0.bootSeconds }, { secondsText($0) }),
        ])
    }
}
