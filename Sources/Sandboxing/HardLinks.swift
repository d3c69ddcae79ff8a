import CSandbox
import Glibc
import RootfsModel

extension Sandbox {
    /// Whether all names of a file see a write to one of them. In a user namespace overlayfs has no index, and they do
    /// not.
    public static var keepsHardLinksTogether: Bool { UserNamespace.current == .initial }

    /// Brings every name of a file with several names to `upper` if a command wrote to one of them in place.
    ///
    /// Inside a sandbox such a write is seen through all names, but `upper` shows it under those alone that were
    /// written to. After this, the names of the file are hard links there, and `upper` says by itself what changed. For
    /// overlayfs that keeps them together.
    ///
    /// - Parameter groups: The names of each file of the lower layers that has several: absolute paths inside, without
    /// symbolic links.
    public func settleHardLinks(_ groups: [[String]]) throws {
        let paths = groups.filter { $0.count > 1 && $0.contains(where: wasCopiedUp) }.flatMap { $0 }
        guard !paths.isEmpty else { return }
        let prepared = try PreparedRoot.prepare(root, binds: [])
        var bare = self
        bare.binds = []
        bare.neutralized = []
        let nothing = Command(arguments: ["copy up"], environment: [])
        let process = try SandboxProcess.start(LaunchPlan(bare, prepared, nothing, copiedUp: paths))
        try process.release()
        var lines = OutputLines()
        let status = try process.awaitEnd(&lines, output: { _ in })
        guard status == .exited(0) else { throw Failure("cannot copy files to \(root.upper): \(status)") }
    }

    /// Written to in place, or removed or renamed, which may have come after a write.
    private func wasCopiedUp(_ path: String) -> Bool {
        var information = stat()
        guard lstat(root.upper + path, &information) == 0 else { return false }
        // A file that a rename put there is a new one and says nothing of the old one's other names.
        return switch information.st_mode & S_IFMT {
        case S_IFREG: csandbox_has_attribute(root.upper + path, "trusted.overlay.origin") != 0
        case S_IFCHR: information.st_rdev == 0
        default: false
        }
    }
}
