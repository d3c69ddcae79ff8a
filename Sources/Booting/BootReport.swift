public import RootfsModel

/// How a boot went.
public struct BootReport: Sendable {
    public enum Ending: Hashable, Sendable {
        /// Everything expected was seen.
        case sawAll
        case deadline
        /// The guest's kernel panicked, with this line.
        case panic(String)
        /// The guest ended the machine before everything was seen.
        case guestStopped
    }

    public var ending: Ending
    /// From the start of the machine to the ending.
    public var duration: Duration
    /// When each expected text was seen.
    public var seen: [Console.Sighting]
    public var missing: [String]
    /// The console's last lines, and how many older ones are left out.
    public var lines: [ConsoleLine]
    public var dropped: Int
    /// What the VMM itself had to say.
    public var engineMessages: [String]
    /// What ran the guest: `tcg` or `kvm`.
    public var accelerator: String
    /// The VMM's command line, quoted for a shell.
    public var commandLine: String
    /// Whether the VMM ended when it was asked to; false where it had to be killed.
    public var stoppedCleanly: Bool

    public var succeeded: Bool { ending == .sawAll }

    /// One clause: `everything expected was seen after 12.345 s`.
    public var summary: String {
        let time = "\(seconds(duration)) s"
        switch ending {
        case .sawAll: return "everything expected was seen after \(time)"
        case .deadline: return "the deadline passed after \(time)"
        case .panic(let line): return "the guest's kernel panicked after \(time): \(line)"
        case .guestStopped: return "the guest stopped after \(time)"
        }
    }

    /// The failure to report for a boot that did not succeed: what was not seen, and the console's last lines.
    public var failure: Failure? {
        if succeeded { return nil }
        var notes = missing.map { "not seen: \($0)" }
        notes += engineMessages.map { "VMM: \($0)" }
        notes += lines.suffix(20).map(\.description)
        return Failure("the boot failed: \(summary)", notes: notes, status: .negative)
    }
}
