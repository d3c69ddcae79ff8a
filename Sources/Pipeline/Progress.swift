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
    /// A line that a script in the sandbox printed.
    case output(stage: String, line: String)
}

public enum ProgressUnit: Sendable {
    case bytes, packages, files
}

/// Takes events from any thread.
public typealias ProgressSink = @Sendable (ProgressEvent) -> Void

/// Wall and CPU time at one moment, in nanoseconds from an arbitrary start; read at the program's edge.
public struct Measurement: Sendable {
    public var wall: UInt64
    /// User and system time of this process and of the children it has waited for.
    public var cpu: UInt64

    public init(wall: UInt64, cpu: UInt64) {
        self.wall = wall
        self.cpu = cpu
    }
}

/// What one stage took, for build.json.
public struct StageTiming: Sendable, Codable {
    public var stage: String
    public var wallSeconds: Double
    public var cpuSeconds: Double
    public var detail: String
}
