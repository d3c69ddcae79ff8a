internal import RootfsModel
internal import Storage
internal import SystemPackage

/// What a program of the host finds wrong with a file system that it does not change; nil where the host has none.
func hostFileSystemCheck(of image: FilePath) throws -> (program: String, problems: [String])? {
    let places: [FilePath] = ["/usr/sbin/e2fsck", "/sbin/e2fsck"]
    guard let program = places.first(where: { exists($0) }) else { return nil }
    let scratch = try TemporaryDirectory(beside: "/tmp/rootfs-build-e2fsck")
    let (output, errors) = (scratch.path.appending("output"), scratch.path.appending("errors"))
    let end = try runProgram(
        program, ["-fn", image.string], environment: ["LC_ALL=C"], output: output, errors: errors)
    let text = String(decoding: try readFile(at: output) + readFile(at: errors), as: UTF8.self)
    // The passes and the summary say nothing of the image's state, and neither does what it asks and answers itself.
    let remarks = text.split(separator: "\n").map(String.init).filter {
        !$0.hasPrefix("e2fsck ") && !$0.hasPrefix("Pass ") && !$0.contains(" files (")
    }
    if end == .exited(0) && remarks.isEmpty { return ("e2fsck", []) }
    return ("e2fsck", remarks.isEmpty ? ["it ended with \(end)"] : remarks)
}
