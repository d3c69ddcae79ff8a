import Foundation
import Glibc
import Sandboxing
import Testing

/// Whether this process may make sandboxes; the tests that need one are skipped otherwise.
let sandboxesWork: Bool = {
    if case .available = Sandbox.availability() { return true }
    return false
}()

/// A small tree made of the host's own shell and core utilities, with a fresh upper directory.
final class TestTree: Sendable {
    let directory: String
    let lower: String
    let upper: String
    let work: String

    private static let tools = [
        "sh", "cat", "ls", "mkdir", "rm", "mv", "ln", "sleep", "true", "readlink", "stat", "head", "sync", "uname", "chmod", "touch",
        "env", "kill", "tr", "dd", "mknod", "ps", "wc", "seq", "perl", "setsid", "id", "rmdir", "sort",
    ]

    /// The tools and the libraries that they name, once for all tests.
    private static let base: String = {
        let directory = makeTemporaryDirectory()
        let script = """
            set -e; cd "$1"; shift
            mkdir -p usr/bin usr/sbin usr/lib usr/lib64 tmp etc; chmod 1777 tmp
            for d in bin sbin lib lib64; do ln -s usr/$d $d; done
            for tool; do
              # Not command -v: some are words of the shell too.
              path=; for d in /usr/bin /bin /usr/sbin /sbin; do [ ! -x $d/$tool ] || { path=$d/$tool; break; }; done
              [ -n "$path" ] || continue
              cp -L "$path" usr/bin/
              ldd "$path" 2>/dev/null | tr -s ' \\t' '\\n\\n' | grep ^/ | while read library; do
                mkdir -p ".${library%/*}"; [ -e ".$library" ] || cp -L "$library" ".$library"
              done
            done
            [ ! -e /usr/bin/ischroot ] || cp /usr/bin/ischroot usr/bin/
            """
        let status = host(["/bin/sh", "-c", script, "sh", directory] + tools)
        precondition(status == 0, "cannot make a tree from the host's tools")
        // The last test process to know of it removes it.
        atexit { TestTree.removeBase() }
        return directory
    }()

    private static func removeBase() { try? FileManager.default.removeItem(atPath: base) }

    init() {
        directory = makeTemporaryDirectory()
        lower = Self.base
        upper = directory + "/upper"
        work = directory + "/work"
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Another layer, empty.
    func makeLayer(_ name: String) throws -> String {
        let path = "\(directory)/\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    func sandbox(above layers: [String] = [], neutralized: [String] = [], binds: [Sandbox.Bind] = []) -> Sandbox {
        Sandbox(
            root: .init(lower: layers + [lower], upper: upper, work: work), hostname: "golden", neutralized: neutralized, binds: binds)
    }

    /// Runs a shell script and gives back its outcome and its lines.
    func run(_ script: String, in sandbox: Sandbox? = nil) throws -> (status: Outcome.Status, lines: [String]) {
        var lines = [String]()
        let outcome = try (sandbox ?? self.sandbox()).run(shell(script)) { lines.append(String(decoding: $0, as: UTF8.self)) }
        return (outcome.status, lines)
    }

    func shell(_ script: String) -> Command {
        Command(arguments: ["sh", "-c", script], environment: [("PATH", "/usr/bin:/bin"), ("LC_ALL", "C")])
    }

    /// A file of the upper directory, nil if there is none.
    func written(_ path: String) -> String? {
        try? String(contentsOfFile: upper + path, encoding: .utf8)
    }
}

func makeTemporaryDirectory() -> String {
    var template = Array("/var/tmp/sandboxing-tests-XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil)
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    chmod(path, 0o755)
    return path
}

/// Runs a program of the host and gives back its exit status.
@discardableResult
func host(_ arguments: [String]) -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: arguments[0])
    process.arguments = Array(arguments.dropFirst())
    guard (try? process.run()) != nil else { return -1 }
    process.waitUntilExit()
    return process.terminationStatus
}

func write(_ text: String, to path: String) throws {
    try FileManager.default.createDirectory(
        atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
}
