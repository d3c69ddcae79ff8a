internal import ArgumentParser
internal import Pipeline
internal import RootfsModel

struct LockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lock",
        abstract: "Resolve recipes to exact packages and write their locks, without building.",
        usage: "rootfs-build lock <recipe> ... [--update] [<options>]",
        discussion: """
            A lock stands beside its recipe and is followed by every build. One that is there is checked against the \
            recipe and left alone; with --update the recipe is resolved anew and what moved is printed.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions
    @OptionGroup var options: BuildOptions

    @Flag(name: .long, help: "Move the lock to what the archive has today, and print what moved.")
    var update = false

    @Argument(help: ArgumentHelp("The recipes to lock.", valueName: "recipe"))
    var recipes: [String]

    func run() async throws {
        let command = self
        try await output.perform { progress in
            let settings = try command.options.settings(progress: progress)
            let results = try lock(recipes: command.recipes, update: command.update, settings: settings)
            if command.output.json {
                print(jsonText(results))
            } else {
                for result in results {
                    for line in result.changes { print(line) }
                    print("\(result.lockDigest)  \(shownPath(result.lockPath))")
                }
            }
            return .done
        }
    }
}
