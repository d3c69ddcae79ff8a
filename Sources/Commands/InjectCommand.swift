internal import ArgumentParser
internal import Pipeline
internal import RootfsModel

struct InjectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inject",
        abstract: "Lay folders over an image that exists and write a new one.",
        usage: "rootfs-build inject <image> --overlay <directory> ... -o <image> [<options>]",
        discussion: """
            The new image has the same bytes as a build whose recipe has these overlays last. How the image was made \
            is read from the image.json beside it; the new one gets its own, NEW.json.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("The image to start from.", valueName: "image"))
    var image: String

    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp("A folder to lay over it (can be repeated).", valueName: "directory"))
    var overlay: [String]

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("The new image; it must not exist.", valueName: "image"))
    var destination: String

    @Option(
        name: .long,
        help: ArgumentHelp("The owner of what is laid over it (default: root:root).", valueName: "user:group"))
    var owner: String?

    @Option(
        name: .long,
        help: ArgumentHelp("The directory of the image that the folders go into (default: /).", valueName: "path"))
    var target: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("How many things to do at once (default: the processors).", valueName: "n"))
    var jobs: Int?

    func validate() throws {
        if let jobs, jobs < 1 || jobs > 1024 { throw ValidationError("--jobs takes a number from 1 to 1024.") }
        if overlay.isEmpty { throw ValidationError("--overlay names at least one folder.") }
    }

    func run() async throws {
        let command = self
        try await output.perform { progress in
            let result = try inject(
                image: absolutePath(command.image), overlays: command.overlay.map { try absolutePath($0) },
                owner: command.owner, target: command.target, to: absolutePath(command.destination),
                jobs: command.jobs ?? processorCount(), progress: progress)
            print(command.output.json ? jsonText(result) : "\(result.imageHash)  \(shownPath(result.imagePath))")
            return .done
        }
    }
}
