internal import CLinux
internal import Glibc
internal import Pipeline
internal import RootfsModel
internal import Synchronization

/// Shows a build on stderr. On a terminal: one live line per running stage, redrawn in place below the log,
/// which is never overwritten. Elsewhere: plain lines with the time in UTC.
final class ProgressDisplay: Sendable {
    enum Verbosity: Int, Comparable {
        case quiet, normal, verbose

        static func < (left: Verbosity, right: Verbosity) -> Bool { left.rawValue < right.rawValue }
    }

    private struct State {
        var running: [LiveStage] = []
        /// How many live lines stand on the terminal now.
        var drawn = 0
        var lastDraw: UInt64 = 0
        /// A shell has the terminal; what others say meanwhile comes when it gives it back.
        var isSuspended = false
        var heldBack = [String]()
        var isFinished = false
    }

    private let verbosity: Verbosity
    private let isTerminal: Bool
    private let state = Mutex(State())

    init(verbosity: Verbosity) {
        self.verbosity = verbosity
        self.isTerminal = isatty(STDERR_FILENO) == 1
        if isTerminal && verbosity > .quiet { startTicking() }
    }

    /// Redraws the live lines five times a second, also while a stage has nothing to say.
    private func startTicking() {
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let display = Unmanaged<ProgressDisplay>.fromOpaque(context).takeRetainedValue()
                while display.tick() { usleep(200_000) }
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        pthread_detach(thread)
    }

    /// False when there is nothing more to draw.
    private func tick() -> Bool {
        state.withLock { state in
            if state.isFinished { return false }
            if !state.running.isEmpty { draw(&state, now: monotonicNanoseconds()) }
            return true
        }
    }

    func show(_ event: ProgressEvent) {
        state.withLock { state in
            // Taken under the lock, so that time never goes backwards between two events.
            let now = monotonicNanoseconds()
            switch event {
            case .started(let recipe, let stage):
                state.running.append(LiveStage(recipe: recipe, stage: stage, start: now))
                if !isTerminal { log("\(recipe): \(stage) …", atLeast: .verbose, &state) }
            case .advanced(let recipe, let stage, let done, let total, let unit):
                guard let index = state.running.firstIndex(where: { $0.recipe == recipe && $0.stage == stage }) else {
                    return
                }
                state.running[index].advance(done: done, total: total, unit: unit)
                if !isTerminal, now - state.running[index].lastLine > 10_000_000_000 {
                    state.running[index].lastLine = now
                    log(state.running[index].text(now: now, width: 200), atLeast: .normal, &state)
                }
            case .finished(let recipe, let stage, let detail):
                guard let index = state.running.firstIndex(where: { $0.recipe == recipe && $0.stage == stage }) else {
                    return
                }
                let seconds = Double(now - state.running[index].start) / 1e9
                state.running.remove(at: index)
                let took = "\(decimal(seconds, places: seconds < 10 ? 2 : 1)) s"
                log("\(recipe): \(stage): \(detail) (\(took))", atLeast: .normal, &state)
            case .note(let text): log(text, atLeast: .normal, &state)
            case .warning(let text): log("warning: \(text)", atLeast: .quiet, &state)
            case .stopped(let recipe): state.running.removeAll { $0.recipe == recipe }
            case .output(let recipe, let stage, let line):
                log("\(recipe): \(stage) | \(line)", atLeast: .verbose, &state)
            case .terminalTaken:
                erase(&state)
                state.isSuspended = true
            case .terminalReturned:
                state.isSuspended = false
                for line in state.heldBack { writeToStandardError(line) }
                state.heldBack = []
            }
            if isTerminal, verbosity > .quiet, now > state.lastDraw + 80_000_000 { draw(&state, now: now) }
        }
    }

    /// Takes the live lines away: the program is about to say its last words.
    func finish() {
        state.withLock { state in
            erase(&state)
            state.running = []
            state.isFinished = true
        }
    }

