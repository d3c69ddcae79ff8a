import CBooting
import Glibc
import RootfsModel

/// The owner of a program that ends with us: at the end of this value's life, at the latest with our process.
struct GuardedProcess: ~Copyable {
    enum Ending: Equatable {
        case exited(Int32)
        case signaled(Int32)
    }

    /// The program's id.
    let program: Int32
    /// stdin, stdout and stderr.
    let input: Int32
    let output: Int32
    let errors: Int32
    /// The guard's id: our child, and the program's parent.
    let pid: Int32
    private var leash: Int32
    private var ending: Ending?

    /// - Parameters:
    ///   - grace: how long the program has between SIGTERM and SIGKILL.
    ///   - control: what is the program's descriptor 3.
    ///   - package: what brings the program, for where there is none.
    init(
        _ arguments: [String], grace: Duration, control: Int32 = -1, package: String? = nil
    ) throws(Failure) {
        let process = try Self.start(arguments, grace: grace, control: control, package: package)
        self.program = process.program
        self.input = process.input
        self.output = process.output
        self.errors = process.errors
        self.pid = process.pid
        self.leash = process.leash
        self.ending = nil
    }

    private static func start(
        _ arguments: [String], grace: Duration, control: Int32, package: String?
    ) throws(Failure) -> guarded_process {
        let milliseconds = Int32(clamping: grace / .milliseconds(1) < 1e9 ? Int64(grace / .milliseconds(1)) : .max)
        var vector = arguments.map { strdup($0) } + [nil]
        defer { for pointer in vector { free(pointer) } }
        var process = guarded_process()
        let code = start_guarded(&vector, milliseconds, control, &process)
        guard code == 0 else {
            let program = arguments.first ?? ""
            guard code == ENOENT, let package else { throw Failure("cannot start \(program): \(errorText(code))") }
            throw Failure("\(program) is not installed", hint: "install it: apt-get install \(package)")
        }
        return process
    }

    /// Lets the program go: SIGTERM now, SIGKILL after the grace. Its last words can still be read.
    mutating func letGo() {
        if leash >= 0 { close(leash) }
        leash = -1
    }

    /// Sets the program free: from now on it lives without us.
    mutating func setFree() {
        guard leash >= 0 else { return }
        var word: UInt8 = 1
        _ = write(leash, &word, 1)
        letGo()
        ending = .exited(0)
    }

    /// Waits for the end.
    mutating func wait() -> Ending {
        if let ending { return ending }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            // Someone else in this process took its status: it has ended, which is what matters.
            if errno != EINTR { break }
        }
        let signal = status & 0x7F
        let ending: Ending = signal == 0 ? .exited(status >> 8 & 0xFF) : .signaled(signal)
        self.ending = ending
        return ending
    }

    deinit {
        if leash >= 0 { close(leash) }
        close(input)
        close(output)
        close(errors)
        if ending == nil {
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        }
    }
}
