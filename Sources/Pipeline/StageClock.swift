/// Times the stages of one recipe's build and tells the progress about them.
struct StageClock {
    let recipe: String
    let settings: BuildSettings
    private(set) var timings: [StageTiming] = []

    init(recipe: String, settings: BuildSettings) {
        self.recipe = recipe
        self.settings = settings
    }

    /// Runs one stage; `body` gives its result and what the log says of it.
    mutating func run<Result>(
        _ stage: String, _ body: (StageProgress) throws -> (Result, detail: String)
    ) throws -> Result {
        let (before, progress) = try start(stage)
        let (result, detail) = try body(progress)
        finish(stage, since: before, detail)
        return result
    }

    /// The same for a stage that waits for tasks.
    mutating func run<Result>(
        _ stage: String, _ body: (StageProgress) async throws -> (Result, detail: String)
    ) async throws -> Result {
        let (before, progress) = try start(stage)
        let (result, detail) = try await body(progress)
        finish(stage, since: before, detail)
        return result
    }

    private func start(_ stage: String) throws -> (Measurement, StageProgress) {
        try Task.checkCancellation()
        settings.progress(.started(recipe: recipe, stage: stage))
        return (settings.measure(), StageProgress(recipe: recipe, stage: stage, sink: settings.progress))
    }

    private mutating func finish(_ stage: String, since before: Measurement, _ detail: String) {
        settings.progress(.finished(recipe: recipe, stage: stage, detail: detail))
        let after = settings.measure()
        timings.append(
            StageTiming(
                stage: stage, wallSeconds: Double(after.wall - before.wall) / 1e9,
                cpuSeconds: Double(after.cpu - before.cpu) / 1e9, detail: detail))
    }
}

/// What a stage in progress calls.
struct StageProgress: Sendable {
    let recipe: String
    let stage: String
    let sink: ProgressSink

    func advance(_ done: UInt64, of total: UInt64?, _ unit: ProgressUnit) {
        sink(.advanced(recipe: recipe, stage: stage, done: done, total: total, unit: unit))
    }

    func output(_ line: String) {
        sink(.output(stage: stage, line: line))
    }
}
