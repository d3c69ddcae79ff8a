/// How a program ended that was started for a moment, and what it said.
public struct RunEnding: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// It still ran when the moment was over.
        case lived
        case exited(Int32)
        case signaled(Int32)
    }

    public var kind: Kind
    /// Its last lines on stdout and stderr, and those of all that it started.
    public var lines: [String]

    public init(_ kind: Kind, lines: [String]) {
        self.kind = kind
        self.lines = lines
    }

    /// What qemu-user says of each process that a signal ends, on that one's stderr: the signal's number comes next.
    public static let emulatorsWord = "qemu: uncaught target signal"

    /// Whether a process that it was, or started, met an instruction that the processor does not have.
    public var metIllegalInstruction: Bool {
        if kind == .signaled(illegalInstruction) || kind == .exited(128 + illegalInstruction) { return true }
        return lines.contains { $0.contains("\(Self.emulatorsWord) \(illegalInstruction) ") }
    }
}

/// SIGILL, on every architecture.
private let illegalInstruction: Int32 = 4

/// What programs say when they run for a moment. No `Rule`, as nothing of an image is run unless it is asked for.
public enum RunRule {
    public static let name = "run"
    public static let reason =
        "code for a newer processor that carries no mark is not seen until it runs, and dies without a word"
    public static let specification = "signal(7); ld.so(8); qemu-user(1), linux-user/signal.c"

    /// What is to be said of a program's end.
    ///
    /// - Parameters:
    ///   - control: where it met an illegal instruction, how it ends on a processor with everything.
    ///   - processor: what the first one was.
    public static func finding(
        of start: ProgramStart, _ end: RunEnding, control: RunEnding?, on processor: EmulatedProcessor
    ) -> Finding? {
        let words = start.words.joined(separator: " ")
        let place = "\(words) was started as \(start.uid):\(start.gid) on qemu-user's \(processor.name)"
        func finding(_ id: String, _ severity: Severity, _ message: String, _ more: [String], _ remedy: String)
            -> Finding
        {
            Finding(
                id, min(severity, start.severity), message, service: start.service, path: start.program,
                reasons: start.reasons + [place] + more, remedy: remedy, location: start.location)
        }
        let said = end.lines.filter { !$0.contains(RunEnding.emulatorsWord) }.suffix(5).map { "it said: \($0)" }
        if end.metIllegalInstruction, let control, !control.metIllegalInstruction {
            return finding(
                "run/illegal-instruction", .error,
                "\(start.program), or what it starts, has an instruction that the machine's processor does not have",
                said + [
                    "a process of it ended by signal 4 (illegal instruction); on qemu-user's max, with everything, it does not"
                ],
                "build it for the machine's processor, or give the machine one that has what it needs (--cpu)")
        }
        if let line = end.lines.first(where: isLoaders) {
            let severity: Severity = end.kind == .lived || end.kind == .exited(0) ? .warning : .error
            return finding(
                "run/loader", severity, "the loader cannot load \(start.program), or what it starts",
                ["it said: \(line)"],
                "bring the library, or build the program for what the image has")
        }
        // A command of a script may end as it likes: what it means is for the script to say.
        guard start.isServicesOwn else { return nil }
        switch end.kind {
        case .lived, .exited(0): return nil
        case .signaled(let signal):
            let doubt =
                end.metIllegalInstruction
                ? ["with every feature of qemu-user it does the same: it stops by itself, or needs AVX-512"] : []
            return finding(
                "run/signal", .warning, "\(start.program) was ended by signal \(signal) in its first moment",
                said + doubt, "start it in the machine and see what it says: rootfs-build boot")
        case .exited(let status):
            return finding(
                "run/exit", .warning, "\(start.program) ended with status \(status) in its first moment", said,
                "see whether it lacks only what a sandbox has not: devices, a network, other services")
        }
    }

    private static func isLoaders(_ line: String) -> Bool {
        line.contains(": error while loading shared libraries: ")
            || line.contains(": version `") && line.contains("' not found (required by ")
            || line.contains("CPU ISA level is lower than required")
    }
}
