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
    try Task.checkCancellation()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC
    posix_spawn_file_actions_addopen(&actions, 0, input.string, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output.string, flags & ~O_CLOEXEC, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, errors.string, flags & ~O_CLOEXEC, 0o600)

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    var process: pid_t = 0
    let status = withCStrings([program.string] + arguments) { argumentPointers in
        withCStrings(environment) { environmentPointers in
            posix_spawn(&process, program.string, &actions, &attributes, argumentPointers, environmentPointers)
        }
    }
    guard status == 0 else { throw Failure("cannot run \(program.string): \(errorText(status))") }
    let ended = try wait(for: process, program)
    let signal = ended & 0x7f
    return signal == 0 ? .exited(ended >> 8 & 0xff) : .killed(signal)
}

/// The status that a child ended with. It is looked for in steps of some milliseconds, so that a cancelled task
/// does not wait for a child that hangs.
private func wait(for process: pid_t, _ program: FilePath) throws -> Int32 {
    var ended: Int32 = 0
    var isKilled = false
    while true {
        let result = waitpid(process, &ended, isKilled ? 0 : WNOHANG)
        if result == process { break }
        if result < 0 && errno != EINTR { throw systemFailure("wait for", program) }
        if Task.isCancelled && !isKilled {
            kill(process, SIGKILL)
            isKilled = true
        } else if result == 0 {
            usleep(2000)
        }
    }
    if isKilled { throw CancellationError() }
    return ended
}

/// A NULL-terminated array of C strings, for as long as the closure runs.
private func withCStrings<R>(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R) -> R {
    let pointers = strings.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers + [nil])
}
