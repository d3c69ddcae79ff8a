import CBooting
import Glibc
import RootfsModel

/// A machine that was started: its process, its console and how it is spoken to. It ends with this value, at the latest
/// with our process, unless it is set free.
struct RunningMachine: ~Copyable {
    let words: [String]
    let engine: Engine
    var process: GuardedProcess
    /// The host's ports by the guest's.
    private(set) var forwards: [UInt16: UInt16] = [:]
    private var monitor: QEMUMonitor?
    /// What nobody has a name for: the image's copy and the configuration, for Firecracker.
    private let files: [Int32]
    /// With sockets in it; goes with the machine, unless that is set free.
    private(set) var directory: String?
    /// Connected to the socket that the console is on; nil where that is stdin and stdout.
    private let socket: Int32?

    /// stdout, or the console's socket.
    var output: Int32 { socket ?? process.output }
    var input: Int32 { socket ?? process.input }

    private init(
        _ words: [String], _ engine: Engine, _ process: consuming GuardedProcess, _ monitor: consuming QEMUMonitor?,
        files: [Int32] = [], directory: String?, socket: Int32? = nil
    ) {
        self.words = words
        self.engine = engine
        self.process = process
        self.monitor = monitor
        self.files = files
        self.directory = directory
        self.socket = socket
    }

    /// Starts a machine.
    ///
    /// - Parameters:
    ///   - scratch: a directory for what is temporary.
    ///   - isKept: whether it shall be able to live on without us.
    ///   - isProbe: whether it has only a kernel.
    static func start(
        _ request: BootRequest, on engine: Engine, _ engines: EngineChoice, grace: Duration, scratch: String,
        isKept: Bool = false, isProbe: Bool = false
    ) throws(Failure) -> RunningMachine {
        if engine == .firecracker {
            let command = try FirecrackerCommand(
                request, program: engines.firecracker, scratch: scratch, isProbe: isProbe)
            do throws(Failure) {
                return RunningMachine(
                    command.words, engine, try GuardedProcess(command.words, grace: grace), nil, files: command.files,
                    directory: command.directory)
            } catch {
                for file in command.files { close(file) }
                removeDirectory(command.directory)
                throw error
            }
        }
        if !isProbe { try checkPorts(request) }
        var command = QEMUCommand(
            program: engines.qemu, accelerator: engine == .kvm ? .kvm : .tcg, request: request, isProbe: isProbe)
        if engine == .tcg {
            let clock = time_stamp_counter_khz()
            command.clock = clock == 0 ? nil : clock
        }
        let words: [String]
        if isProbe {
            words = try command.words()
            return RunningMachine(
                words, engine, try GuardedProcess(words, grace: grace, package: QEMUCommand.package), nil,
                directory: nil)
        }
        if isKept { return try startKept(command, engine, grace: grace, scratch: scratch) }
        words = try command.words()
        guard let ends = QEMUMonitor.pair() else { throw Failure("cannot make sockets: \(errorText(errno))") }
        defer { close(ends.theirs) }
        do throws(Failure) {
            let process = try GuardedProcess(words, grace: grace, control: ends.theirs, package: QEMUCommand.package)
            var machine = RunningMachine(words, engine, process, QEMUMonitor(descriptor: ends.ours), directory: nil)
            machine.findForwards(request)
            return machine
        } catch {
            close(ends.ours)
            throw error
        }
    }

    private static func startKept(
        _ given: QEMUCommand, _ engine: Engine, grace: Duration, scratch: String
    ) throws(Failure) -> RunningMachine {
        var command = given
        let directory = try makeDirectory(in: scratch)
        command.lines = .sockets(directory)
        do throws(Failure) {
            let words = try command.words()
            let process = try GuardedProcess(words, grace: grace, package: QEMUCommand.package)
            let socket = connect(to: "\(directory)/console", within: .seconds(10))
            let monitor = connect(to: "\(directory)/monitor", within: .seconds(5))
            var machine = RunningMachine(
                words, engine, process, monitor.map { QEMUMonitor(descriptor: $0) }, directory: directory,
                socket: socket)
            machine.findForwards(command.request)
            return machine
        } catch {
            removeDirectory(directory)
            throw error
        }
    }

    private static func checkPorts(_ request: BootRequest) throws(Failure) {
        for forward in request.forwards {
            if let host = forward.host, !isFree(host) {
                throw Failure(
                    "the port \(host) of this host is taken",
                    hint: "name another one, or let one be chosen: --port \(forward.guest)")
            }
        }
    }

    private mutating func findForwards(_ request: BootRequest) {
        if !request.forwards.isEmpty { forwards = monitor?.forwards() ?? [:] }
    }

    /// - Parameter inDepth: also where its processors stand.
    mutating func state(inDepth: Bool) -> BootWatch.MachineState? {
        guard let cpu = processorTime(of: process.program) else { return nil }
        guard inDepth, let (status, processors) = monitor?.state() else { return .init(cpu: cpu) }
        return .init(cpu: cpu, status: status, processors: processors)
    }

    /// Asks the guest to shut down, as a fleet does; false where it cannot be asked.
    mutating func sendCtrlAltDel() -> Bool {
        if engine == .firecracker { return directory.map { FirecrackerCommand.sendCtrlAltDel(to: $0) } ?? false }
        return monitor?.sendCtrlAltDel() ?? false
    }

    /// Lets it live on without us; gives where its sockets are.
    mutating func setFree() -> String? {
        process.setFree()
        defer { directory = nil }
        return directory
    }

    deinit {
        for file in files { close(file) }
        if let socket { close(socket) }
        if let directory { removeDirectory(directory) }
    }
}

/// The processor time that a process has used.
private func processorTime(of pid: Int32) -> Duration? {
    let descriptor = open("/proc/\(pid)/stat", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 1024)
    let count = read(descriptor, &buffer, buffer.count)
    guard count > 0 else { return nil }
    // Its name, which may hold anything, stands in brackets before the numbers (proc_pid_stat(5)).
    let text = String(decoding: buffer[..<count], as: UTF8.self)
    guard let bracket = text.lastIndex(of: ")") else { return nil }
    let fields = text[bracket...].split(separator: " ")
    guard fields.count > 13, let user = Int64(fields[12]), let system = Int64(fields[13]) else { return nil }
    return .milliseconds((user + system) * 1000 / Int64(max(1, sysconf(Int32(_SC_CLK_TCK)))))
}

/// A directory of our own that nobody else may enter.
func makeDirectory(in parent: String) throws(Failure) -> String {
    var template = Array("\(parent)/rootfs-build-vm.XXXXXX".utf8CString)
    // A socket's path has 107 bytes at most (unix(7)).
    guard template.count < 98 else {
        throw Failure("\(parent) is too long a path for sockets", hint: "set TMPDIR to a shorter one")
    }
    guard mkdtemp(&template) != nil else {
        throw Failure("cannot make a directory in \(parent): \(errorText(errno))")
    }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

func removeDirectory(_ directory: String) {
    for name in ["console", "monitor", "api"] { unlink("\(directory)/\(name)") }
    rmdir(directory)
}

/// Connects to a socket that a program is about to make.
func connect(to path: String, within limit: Duration) -> Int32? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let end = ContinuousClock.now + limit
    repeat {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if code == 0 { return descriptor }
        close(descriptor)
        usleep(20_000)
    } while ContinuousClock.now < end
    return nil
}
