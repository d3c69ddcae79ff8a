internal import Glibc
internal import RootfsModel
public import SystemPackage

/// How a program of the host ended.
public enum ProgramEnd: Hashable, Sendable {
    case exited(Int32)
    case killed(Int32)
}

/// Runs a program of the host to its end, without a shell, with stdin from a file (empty, where none is named) and both
/// outputs into files.
/// Its environment is only what is given here, and signals mean to it what they mean to any program: we ignore
/// SIGPIPE, and some of our threads have signals blocked. Cancelling the task kills it.
public func runProgram(
    _ program: FilePath, _ arguments: [String], environment: [String], input: FilePath = "/dev/null", output: FilePath,
    errors: FilePath
) throws -> ProgramEnd {
    let flags = O_WRONLY | O_CREAT | O_TRUNC
    let process = try spawn(program, arguments, environment: environment, input: input, isLeader: false) { actions in
        posix_spawn_file_actions_addopen(&actions, 1, output.string, flags, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors.string, flags, 0o600)
    }
    return try wait(for: process, program)
}

/// Runs a command with the host's shell to its end, with stdin empty and both outputs to this program's stderr.
/// Cancelling the task ends it and all that it started: politely first, and after some seconds for good.
public func runShellCommand(_ command: String, environment: [String]) throws -> ProgramEnd {
    let process = try spawn("/bin/sh", ["-c", command], environment: environment, input: "/dev/null", isLeader: true) {
        actions in
        posix_spawn_file_actions_adddup2(&actions, 2, 1)
    }
    return try wait(for: process, "/bin/sh", isLeader: true)
}

/// - Parameter isLeader: whether it gets a process group of its own, which has all that it starts.
private func spawn(
    _ program: FilePath, _ arguments: [String], environment: [String], input: FilePath, isLeader: Bool,
    outputs: (inout posix_spawn_file_actions_t) -> Void
) throws -> pid_t {
    try Task.checkCancellation()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, input.string, O_RDONLY, 0)
    outputs(&actions)

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    let group = isLeader ? POSIX_SPAWN_SETPGROUP : 0
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | group))

    var process: pid_t = 0
    let status = withCStrings([program.string] + arguments) { argumentPointers in
        withCStrings(environment) { environmentPointers in
            posix_spawn(&process, program.string, &actions, &attributes, argumentPointers, environmentPointers)
        }
    }
    guard status == 0 else { throw Failure("cannot run \(program.string): \(errorText(status))") }
    return process
}

/// How a child ended. It is looked for in steps of some milliseconds, so that a cancelled task does not wait for a child
/// that hangs: it is killed, a leader with its group after five seconds to end by itself.
private func wait(for process: pid_t, _ program: FilePath, isLeader: Bool = false) throws -> ProgramEnd {
    var ended: Int32 = 0
    /// The steps since the end was asked for.
    var patience: Int?
    while true {
        let result = waitpid(process, &ended, patience == 0 ? 0 : WNOHANG)
        if result == process { break }
        if result < 0 && errno != EINTR { throw systemFailure("wait for", program) }
        if let steps = patience, steps > 0 {
            patience = steps - 1
            if steps == 1 { kill(-process, SIGKILL) }
        } else if Task.isCancelled, patience == nil {
            patience = isLeader ? 2500 : 0
            if isLeader { kill(-process, SIGTERM) } else { kill(process, SIGKILL) }
        }
        if result == 0 { usleep(2000) }
    }
    if patience != nil {
        // What it started may have stayed.
        if isLeader { kill(-process, SIGKILL) }
        throw CancellationError()
    }
    let signal = ended & 0x7f
    return signal == 0 ? .exited(ended >> 8 & 0xff) : .killed(signal)
}

/// A NULL-terminated array of C strings, for as long as the closure runs.
private func withCStrings<R>(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R) -> R {
    let pointers = strings.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers + [nil])
}
