/// What a boot came to, with what shows it.
public struct Verdict: Hashable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        /// Everything became ready, and nothing died while it was watched.
        case proven
        /// Not one byte on the serial line.
        case noConsole = "no-console"
        case kernelPanic = "kernel-panic"
        /// Kernel or initrd did not find or could not mount the root file system.
        case noRootDevice = "no-root-device"
        /// There is no init, or it cannot be executed.
        case noInit = "no-init"
        /// A service died before it was ever ready, and does not come up any more.
        case unitFailed = "unit-failed"
        /// A service, or a text of the console, was waited for in vain.
        case notReady = "not-ready"
        /// A service that had been ready died.
        case died
        case outOfMemory = "out-of-memory"
        /// The machine stands still, or runs in a circle.
        case hung
        /// The guest ended the machine by itself.
        case stopped
    }

    public var kind: Kind
    /// The service that it is about.
    public var service: String?
    /// One clause: `app-web: exit status 203 -- systemd could not execute it`.
    public var summary: String
    /// The lines that show it, oldest first.
    public var evidence: [ConsoleLine]
    /// When the machine had shown it, from its start.
    public var time: Duration
    /// How the service's process ended, `exit status 1` or `signal SIGKILL`, and what that means.
    public var ending: String?
    public var meaning: String?
    /// For `notReady`: what did answer.
    public var answered: String?

    public init(
        _ kind: Kind, service: String? = nil, _ summary: String, evidence: [ConsoleLine] = [], time: Duration,
        ending: String? = nil, meaning: String? = nil, answered: String? = nil
    ) {
        self.kind = kind
        self.service = service
        self.summary = summary
        self.evidence = evidence
        self.time = time
        self.ending = ending
        self.meaning = meaning
        self.answered = answered
    }
}
