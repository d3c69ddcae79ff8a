internal import ArgumentParser
internal import Pipeline
internal import RootfsModel
internal import Storage
internal import SystemPackage

struct BuildCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build",
        abstract: "Build the images of recipes; what is done without a subcommand.",
        usage: "rootfs-build [build] <recipe> ... [<options>]",
        discussion: """
            For each recipe it writes out/NAME/ with NAME.ext4, vmlinux, initrd, NAME.listing, image.json, \
            firecracker.json, check.json and build.json, put in place together at the end, and prints the image's \
            SHA-256 and path. Where 'rootfs-build check' would find an error in the image, none of them is written.

            The first build of a recipe writes its lock beside it, later ones follow the lock. Layers and downloads \
            are kept in the store; what is there is not made again.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions
    @OptionGroup var options: BuildOptions

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("Where the outputs go, for a single recipe (default: out/NAME).", valueName: "directory")
    )
    var outputDirectory: String?

    @Flag(name: .long, help: "Refuse what no lock or recipe pins, before anything is built.")
    var strict = false

    @Flag(name: .customLong("no-check"), help: "Write the image also where the check finds errors in it.")
    var acceptsFindings = false

    @Flag(name: .long, help: "When a maintainer script fails, open a shell in the sandbox at that point.")
    var shellOnFailure = false

    @Flag(name: .long, help: "Print on stderr, at the end, when each stage ran, what it cost and what it waited for.")
    var timings = false

    @Argument(help: ArgumentHelp("The recipes to build.", valueName: "recipe"))
    var recipes: [String] = []

    func validate() throws {
        if recipes.isEmpty { throw ValidationError("Name at least one recipe: rootfs-build <recipe> ...") }
        if outputDirectory != nil && recipes.count > 1 {
            throw ValidationError("-o takes one recipe: the outputs of several would share one directory.")
        }
        // The default command takes any word for a recipe's path, so a misspelt subcommand arrives here.
        let commands = RootfsBuild.configuration.subcommands.compactMap { $0.configuration.commandName }
        if let word = recipes.first, !exists(FilePath(word)), let near = nearestName(to: word, among: commands) {
            throw ValidationError("There is no recipe and no subcommand '\(word)'; did you mean '\(near)'?")
        }
    }

    func run() async throws {
        enterUserNamespaceIfNeeded()
        let command = self
        try await output.perform { progress in
            var settings = try command.options.settings(progress: progress)
            settings.subcommands = RootfsBuild.configuration.subcommands.compactMap { $0.configuration.commandName }
            settings.isStrict = command.strict
            settings.acceptsFindings = command.acceptsFindings
            settings.shellOnFailure = command.shellOnFailure
            settings.outputDirectory = try command.outputDirectory.map { try absolutePath($0) }
            settings.outputParent = try absolutePath("out")
            var results = [BuildResult]()
            // Those that were built are told of even if another fails.
            defer {
                if command.output.json && !results.isEmpty { print(jsonText(results)) }
                if command.timings {
                    let builds = results.map { (recipe: FilePath($0.recipe).stem ?? $0.recipe, stages: $0.stages) }
                    writeToStandardError(timingChart(builds, width: terminalWidth()))
                }
            }
            let isPlain = !command.output.json
            _ = try await build(recipes: command.recipes, settings: settings) { result in
                if isPlain { print("\(result.imageHash)  \(shownPath(result.imagePath))") }
                results.append(result)
            }
            return .done
        }
    }
}
