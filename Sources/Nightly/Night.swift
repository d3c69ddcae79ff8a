internal import Comparing
internal import Pipeline
internal import Recipes
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// One night of one recipe, from the update of its lock to what is kept.
struct Night {
    let state: RecipeState
    let settings: NightSettings
    let places: NightPlaces
    let policy: Recipe.Nightly
    let clock: NightClock

    init(of state: RecipeState, settings: NightSettings) throws {
        self.state = state
        self.settings = settings
        places = try NightPlaces(beside: state.outputs, of: state.recipe.name.value)
        policy = state.recipe.nightly ?? Recipe.Nightly()
        clock = NightClock(measure: settings.build.measure)
    }

    private var name: String { state.recipe.name.value }

    /// - Throws: where nothing can be decided, or the program is to end. A night that goes wrong is a decision.
    func run() async throws -> NightRecord {
        try finishEarlierNight()
        let versions = try places.versions()
        var record = NightRecord(
            recipe: state.path, name: name, seconds: settings.build.now, toolVersion: settings.build.toolVersion)
        noteClock(versions, &record)
        try places.makeAttempt()
        defer { try? removeTree(at: places.attempt) }
        let report: NightReport
        do {
            report = try await decide(versions, &record)
        } catch {
            // What is half made takes room that the record may need.
            try? removeTree(at: places.attemptOutputs)
            record.failures = try mistakes(error)
            record.decision = .failed
            record.because = record.failures.first?.message ?? ""
            report = NightReport()
        }
        record.timings = clock.timings
        try keep(record, report, versions)
        return try places.lastRecord() ?? record
    }

    /// Carries out what a night decided that was killed before it had done so.
    private func finishEarlierNight() throws {
        guard let version = try places.pendingCommit() else { return }
        let isThere = exists(places.root.appending(version)) || exists(places.attempt.appending(NightRecord.fileName))
        guard isThere else { return places.forgetCommit() }
        settings.build.progress(.note("\(name): an earlier night had decided for \(version): it is put in place now"))
        try places.carryOut(version, lock: state.lock, outputs: state.outputs)
    }

    private func noteClock(_ versions: [(name: String, record: NightRecord?)], _ record: inout NightRecord) {
        guard let last = versions.compactMap(\.record?.moment).max(), last > record.moment else { return }
        let note = "this host's clock says \(record.moment), and there is a night of \(last) already"
        record.notes.append(note)
        settings.build.progress(.warning("\(name): \(note)"))
    }

    /// Updates, builds and asks the gates, again after a while where something cannot be had.
    private func decide(
        _ versions: [(name: String, record: NightRecord?)], _ record: inout NightRecord
    ) async throws -> NightReport {
        var rest = settings.retries
        while true {
            do {
                return try await attempt(versions, &record)
            } catch {
                let failures = try mistakes(error)
                // A mistake that has a place is there next time too.
                if rest == 0 || settings.build.offline || isMistakeOfOurs(error) { throw error }
                rest -= 1
                let note = "\(failures.first?.message ?? ""); tried again after \(settings.retryAfter) s"
                record.notes.append(note)
                settings.build.progress(.warning("\(name): \(note)"))
                try await Task.sleep(for: .seconds(settings.retryAfter))
                try places.makeAttempt()
            }
        }
    }

    private func attempt(
        _ versions: [(name: String, record: NightRecord?)], _ record: inout NightRecord
    ) async throws -> NightReport {
        let update = try clock.time("update") {
            try LockMove(of: state, to: places.attemptLock, allow: settings.allow ?? policy.allow, settings.build)
        }
        record.oldLock = update.old
        record.newLock = update.new
        record.moved = update.moved.map { NightRecord.Move($0) }
        record.waiting = update.waiting.map { NightRecord.Move($0) }
        var build = settings.build
        build.lock = places.attemptLock
        build.acceptsFindings = true
        let (reasons, inputs) = try state.staleness(build)
        record.stale = reasons.map(\.text)
        if reasons.isEmpty, update.old == update.new {
            record.decision = .unchanged
            record.because =
                update.waiting.isEmpty
                ? "nothing moved" : "what moved waits for a person: \(counted(update.waiting.count, "package"))"
            record.figures = NightRecord.Figures(OutputRecords(in: state.outputs))
            return NightReport()
        }
        record.inputs = Digest(hashing: "\(inputs)\n\(policyText)").description
        if !settings.isAgain, let earlier = versions.last(where: { $0.record?.inputs == record.inputs }),
            let before = earlier.record, before.decision == .refused
        {
            record.decision = .refused
            record.because = "as in the night of \(before.moment), and not built again: \(before.because)"
            record.gates = before.gates
            record.version = earlier.name
            return NightReport()
        }
        build.outputDirectory = places.attemptOutputs
        let final = build
        _ = try await clock.time("build") { try await Pipeline.build(recipes: [state.path], settings: final) }
        return try await judge(versions, &record)
    }

    /// What decides besides the inputs: the gates, and what `unpinned` asks of.
    private var policyText: String {
        var policy = policy
        policy.report = nil
        return "\(policy)" + settings.build.variables.map { "\n\($0.0)=\($0.1)" }.joined()
    }

