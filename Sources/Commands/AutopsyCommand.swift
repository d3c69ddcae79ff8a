internal import ArgumentParser
internal import Pipeline
internal import RootfsModel
internal import SystemPackage

struct AutopsyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "autopsy",
        abstract: "Say how services died, from the disk of a machine that is stopped.",
        usage: "rootfs-build autopsy <image> [--golden <image|directory|listing>] [<options>]",
        discussion: """
            Reads the flight record that the supervisor keeps in the image: for each service its last five deaths, with \
            what was run, how it ended, what that means and its last lines. Beside them: the files that were changed \
            since the golden image, and what 'check' says of the disk as it is, each finding with the death that it \
            explains.

            The disk is never changed. What its journal holds is read as if it were in place. The exit status is 1 if \
            a death was recorded.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions
    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("The disk: an ext4 image.", valueName: "image"))
    var image: String

    @Option(
        name: .long,
        help: ArgumentHelp(
            "What the disk began as: an image, its listing, or the directory of its build (default: the listing beside it).",
            valueName: "image|directory|listing"))
    var golden: String?

    func run() async throws {
        let command = self
        try await output.perform { progress in
            let settings = try CheckSettings(
                hostArchitecture: hostArchitecture(), store: command.store.openExisting())
            let report = try await autopsy(
                of: absolutePath(command.image), golden: command.golden.map { try absolutePath($0) }, settings,
                progress: progress)
            print(command.output.json ? jsonText(report) : autopsyText(report, isVerbose: command.output.verbose))
            return report.deathCount == 0 ? .done : .negative
        }
    }
}
