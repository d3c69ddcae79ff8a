import Glibc
import RootfsModel
import Storage
import SystemPackage

/// A program that ran to its end.
struct Run {
    /// Wall time in seconds.
    var seconds: Double
    /// The most memory that the program itself had, in bytes: seen last at most some milliseconds before its end. 0
    /// where nobody looked.
    var ownPeak: UInt64
    /// The most that one of the other programs below it had, in bytes, seen likewise.
    var childPeak: UInt64
    /// The most that it or any process below it had, in bytes.
    var familyPeak: UInt64
    /// What it printed on stdout.
    var output: [UInt8]
}

/// Runs a program, found on the PATH, and waits for it. Throws where it does not end with 0; what it said is in the
/// failure. `watchingMemory` looks at its memory all the time.
func run(_ arguments: [String], in directory: FilePath? = nil, watchingMemory: Bool = false) throws -> Run {
    let files = try TemporaryDirectory(beside: "/tmp/rootfs-bench-output")
    let (output, errors) = (files.path.appending("output"), files.path.appending("errors"))
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output.string, O_WRONLY | O_CREAT, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, errors.string, O_WRONLY | O_CREAT, 0o600)
    let words = ((directory.map { ["env", "-C", $0.string] } ?? []) + arguments).map { strdup($0) }
    defer { for word in words { free(word) } }
    var process: pid_t = 0
    let start = seconds()
    let code = posix_spawnp(&process, directory == nil ? arguments[0] : "env", &actions, nil, words + [nil], environ)
    guard code == 0 else { throw Failure("cannot run \(arguments[0]): \(errorText(code))") }
    var status: Int32 = 0
    var usage = rusage()
    var (ownPeak, childPeak) = (UInt64(0), UInt64(0))
    while true {
        let ended = wait4(process, &status, watchingMemory ? WNOHANG : 0, &usage)
        if ended == process { break }
        if ended < 0 && errno != EINTR { throw systemFailure("wait for", FilePath(arguments[0])) }
        if ended != 0 { continue }
        ownPeak = max(ownPeak, peakMemory(of: process))
        let program = executable(of: process)
        // A process that was only split off from the program has the program's memory, not its own.
        for child in descendants(of: process) where executable(of: child) != program {
            childPeak = max(childPeak, peakMemory(of: child))
        }
        usleep(10_000)
    }
    let elapsed = seconds() - start
    guard status == 0 else {
        let said = String(decoding: try readFile(at: errors), as: UTF8.self).split(separator: "\n").suffix(20)
        throw Failure(
            "\(arguments.prefix(3).joined(separator: " ")) … did not end well: "
                + (status & 0x7f == 0 ? "exit status \(status >> 8 & 0xff)" : "signal \(status & 0x7f)"),
            notes: said.map(String.init))
    }
    return Run(
        seconds: elapsed, ownPeak: ownPeak, childPeak: childPeak, familyPeak: UInt64(usage.ru_maxrss) << 10,
        output: try readFile(at: output))
}

/// This program's own path.
func thisProgram() throws -> String {
    guard let path = executable(of: getpid()) else { throw systemFailure("read", "/proc/self/exe") }
    return path
}

/// The path of the program that a process runs; nil of a process that is gone.
private func executable(of process: pid_t) -> String? {
    var path = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink("/proc/\(process)/exe", &path, path.count)
    return length > 0 ? String(decoding: path.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
}

/// All processes below one, as they are now.
private func descendants(of process: pid_t) -> [pid_t] {
    let threads = (try? directoryNames(at: FilePath("/proc/\(process)/task"))) ?? []
    return threads.flatMap { thread -> [pid_t] in
        let path = "/proc/\(process)/task/\(String(decoding: thread, as: UTF8.self))/children"
        let children = String(decoding: (try? readFile(at: FilePath(path))) ?? [], as: UTF8.self)
            .split(separator: " ").compactMap { pid_t($0) }
        return children + children.flatMap(descendants)
    }
}
