import Glibc
import RootfsModel

extension Sandbox {
    /// Why overlayfs cannot write to a directory's file system, found out by trying; nil where it can. The directory is
    /// a sandbox's `work`.
    ///
    /// It refuses another overlayfs (a store inside a container), network file systems, and in a user namespace
    /// whatever has no user attributes; and kernels before 5.11 have none in user namespaces.
    public static func refusalOfOverlays(in work: String) throws -> String? {
        let directory = work + "/probe"
        for path in [work, directory, directory + "/lower", directory + "/lower/d"] {
            guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw systemFailure("cannot make \(path)") }
        }
        let file = open(directory + "/lower/d/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw systemFailure("cannot write in \(directory)") }
        close(file)
        defer { try? removeTree(directory) }
        let sandbox = Sandbox(
            root: Root(lower: [directory + "/lower"], upper: directory + "/upper", work: directory + "/work"),
            hostname: "probe")
        do {
            let prepared = try PreparedRoot.prepare(sandbox.root, binds: [])
            let command = Command(arguments: ["probe"], environment: [])
            let process = try SandboxProcess.start(LaunchPlan(sandbox, prepared, command, probe: true))
            try process.release()
            var lines = OutputLines()
            let status = try process.awaitEnd(&lines, output: { _ in })
            return status == .exited(0) ? nil : "\(status)"
        } catch let failure as Failure {
            return failure.message
        }
    }
}
