import Glibc
import RootfsModel
import Storage
import SystemPackage

/// How a program of the host ended.
enum ProgramEnd: Hashable {
    case exited(Int32)
    case killed(Int32)
}

/// Runs a program of the host to its end, without a shell, with stdin empty and both outputs into files.
/// Its environment is only what is given here.
func runProgram(_ program: FilePath, _ arguments: [String], environment: [String], output: FilePath, errors: FilePath)
    throws(Failure) -> ProgramEnd
{
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output.string, flags & ~O_CLOEXEC, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, errors.string, flags & ~O_CLOEXEC, 0o600)

    var process: pid_t = 0
    let status = withCStrings([program.string] + arguments) { argumentPointers in
        withCStrings(environment) { environmentPointers in
            posix_spawn(&process, program.string, &actions, nil, argumentPointers, environmentPointers)
        }
    }
    guard status == 0 else { throw Failure("cannot run \(program.string): \(errorText(status))") }
    var ended: Int32 = 0
    while waitpid(process, &ended, 0) < 0 {
        guard errno == EINTR else { throw systemFailure("wait for", program) }
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
