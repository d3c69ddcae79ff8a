/// How a boot went.
public struct BootReport: Sendable {
    /// How the machine ended.
    public enum Shutdown: String, Sendable {
        /// It shut down when Ctrl-Alt-Del was pressed.
        case clean
        /// It was asked, and had to be killed when its time was over.
        case killed
        /// It was stopped without being asked: there was nothing left to be shut down.
        case stopped
        /// It ended by itself.
        case byItself = "by itself"
        /// It runs on.
        case running
    }

    /// A machine that runs on.
    public struct Kept: Sendable {
        public var pid: Int32
        /// The directory with the sockets `console` and `monitor`.
        public var directory: String
    }

    public var verdict: Verdict
    public var services: [ServiceState]
    /// What is worth telling besides, a sentence each.
    public var warnings: [String]
    /// From the machine's start.
    public var firstByte: Duration?
    public var kernelStart: Duration?
    public var initStart: Duration?
    public var readySince: Duration?
    public var memory: BootWatch.Memory?
    /// Of the whole boot, without the shutdown.
    public var duration: Duration
    public var shutdown: Shutdown
    public var shutdownTime: Duration
    /// What ran the guest: `firecracker`, `kvm` or `tcg`; and why none of the better ones did.
    public var engine: Engine
    public var engineNotes: [String]
    /// What the VMM itself had to say.
    public var engineMessages: [String]
    /// The VMM's command line, quoted for a shell.
    public var commandLine: String
    /// The host's ports by the guest's.
    public var forwards: [UInt16: UInt16]
    public var kept: Kept?
}
