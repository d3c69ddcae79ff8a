internal import Glibc
internal import Synchronization

/// Times the stages of one recipe's build and tells the progress about them.
///
/// Stages overlap, so the process's CPU time says nothing of one of them: each counts the time of the threads while
/// they work for it, and that of the children it ran.
final class StageClock: Sendable {
    let recipe: String
    let settings: BuildSettings
    /// What all stages of all recipes use.
    let threads: ThreadTimes
    /// When the build began, in nanoseconds.
    private let origin: UInt64
    private let ended = Mutex([StageTiming]())

    /// - Parameter origin: when the build began; now, if it begins with this.
    init(recipe: String, settings: BuildSettings, threads: ThreadTimes = ThreadTimes(), origin: UInt64? = nil) {
        self.recipe = recipe
        self.settings = settings
        self.threads = threads
        self.origin = origin ?? settings.measure().wall
    }

    /// Seconds since the build began.
    var now: Double { Double(settings.measure().wall - origin) / 1e9 }

    /// The stages that have ended, in the order in which they began.
    var timings: [StageTiming] {
        ended.withLock { $0 }.enumerated().sorted {
            ($0.element.startSeconds, $0.offset) < ($1.element.startSeconds, $1.offset)
        }.map(\.element)
    }

    /// Begins a stage, which waited for these.
    func begin(_ stage: String, waits: [StageWait] = []) throws -> RunningStage {
        try Task.checkCancellation()
        settings.progress(.started(recipe: recipe, stage: stage))
        // A moment of waiting is what passing a value on takes.
        return RunningStage(stage, clock: self, start: now, waits: waits.filter { $0.seconds >= 0.01 })
    }

    /// Runs a stage on one thread; `body` gives its result and what the log says of it.
    func run<Result>(
        _ stage: String, waits: [StageWait] = [], _ body: (RunningStage) throws -> (Result, detail: String)
    ) throws -> Result {
        let stage = try begin(stage, waits: waits)
        let (result, detail) = try stage.work { try body(stage) }
        stage.end(detail)
        return result
    }

    fileprivate func end(_ timing: StageTiming) {
        settings.progress(.finished(recipe: recipe, stage: timing.stage, detail: timing.detail))
        ended.withLock { $0.append(timing) }
    }
}

/// A stage in progress.
final class RunningStage: Sendable {
    let name: String
    private let clock: StageClock
    private let start: Double
    private let waits: [StageWait]
    private let cpu = Mutex<UInt64>(0)

    fileprivate init(_ name: String, clock: StageClock, start: Double, waits: [StageWait]) {
        self.name = name
        self.clock = clock
        self.start = start
        self.waits = waits
    }

    func advance(_ done: UInt64, of total: UInt64?, _ unit: ProgressUnit) {
        clock.settings.progress(
            .advanced(recipe: clock.recipe, stage: name, done: done, total: total, unit: unit))
    }

    func output(_ line: String) {
        clock.settings.progress(.output(recipe: clock.recipe, stage: name, line: line))
    }

    /// Works for the stage: this thread's CPU time is the stage's.
    func work<Result>(_ body: () throws -> Result) rethrows -> Result {
        let section = clock.threads.begin()
        defer { add(cpu: clock.threads.end(section)) }
        return try body()
    }

    /// Works for the stage on threads that nobody here knows: what the process uses meanwhile and no other stage does.
    func workOnManyThreads<Result>(_ body: () throws -> Result) rethrows -> Result {
        func cpu() -> Int64 {
            Int64(clamping: clock.settings.measure().cpu) - Int64(clamping: clock.threads.total)
        }
        let before = cpu()
        defer { add(cpu: UInt64(max(0, cpu() - before))) }
        return try body()
    }

    /// CPU time of children, in nanoseconds.
    func add(cpu nanoseconds: UInt64) {
        cpu.withLock { $0 += nanoseconds }
    }

    func end(_ detail: String) {
        clock.end(
            StageTiming(
                stage: name, startSeconds: start, wallSeconds: clock.now - start,
                cpuSeconds: Double(cpu.withLock { $0 }) / 1e9, waits: waits, detail: detail))
    }
}

/// The CPU time of the threads that work for stages.
final class ThreadTimes: Sendable {
    struct Section {
        fileprivate var number: Int
    }

    private struct State {
        var ended: UInt64 = 0
        var running = [Int: (clock: clockid_t, start: UInt64)]()
        var next = 0
    }

    private let state = Mutex(State())

    /// This thread works from now on, until `end` on the same thread.
    func begin() -> Section {
        var clock = clockid_t()
        pthread_getcpuclockid(pthread_self(), &clock)
        let start = Self.read(clock)
        return state.withLock { state in
            state.next += 1
            state.running[state.next] = (clock, start)
            return Section(number: state.next)
        }
    }

    /// What the section used, in nanoseconds.
    func end(_ section: Section) -> UInt64 {
        state.withLock { state in
            guard let running = state.running.removeValue(forKey: section.number) else { return 0 }
            let used = Self.read(running.clock) - running.start
            state.ended += used
            return used
        }
    }

    /// What all sections have used by now, in nanoseconds.
    var total: UInt64 {
        state.withLock { state in
            state.running.values.reduce(state.ended) { $0 + Self.read($1.clock) - $1.start }
        }
    }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        guard clock_gettime(clock, &time) == 0 else { return 0 }
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
