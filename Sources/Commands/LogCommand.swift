internal import ArgumentParser
internal import Comparing
internal import Pipeline
internal import RootfsModel
internal import SystemPackage

struct LogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "List the versions of images, a line each: what moved, what it closes, how large, whether proven.",
        usage: "rootfs-build log <directory|image> ... [<options>]",
        discussion: """
            Takes images, builds' folders, and folders that hold them. A line has the image's moment, when it was built, \
            the content hash, the packages added, removed and with another version since the version before of the same \
            recipe, the bytes in use, and how its last boot ended; then the CVE numbers that the changelogs of what moved \
            name. The order is \(VersionLog.order).

            What cannot be read is named at the end, the others are listed, and the exit status is 1. \
            docs/log-bisect.md has the keys of the JSON.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions

    @Argument(
        help: ArgumentHelp("Images, builds' folders, or folders that hold them.", valueName: "directory|image"))
    var subjects: [String]

    func run() async throws {
        let command = self
        try await output.perform { progress in
            let log = try listVersions(
                of: try command.subjects.map { (try absolutePath($0), $0) },
                temporary: FilePath(environmentValue("TMPDIR") ?? "/tmp"))
            let text = command.output.json ? jsonText(log) + "\n" : log.text()
            try writeToStandardOutput(Array(text.utf8))
            return log.problems.isEmpty ? .done : .negative
        }
    }
}
