import CBooting
import Glibc
import RootfsModel

/// The owner of a program that ends with us: at the end of this value's life, at the latest with our process.
struct GuardedProcess: ~Copyable {
    enum Ending: Equatable {
        case exited(Int32)
        case signaled(Int32)
    }

    /// stdout and stderr.
    let output: Int32
    let errors: Int32
    private let pid: Int32
    private var leash: Int32
    private var ending: Ending?

    /// - Parameter grace: how long the program has between SIGTERM and SIGKILL.
    init(_ arguments: [String], grace: Duration) throws(Failure) {
        let process = try Self.start(arguments, grace: grace)
        self.output = process.output
        self.errors = process.errors
        self.pid = process.pid
        self.leash = process.leash
        self.ending = nil
    }

    private static func start(_ arguments: [String], grace: Duration) throws(Failure) -> guarded_process {
        let milliseconds = Int32(clamping: grace / .milliseconds(1) < 1e9 ? Int64(grace / .milliseconds(1)) : .max)
        var vector = arguments.map { strdup($0) } + [nil]
        defer { for pointer in vector { free(pointer) } }
        var process = guarded_process()
        let code = start_guarded(&vector, milliseconds, &process)
        guard code == 0 else {
            let program = arguments.first ?? ""
            let hint = code == ENOENT ? "install it: apt-get install qemu-system-x86" : nil
            throw Failure("cannot start \(program): \(errorText(code))", hint: hint)
        }
        return process
    }

    /// Lets the program go: SIGTERM now, SIGKILL after the grace. Its last words can still be read.
    mutating func letGo() {
        if leash >= 0 { close(leash) }
        leash = -1
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
        close(output)
        close(errors)
        if ending == nil {
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        }
    }
}
