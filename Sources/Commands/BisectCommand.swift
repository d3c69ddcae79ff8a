internal import ArgumentParser
internal import Comparing
internal import Pipeline
internal import RootfsModel
internal import SystemPackage

struct BisectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bisect",
        abstract: "Find the package, kernel, overlay or setting whose change broke an image.",
        usage: "rootfs-build bisect [<recipe>] --good <side> --bad <side> (--test <command> | --boot) [<options>]",
        discussion: """
            A side is a lock or a build's folder, both of the recipe named, or a recipe of its own with its lock beside \
            it, as in another checkout. First both are built and judged; then what lies between them, halving: the \
            packages move in an order in which each set of them is complete, those that need each other together, then \
            kernel, overlays and settings. Layers that are alike are taken from the store.

            The command is run by the shell with ROOTFS_DIR, ROOTFS_IMAGE, ROOTFS_LISTING, ROOTFS_KERNEL, ROOTFS_INITRD \
            and ROOTFS_STEP set. As for git bisect run, 0 is good, 125 cannot be tested, any other up to 127 is bad, and \
            more ends it. With --boot proven is good, any other verdict is bad.

            At the end the folder has two images, good and bad, that differ in the one change, and what differs between \
            them is printed. docs/log-bisect.md has more.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions
    @OptionGroup var options: BuildOptions

    @Argument(help: ArgumentHelp("The recipe that the locks and builds are of.", valueName: "recipe"))
    var recipe: String?

    @Option(name: .long, help: ArgumentHelp("What works: a lock, a build's folder, or a recipe.", valueName: "side"))
    var good: String

    @Option(name: .long, help: ArgumentHelp("What does not.", valueName: "side"))
    var bad: String

    @Option(
        name: .long, help: ArgumentHelp("A command that ends with 0 where the image is good.", valueName: "command"))
    var test: String?

    @Flag(name: .long, help: "Judge by booting, as 'rootfs-build boot' does.")
    var boot = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "With --boot, what runs it: \(bootEngines.joined(separator: ", ")), or auto (default: auto).",
            valueName: "engine"))
    var engine: String?

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp(
            "The folder for the two images of the proof (default: out/bisect).", valueName: "directory"))
    var outputDirectory = "out/bisect"

    func validate() throws {
        if (test == nil) == !boot { throw ValidationError("Say how to tell good from bad: either --test or --boot.") }
        if let engine {
            if !boot { throw ValidationError("--engine goes with --boot.") }
            if engine != "auto", !bootEngines.contains(engine) {
                throw ValidationError("--engine takes auto, \(bootEngines.joined(separator: ", ")), not '\(engine)'.")
            }
        }
    }

    func run() async throws {
        enterUserNamespaceIfNeeded()
        let command = self
        try await output.perform { progress in
            let temporary = FilePath(environmentValue("TMPDIR") ?? "/tmp")
            var judge = BisectRequest.Test.command(command.test ?? "", environment: wholeEnvironment())
            if command.boot {
                var settings = BootSettings(
                    path: environmentValue("PATH") ?? "/usr/local/bin:/usr/bin:/bin",
                    scratch: try absolutePath(temporary.string).string, hostArchitecture: try hostArchitecture(),
                    toolVersion: toolVersion)
                settings.engine = command.engine == "auto" ? nil : command.engine
                judge = .boot(settings)
            }
            let isPlain = !command.output.json
            let report = try await bisect(
                BisectRequest(
                    recipe: command.recipe, good: (try absolutePath(command.good), command.good),
                    bad: (try absolutePath(command.bad), command.bad), test: judge,
                    directory: try absolutePath(command.outputDirectory), temporary: temporary),
                settings: try command.options.settings(progress: progress)
            ) { event in
                if isPlain { try writeToStandardOutput(Array((bisectText(event) + "\n").utf8)) }
            }
            let text = isPlain ? bisectText(report) : jsonText(report) + "\n"
            try writeToStandardOutput(Array(text.utf8))
            return .done
        }
    }
}