    /// Asks the gates, the dear ones last and only while all others are open.
    private func judge(
        _ versions: [(name: String, record: NightRecord?)], _ record: inout NightRecord
    ) async throws -> NightReport {
        let made = OutputRecords(in: places.attemptOutputs)
        var report = NightReport(check: made.check, stages: made.stages)
        var gates = [
            NightRecord.Gate.findings(made.check, policy.findings),
            NightRecord.Gate.unpinned(made.unpinned, policy.unpinned),
        ]
        let lastGood = self.lastGood(versions)
        record.lastGood = lastGood.first.flatMap { OutputRecords(in: $0.0).image?.imageHash }
        do {
            report.comparison = try clock.time("compare") { try compare(with: lastGood) }
            gates +=
                report.comparison.map { comparison in
                    [
                        .newSetuid(comparison, policy.newSetuid), .packageRemoved(comparison, policy.packageRemoved),
                        .sizeGrowth(comparison, percent: policy.sizeGrowth),
                    ]
                } ?? Self.ofComparison.map { .skipped($0, "there is no last good image to compare with") }
        } catch {
            let failures = try Self.failures(error)
            gates += Self.ofComparison.map { .unanswered($0, failures) }
        }
        func isOpen() -> Bool { !gates.contains(where: \.isClosed) }
        gates.append(try await bootGate(isOpen: isOpen()))
        gates.append(try await reproducedGate(isOpen: isOpen(), imageHash: made.image?.imageHash))
        record.gates = gates
        // The boot says so in its records.
        let proven = OutputRecords(in: places.attemptOutputs)
        report.boot = proven.boot
        record.figures = NightRecord.Figures(proven)
        let closed = gates.filter(\.isClosed)
        let isAnswered = !closed.contains { $0.outcome == .unanswered }
        record.decision = closed.isEmpty ? .accepted : isAnswered ? .refused : .failed
        if !closed.isEmpty {
            record.because = closed.map { "\($0.name): \($0.because)" }.joined(separator: "; ")
        } else if record.lastGood == nil {
            record.because = "the first image"
        } else {
            record.because = record.moved.isEmpty ? record.stale.first ?? "" : counted(record.moved.count, "move")
        }
        return report
    }

    private static let ofComparison = ["new-setuid", "package-removed", "size-growth"]

    /// The images that the new one may be compared with, the first that can be read: what is in place, and the newest
    /// that was accepted.
    private func lastGood(_ versions: [(name: String, record: NightRecord?)]) -> [(FilePath, String)] {
        var images = [(FilePath, String)]()
        if OutputRecords(in: state.outputs).image != nil { images.append((state.outputs, name)) }
        if let newest = versions.last(where: { $0.record?.decision == .accepted }) {
            images.append((places.outputs(of: newest.name), newest.name))
        }
        return images
    }

    /// nil where there is nothing to compare with.
    private func compare(with lastGood: [(FilePath, String)]) throws -> Comparison? {
        var options = ComparisonOptions()
        options.folderDepth = 5
        var failure: (any Error)?
        for image in lastGood {
            do {
                return try compareImages(
                    ComparisonRequest(
                        old: image, new: (places.attemptOutputs, "new \(name)"), options: options,
                        temporary: settings.temporary, jobs: settings.build.jobs,
                        architecture: settings.build.hostArchitecture))
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return nil
    }

    private func bootGate(isOpen: Bool) async throws -> NightRecord.Gate {
        guard policy.boot else { return .off("boot") }
        guard isOpen else { return .skipped("boot", "another gate is closed") }
        guard state.recipe.kernel != nil else { return .skipped("boot", "the recipe has no kernel") }
        do {
            let result = try await clock.time("boot") {
                try await boot(at: places.attemptOutputs, settings.boot, progress: settings.build.progress)
            }
            return .boot(result.record)
        } catch {
            return .unanswered("boot", try Self.failures(error))
        }
    }

    private func reproducedGate(isOpen: Bool, imageHash: String?) async throws -> NightRecord.Gate {
        guard policy.reproduced else { return .off("reproduced") }
        guard isOpen else { return .skipped("reproduced", "another gate is closed") }
        var build = settings.build
        build.lock = places.attemptLock
        var reproduction = settings.reproduction
        reproduction.options += ["--lock", places.attemptLock.string]
        let (settings, options) = (build, reproduction)
        do {
            let report = try await clock.time("reproduce") {
                try await reproduce(recipe: state.path, settings: settings, options)
            }
            return .reproduced(report, imageHash: imageHash)
        } catch {
            return .unanswered("reproduced", try Self.failures(error))
        }
    }
}

extension Night {
    /// The failures of an error; throws where the program is to end.
    static func failures(_ error: any Error) throws -> [Failure] {
        if error is CancellationError { throw error }
        try Task.checkCancellation()
        return switch error {
        case let failure as Failure: [failure]
        case let failures as Failures: failures.all
        default: [Failure("\(error)")]
        }
    }

    private func mistakes(_ error: any Error) throws -> [NightRecord.Mistake] {
        try Self.failures(error).map { failure in
            let place = failure.location.map { "\($0.file):\($0.line): " } ?? ""
            return NightRecord.Mistake(message: place + failure.message, notes: failure.notes, hint: failure.hint)
        }
    }

    /// Whether it is said of a place in a recipe or a lock.
    private func isMistakeOfOurs(_ error: any Error) -> Bool {
        switch error {
        case let failure as Failure: failure.location != nil
        case let failures as Failures: failures.all.contains { $0.location != nil }
        default: false
        }
    }
}
