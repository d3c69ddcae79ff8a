/// What a running build tells whoever watches it.
public enum ProgressEvent: Sendable {
    /// A stage began. `recipe` is the recipe's name, `stage` the stage's, as in build.json.
    case started(recipe: String, stage: String)
    /// How far a running stage is; nil total where nobody knows it.
    case advanced(recipe: String, stage: String, done: UInt64, total: UInt64?, unit: ProgressUnit)
    /// A stage ended. `detail` says what came of it: `462 packages, 329.1 MB`.
    case finished(recipe: String, stage: String, detail: String)
    /// Something the user should know, as a sentence.
    case note(String)
    /// Something that looks wrong but does not stop the build.
    case warning(String)
    /// A recipe's build failed: none of its stages goes on.
    case stopped(recipe: String)
    /// A line that a script in the sandbox printed.
    case output(recipe: String, stage: String, line: String)
    /// A shell has the terminal from now on, and gives it back.
    case terminalTaken, terminalReturned
}

public enum ProgressUnit: Sendable {
    case bytes, packages, files
}

/// Takes events from any thread.
public typealias ProgressSink = @Sendable (ProgressEvent) -> Void

/// Wall and CPU time at one moment, in nanoseconds from an arbitrary start; read at the program's edge.
public struct Measurement: Sendable {
    public var wall: UInt64
    /// User and system time of this process's threads, those that have ended too.
    public var cpu: UInt64

    public init(wall: UInt64, cpu: UInt64) {
        self.wall = wall
        self.cpu = cpu
    }
}

/// What one stage took, for build.json.
public struct StageTiming: Sendable, Codable {
    public var stage: String
    /// Since the build began.
    public var startSeconds: Double
    public var wallSeconds: Double
    /// Of the threads that worked for it, and of the children it ran.
    public var cpuSeconds: Double
    /// What it waited for before it began.
    public var waits: [StageWait]
    public var detail: String

    public init(
        stage: String, startSeconds: Double, wallSeconds: Double, cpuSeconds: Double, waits: [StageWait], detail: String
    ) {
        self.stage = stage
        self.startSeconds = startSeconds
        self.wallSeconds = wallSeconds
        self.cpuSeconds = cpuSeconds
        self.waits = waits
        self.detail = detail
    }
}

/// What kept a stage from beginning when all else that it needs was there.
public struct StageWait: Sendable, Codable, Hashable {
    /// `unpacking chromium 146.0`, `layer base`.
    public var what: String
    public var seconds: Double

    public init(for what: String, _ seconds: Double) {
        self.what = what
        self.seconds = seconds
    }
}
