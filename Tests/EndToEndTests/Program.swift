import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

/// The built program, run as a user runs it: a child process with its own arguments, environment and directory.
///
/// Waiting is plain waitpid on the test's own thread: nothing here suspends a task, so two pool threads are enough.
struct Program {
    /// The binary that was built with this test bundle.
    static let path: FilePath = {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let bundle = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return FilePath(bundle).removingLastComponent().appending("rootfs-build")
    }()

    /// What a run came to.
    struct Ending: Equatable {
        /// The exit status; 128 + n after signal n.
        var status: Int32
        var stdout: String
        var stderr: String
    }

    var directory: FilePath
    /// Comes before the program: `["setpriv", …]`.
    var wrapper: [String] = []
    var environment: [String] = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/nonexistent", "LC_ALL=C.UTF-8"]

    /// Runs to the end.
    func run(_ arguments: [String], within seconds: Double = 240) throws -> Ending {
        try start(arguments).wait(within: seconds)
    }

    /// Starts, to be signalled or waited for.
    func start(_ arguments: [String]) throws -> Running {
        try Running(wrapper + [Self.path.string] + arguments, in: directory, environment: environment)
    }
}

/// A child process that runs.
final class Running {
    let process: pid_t
    private let streams: Scratch
    private var ending: Program.Ending?

    init(_ words: [String], in directory: FilePath, environment: [String]) throws {
        streams = try Scratch("streams")
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        for (descriptor, name) in [(Int32(1), "stdout"), (2, "stderr")] {
            let path = streams.path.appending(name).string
            posix_spawn_file_actions_addopen(&actions, descriptor, path, O_WRONLY | O_CREAT, 0o600)
        }
        // The test process may have signals blocked; the program is to start as from a shell, in a group of its own.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
        let words = ["/usr/bin/env", "-C", directory.string] + words
        let argv = words.map { strdup($0) }
        let variables = environment.map { strdup($0) }
        defer { for pointer in argv + variables { free(pointer) } }
        var process: pid_t = 0
        let status = posix_spawnp(&process, words[0], &actions, &attributes, argv + [nil], variables + [nil])
        guard status == 0 else { throw Failure("cannot run \(words[0]): \(errorText(status))") }
        self.process = process
    }

    func signal(_ number: Int32) { kill(process, number) }

    /// Its end; a program that takes longer is killed, and the test fails with what it had said.
    func wait(within seconds: Double = 240) throws -> Program.Ending {
        if let ending { return ending }
        var status: Int32 = 0
        var rest = Int(seconds * 100)
        while waitpid(process, &status, WNOHANG) == 0 {
            usleep(10_000)
            rest -= 1
            if rest == 0 {
                kill(-process, SIGKILL)
                waitpid(process, &status, 0)
                throw Failure("the program did not end within \(seconds) s", notes: [try text("stderr")])
            }
        }
        let code = status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
        let ending = Program.Ending(status: code, stdout: try text("stdout"), stderr: try text("stderr"))
        self.ending = ending
        return ending
    }

    /// Whether it is gone already; `wait` still gives its end.
    var hasEnded: Bool {
        var information = siginfo_t()
        return waitid(P_PID, id_t(process), &information, Int32(WEXITED | WNOHANG | WNOWAIT)) == 0
            && information.si_signo == SIGCHLD
    }

    func text(_ stream: String) throws -> String {
        String(decoding: try readFile(at: streams.path.appending(stream)), as: UTF8.self)
    }
}

/// A directory for one test, gone with the value.
final class Scratch: Sendable {
    let path: FilePath

    init(_ purpose: String) throws {
        var template = Array("/tmp/e2e-\(purpose)-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw systemFailure("make a directory in", "/tmp") }
        path = FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
        chmod(path.string, 0o755)
    }

    deinit { try? removeTree(at: path) }
}

/// Runs a command of the host's shell; both its streams, and its status where it is not 0.
@discardableResult
func shell(
    _ command: String, in directory: FilePath = "/",
    environment: [String] = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]
) throws -> String {
    let running = try Running(["/bin/sh", "-c", "exec 2>&1; " + command], in: directory, environment: environment)
    let ending = try running.wait()
    return ending.stdout + (ending.status == 0 ? "" : "status \(ending.status)\n")
}

/// Polls until something is so.
func waitUntil(_ what: String, within seconds: Double = 60, _ condition: () throws -> Bool) throws {
    for _ in 0..<Int(seconds * 50) {
        if try condition() { return }
        usleep(20_000)
    }
    throw Failure("did not come true within \(seconds) s: \(what)")
}
