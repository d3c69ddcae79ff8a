import Glibc
import RootfsModel
import SystemPackage
import Testing

@testable import Ext4

/// A directory for one test, removed at its end.
final class Scratch {
    let path: FilePath

    init() throws {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/ext4-tests.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure("no scratch directory") }
        path = FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }

    deinit { _ = run("rm", ["-rf", path.string]) }

    func file(_ name: String) -> FilePath { path.appending(name) }
}

/// Runs a program and gives its status and everything that it said.
@discardableResult
func run(_ program: String, _ arguments: [String]) -> (status: Int32, output: String) {
    var pipes: [Int32] = [0, 0]
    guard pipe(&pipes) == 0 else { return (-1, "no pipe") }
    for descriptor in pipes { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, pipes[1], 1)
    posix_spawn_file_actions_adddup2(&actions, pipes[1], 2)
    defer { posix_spawn_file_actions_destroy(&actions) }
    var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    let variables = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]
    var environment: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
    defer { for variable in environment { free(variable) } }
    var child = pid_t()
    let code = posix_spawnp(&child, program, &actions, nil, &words, &environment)
    close(pipes[1])
    defer { close(pipes[0]) }
    if code != 0 { return (127, "\(program): \(errorText(code))") }
    var output = [UInt8]()
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(pipes[0], &buffer, buffer.count)
        if count <= 0 { break }
        output += buffer[..<count]
    }
    var status: Int32 = 0
    waitpid(child, &status, 0)
    return (status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f), String(decoding: output, as: UTF8.self))
}

func hasProgram(_ name: String) -> Bool {
    run("sh", ["-c", "command -v \(name)"]).status == 0
}

/// e2fsck finds nothing to say.
func expectClean(_ image: FilePath, sourceLocation: SourceLocation = #_sourceLocation) {
    guard hasProgram("e2fsck") else { return print("e2fsck is missing: not asked about \(image)") }
    let result = run("e2fsck", ["-fn", image.string])
    #expect(result.status == 0, "\(result.output)", sourceLocation: sourceLocation)
    // The summary ends the output; anything e2fsck complains about stands between the passes.
    let remarks = result.output.split(separator: "\n").filter { line in
        !line.hasPrefix("e2fsck ") && !line.hasPrefix("Pass ") && !line.contains(" files (")
    }
    #expect(remarks.isEmpty, "\(remarks)", sourceLocation: sourceLocation)
}

typealias SourceLocation = Testing.SourceLocation

extension Ext4Options {
    /// Options that tests vary.
    static let plain = Ext4Options(
        label: "test", identity: .derived(from: Digest(hashing: "a tree")), moment: 1_700_000_000, size: .free(bytes: 0)
    )
}
