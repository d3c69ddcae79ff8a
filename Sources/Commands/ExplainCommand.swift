internal import ArgumentParser
internal import Pipeline
internal import RootfsModel

struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say what a build would make, and because of what.",
        usage: "rootfs-build explain <recipe> ... [<options>]",
        discussion: """
            Compares each recipe with the outputs of its last build, and what its lock names with the store. For every \
            stage it says fresh, or stale and the inputs that are not what they were. Builds nothing, resolves nothing \
            and asks no mirror; the options are those of the build that is meant.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions
    @OptionGroup var options: BuildOptions

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("Where the outputs are, for a single recipe (default: out/NAME).", valueName: "directory"))
    var outputDirectory: String?

    @Argument(help: ArgumentHelp("The recipes to explain.", valueName: "recipe"))
    var recipes: [String]

    func validate() throws {
        if outputDirectory != nil && recipes.count > 1 {
            throw ValidationError("-o takes one recipe: the outputs of several would share one directory.")
        }
    }

    func run() async throws {
        enterUserNamespaceIfNeeded()
        let command = self
        try await output.perform { progress in
            var settings = try command.options.settings(progress: progress)
            settings.outputDirectory = try command.outputDirectory.map { try absolutePath($0) }
            settings.outputParent = try absolutePath("out")
            let explanations = try explain(recipes: command.recipes, settings: settings)
            print(command.output.json ? jsonText(explanations) : explanations.map(text).joined(separator: "\n"))
            return .done
        }
    }
}

/// How many reasons of one stage are shown; `--json` has all.
private let longestList = 10

private func text(_ explanation: Explanation) -> String {
    let width = explanation.stages.map(\.stage.count).max() ?? 0
    var lines = ["\(explanation.name): \(explanation.fresh ? "fresh" : "stale")"]
    for stage in explanation.stages {
        let padding = String(repeating: " ", count: width - stage.stage.count)
        lines.append("  \(stage.stage)\(padding)  \(stage.fresh ? "fresh" : "stale")")
        lines += stage.because.prefix(longestList).map { "    \(text($0))" }
        let more = stage.because.count - longestList
        if more > 0 { lines.append("    and \(more) more") }
    }
    return lines.joined(separator: "\n")
}

private func text(_ reason: Reason) -> String {
    if let state = reason.state { return "\(reason.what): \(state)" }
    switch (reason.old.map(withShortDigests), reason.new.map(withShortDigests)) {
    case (let old?, let new?):
        let same = zip(old, new).prefix { $0 == $1 }.count
        return "\(reason.what): \(part(of: old, from: same)) → \(part(of: new, from: same))"
    case (nil, let new?): return "\(reason.what): new, \(part(of: new, from: 0))"
    case (let old?, nil): return "\(reason.what): gone, was \(part(of: old, from: 0))"
    case (nil, nil): return reason.what
    }
}

/// Digests by their first digits.
private func withShortDigests(_ value: String) -> String {
    value.replacing(/(sha256:[0-9a-f]{12})[0-9a-f]{52}/) { $0.output.1 }
}

/// A long text from a little before the place where it begins to differ.
private func part(of value: String, from place: Int) -> String {
    let longest = 72
    if value.count <= longest { return value }
    let start = max(0, min(place - 12, value.count - longest))
    let part = value.dropFirst(start).prefix(longest)
    return (start > 0 ? "…" : "") + part + (start + longest < value.count ? "…" : "")
}