    private func log(_ text: String, atLeast level: Verbosity, _ state: inout State) {
        guard verbosity >= level else { return }
        let line = (isTerminal ? text : "\(utcTime()) \(text)") + "\n"
        if state.isSuspended { return state.heldBack.append(line) }
        erase(&state)
        writeToStandardError(line)
        if isTerminal { draw(&state, now: monotonicNanoseconds()) }
    }

    private func erase(_ state: inout State) {
        if state.drawn > 0 { writeToStandardError("\u{1B}[\(state.drawn)F\u{1B}[J") }
        state.drawn = 0
    }

    private func draw(_ state: inout State, now: UInt64) {
        guard verbosity > .quiet, !state.isSuspended else { return }
        let width = terminalWidth()
        var text = state.drawn > 0 ? "\u{1B}[\(state.drawn)F\u{1B}[J" : ""
        for stage in state.running { text += stage.text(now: now, width: width) + "\n" }
        state.drawn = state.running.count
        state.lastDraw = now
        writeToStandardError(text)
    }
}

/// One running stage: what is done, at what rate, and how long it may still take.
private struct LiveStage {
    let recipe: String
    let stage: String
    let start: UInt64
    var lastLine: UInt64
    var done: UInt64 = 0
    var total: UInt64?
    var unit: ProgressUnit = .bytes

    init(recipe: String, stage: String, start: UInt64) {
        self.recipe = recipe
        self.stage = stage
        self.start = start
        self.lastLine = start
    }

    mutating func advance(done: UInt64, total: UInt64?, unit: ProgressUnit) {
        self.done = done
        self.total = total
        self.unit = unit
    }

    func text(now: UInt64, width: Int) -> String {
        let seconds = Double(now - start) / 1e9
        var text = "\(recipe): \(stage)"
        if done > 0 || total != nil {
            text += "  \(amount(done))"
            if let total { text += " of \(amount(total))" }
            let rate = seconds > 0 ? Double(done) / seconds : 0
            if rate > 0 {
                text += unit == .bytes ? "  \(amount(UInt64(rate)))/s" : "  \(decimal(rate, places: 0))/s"
                if let total, total > done { text += "  \(duration((Double(total - done)) / rate)) left" }
            }
        }
        text += "  \(duration(seconds))"
        return String(text.prefix(width - 1))
    }

    private func amount(_ value: UInt64) -> String {
        switch unit {
        case .bytes: byteText(value)
        case .packages: "\(value) packages"
        case .files: "\(value) files"
        }
    }
}

/// `1:05` or `12 s`.
private func duration(_ seconds: Double) -> String {
    let whole = Int(min(seconds, 1e8).rounded())
    if whole < 60 { return "\(whole) s" }
    let rest = whole % 60
    return "\(whole / 60):\(rest < 10 ? "0" : "")\(rest)"
}

/// A number with a fixed count of decimals.
func decimal(_ value: Double, places: Int) -> String {
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let scaled = Int((value * scale).rounded())
    if places == 0 { return String(scaled) }
    let fraction = String(scaled % Int(scale))
    return "\(scaled / Int(scale))." + String(repeating: "0", count: places - fraction.count) + fraction
}

/// The width of the terminal on stderr in columns; 80 where it does not say.
func terminalWidth() -> Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 10 else { return 80 }
    return Int(size.ws_col)
}

/// The present moment as `2026-11-20T12:00:00Z`.
private func utcTime() -> String { utcText(Int64(time(nil))) }

/// Seconds since 1970 as `2026-11-20T12:00:00Z`.
func utcText(_ seconds: Int64) -> String {
    var seconds = time_t(seconds)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return
        "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
}

func monotonicNanoseconds() -> UInt64 { clock_nanoseconds(CLOCK_MONOTONIC) }

func writeToStandardError(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let written = rest.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        if written <= 0 { return }
        rest = rest.dropFirst(written)
    }
}
