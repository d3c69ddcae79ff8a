internal import ArgumentParser
internal import Pipeline
internal import RootfsModel

struct MatrixCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "matrix",
        abstract: "Print recipes times architectures, as the matrix of a CI system.",
        discussion: """
            A recipe that names its architecture is for that one alone. --json is one line that a workflow reads as its \
            matrix: {"include":[{"architecture":…,"name":…,"recipe":…}]}.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("The recipes.", valueName: "recipe"))
    var recipes: [String]

    @Option(
        name: .long,
        help: ArgumentHelp("The architectures, with commas between them (default: the host's).", valueName: "names"))
    var arch: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Only the i-th of n parts. A row's part comes from a digest of its name and architecture, so it stays where it is when others come or go.",
            valueName: "i/n"))
    var shard: String?

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp("Give a variable of the recipes another value (can be repeated).", valueName: "name=value"))
    var assignments: [String] = []

    func validate() throws {
        if let shard, RecipeMatrix.Shard(shard) == nil {
            throw ValidationError(
                "--shard takes i/n, such as 1/3, with i from 1 to n and n up to 1000, not '\(shard)'.")
        }
        for assignment in assignments where !assignment.dropFirst().contains("=") || assignment.hasPrefix("=") {
            throw ValidationError("--set takes name=value, not '\(assignment)'.")
        }
    }

    func run() async throws {
        let command = self
        try await output.perform { _ in
            let names = try command.arch?.split(separator: ",").map(String.init) ?? [hostArchitecture()]
            let matrix = try RecipeMatrix(
                recipes: command.recipes, architectures: names,
                variables: command.assignments.map { assignment in
                    let parts = assignment.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                    return (String(parts[0]), String(parts[1]))
                }, shard: command.shard.flatMap { RecipeMatrix.Shard($0) })
            if command.output.json {
                print(compactJSONText(matrix))
            } else {
                for row in matrix.include { print("\(row.name) \(row.architecture) \(row.recipe)") }
            }
            return .done
        }
    }
}
