internal import ArgumentParser
internal import Pipeline
internal import RootfsModel

struct LockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lock",
        abstract: "Resolve recipes to exact packages and write their locks, without building.",
        usage: "rootfs-build lock <recipe> ... [--update [<package> ...]] [<options>]",
        discussion: """
            A lock stands beside its recipe and is followed by every build. One that is there is checked against the \
            recipe and left alone; with --update the recipe is resolved anew and what moved is printed, security fixes \
            first.

            With the names of packages only these move, and what their new versions force. A word with a slash, or \
            that ends in .manifest, is a recipe; with --update any other is a package.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions
    @OptionGroup var options: BuildOptions

    @Flag(name: .long, help: "Move the lock to what the archive has today, and print what moved.")
    var update = false

    @Flag(
        name: .long, help: "With --update, fetch the new packages and print what their changelogs say of the change.")
    var changelogs = false

    @Argument(
        help: ArgumentHelp("The recipes to lock; with --update also the packages to move.", valueName: "recipe|package")
    )
    var words: [String]

    private var recipes: [String] { words.filter { !isPackage($0) } }

    private func isPackage(_ word: String) -> Bool { update && !word.contains("/") && !word.hasSuffix(".manifest") }

    func validate() throws {
        if changelogs && !update { throw ValidationError("--changelogs goes with --update.") }
        if recipes.isEmpty {
            throw ValidationError(
                "Name at least one recipe: it has a slash or ends in .manifest; other words are packages to move.")
        }
    }

    func run() async throws {
        let command = self
        try await output.perform { progress in
            let settings = try command.options.settings(progress: progress)
            let packages = command.words.filter(command.isPackage)
            let update: LockUpdate =
                !command.update ? .nothing : packages.isEmpty ? .everything : .packages(packages)
            let results = try lock(
                recipes: command.recipes, update: update, changelogs: command.changelogs, settings: settings)
            if command.output.json {
                print(jsonText(results))
            } else {
                for result in results {
                    for line in result.changes.flatMap(\.lines) { print(line) }
                    print("\(result.lockDigest)  \(shownPath(result.lockPath))")
                }
            }
            return .done
        }
    }
}
