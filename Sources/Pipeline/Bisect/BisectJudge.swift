internal import RootfsModel
internal import Storage
internal import SystemPackage

/// Says of an image whether it is good.
struct BisectJudge {
    let test: BisectRequest.Test
    let progress: ProgressSink

    /// - Throws: where the test itself does not work.
    func judge(
        _ directory: FilePath, recipe: String, step: Int
    ) async throws -> (verdict: BisectSearch.Verdict, because: String) {
        switch test {
        case .boot(let settings):
            let verdict = try await boot(at: directory, settings, progress: progress).record.verdict
            if verdict.kind == "proven" { return (.good, verdict.kind) }
            return (.bad, "\(verdict.kind): \(verdict.summary)")
        case .command(let command, let environment):
            let end = try runShellCommand(
                command, environment: environment + Self.variables(directory, recipe: recipe, step: step))
            switch end {
            case .exited(0): return (.good, "exit status 0")
            case .exited(125): return (.skipped, "exit status 125")
            case .exited(let status) where status < 128: return (.bad, "exit status \(status)")
            case .exited(let status):
                throw Failure(
                    "the test ended with exit status \(status), which says neither good nor bad",
                    hint: "0 is good, 125 cannot be tested, anything else up to 127 is bad")
            case .killed(let signal):
                throw Failure("the test was ended by signal \(signal), which says neither good nor bad")
            }
        }
    }

    /// What says to a command where the image is.
    private static func variables(_ directory: FilePath, recipe: String, step: Int) -> [String] {
        var variables = [
            "ROOTFS_DIR=\(directory)", "ROOTFS_IMAGE=\(directory.appending("\(recipe).ext4"))",
            "ROOTFS_LISTING=\(directory.appending("\(recipe).listing"))", "ROOTFS_STEP=\(step)",
        ]
        for (name, files) in [("ROOTFS_KERNEL", ["vmlinux", "Image"]), ("ROOTFS_INITRD", ["initrd"])] {
            if let file = files.first(where: { exists(directory.appending($0)) }) {
                variables.append("\(name)=\(directory.appending(file))")
            }
        }
        return variables
    }
}
