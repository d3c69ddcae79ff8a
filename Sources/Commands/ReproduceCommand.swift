internal import ArgumentParser
internal import Glibc
internal import Pipeline
internal import RootfsModel
internal import SystemPackage

struct ReproduceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reproduce",
        abstract: "Build a recipe twice under other conditions and compare the outputs byte by byte.",
        usage: "rootfs-build reproduce <recipe> [<options>]",
        discussion: """
            Each build starts with an empty store; the packages are taken from the store or fetched once. The second one \
            has another clock, time zone, locale, home, user, host name, umask, number of jobs, place and order of \
            directories, where this host lets it. What was varied and what not is printed. Where the images differ, it \
            says which file or field and, for a file, which package, overlay or script made it; the exit status is 1 then.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions
    @OptionGroup var options: BuildOptions

    @Option(
        name: .long,
        help: ArgumentHelp("Where both builds work (default: $TMPDIR, else /var/tmp).", valueName: "directory"))
    var work: String?

    @Argument(help: ArgumentHelp("The recipe to build.", valueName: "recipe"))
    var recipe: String

    func run() async throws {
        enterUserNamespaceIfNeeded()
        let command = self
        try await output.perform { progress in
            let settings = try command.options.settings(progress: progress)
            let report = try await reproduce(
                recipe: command.recipe, settings: settings,
                try reproduction(of: settings, work: command.work))
            print(command.output.json ? jsonText(report) : text(report))
            return report.reproducible ? .done : .negative
        }
    }
}

/// How an image is built twice: with the options that its build has.
func reproduction(of settings: BuildSettings, work: String?) throws -> ReproduceSettings {
    var words = settings.variables.flatMap { ["--set", "\($0.0)=\($0.1)"] }
    if let mirror = settings.mirror { words += ["--mirror", mirror] }
    if settings.offline { words.append("--offline") }
    words += settings.kept.sorted().flatMap { ["--keep", $0] }
    words += settings.packageDirectories.flatMap { ["--package-dir", $0.string] }
    return ReproduceSettings(
        program: try ownProgram(), environment: wholeEnvironment(),
        work: try absolutePath(work ?? environmentValue("TMPDIR") ?? "/var/tmp"), options: words)
}

/// The file of this program.
private func ownProgram() throws(Failure) -> FilePath {
    guard let path = realpath("/proc/self/exe", nil) else {
        throw Failure("cannot find this program: \(errorText(errno))")
    }
    defer { free(path) }
    return FilePath(platformString: path)
}

private func text(_ report: ReproduceReport) -> String {
    let rows = [("varied", "first build", "second build")] + report.varied.map { ($0.what, $0.first, $0.second) }
    let widths = (rows.map(\.0.count).max() ?? 0, rows.map(\.1.count).max() ?? 0)
    func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: width - text.count) }
    var lines = rows.map { "\(padded($0.0, widths.0))  \(padded($0.1, widths.1))  \($0.2)" }
    lines += report.notVaried.map { "not varied: \($0)" }
    if report.reproducible { return (lines + ["reproducible: \(report.imageHash)"]).joined(separator: "\n") }
    let names = report.outputs.filter { $0.first != $0.second }.map(\.name)
    lines.append("not reproducible: \(names.joined(separator: ", ")) \(names.count == 1 ? "differs" : "differ")")
    for difference in report.differences {
        lines.append("  \(difference.place): \(difference.field): \(difference.first) → \(difference.second)")
        if let maker = difference.madeBy { lines.append("    \(maker)") }
    }
    if report.more > 0 { lines.append("  and \(report.more) more differences") }
    if report.consequences > 0 {
        lines.append("  \(report.consequences) more blocks of the image differ as a consequence of these")
    }
    return lines.joined(separator: "\n")
}
