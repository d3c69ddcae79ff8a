internal import ArgumentParser
internal import Nightly
internal import Pipeline
internal import Recipes
internal import RootfsModel
internal import SystemPackage

struct NightlyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nightly",
        abstract: "Update, build, prove, compare and decide: an image every night, unattended.",
        usage: "rootfs-build nightly <recipe> ... [--allow <moves>] [--again] [--report <directory>] [<options>]",
        discussion: """
            Updates each recipe's lock without touching it. Where nothing moved nothing is built. Else the image is built \
            aside, checked, booted and compared with the last good one, and the recipe's 'nightly:' says what it has to \
            pass. Only then lock and outputs are replaced, together; otherwise the last good image stays, and the attempt \
            is kept aside with its evidence, in out/NAME.nights, where nightly.json has every gate's decision and reason.

            It can be killed anywhere and simply be run again. docs/nightly.md has the gates and the files. The exit \
            status is 1 if a recipe has no new image although something moved.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions
    @OptionGroup var options: BuildOptions

    @Option(
        name: .long,
        help: ArgumentHelp(
            "What may move, instead of what the recipe says: "
                + "\(Recipe.Nightly.Moves.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "moves"))
    var allow: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Where each night's reports go, instead of where the recipe says.", valueName: "directory"))
    var report: String?

    @Flag(name: .long, help: "Build again what was refused before and is the same still.")
    var again = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "What runs the machine: \(bootEngines.joined(separator: ", ")), or auto, the first of them that works here.",
            valueName: "engine"))
    var engine = "auto"

    @Option(
        name: .long, help: ArgumentHelp("How often what fails is tried again in the same night.", valueName: "n"))
    var retries = 2

    @Option(name: .long, help: ArgumentHelp("How long it waits before that: 60s, 10min.", valueName: "duration"))
    var retryAfter = "60s"

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Where an image is built twice, if the recipe asks for that (default: $TMPDIR, else /var/tmp).",
            valueName: "directory"))
    var work: String?

    @Argument(help: ArgumentHelp("The recipes, each decided alone.", valueName: "recipe"))
    var recipes: [String]

    func validate() throws {
        if let allow, Recipe.Nightly.Moves(rawValue: allow) == nil {
            throw ValidationError(
                "--allow takes \(Recipe.Nightly.Moves.allCases.map(\.rawValue).joined(separator: ", ")), not '\(allow)'."
            )
        }
        if engine != "auto", !bootEngines.contains(engine) {
            throw ValidationError("--engine takes auto, \(bootEngines.joined(separator: ", ")), not '\(engine)'.")
        }
        if !(0...100).contains(retries) { throw ValidationError("--retries takes a number from 0 to 100.") }
        if Duration(recipeText: retryAfter) == nil {
            throw ValidationError("--retry-after takes a duration such as 60s, not '\(retryAfter)'.")
        }
    }

    func run() async throws {
        enterUserNamespaceIfNeeded()
        let command = self
        try await output.perform { progress in
            let settings = try command.settings(progress)
            var records = [NightRecord]()
            defer { if command.output.json && !records.isEmpty { print(jsonText(records)) } }
            let isPlain = !command.output.json
            _ = try await nightly(recipes: command.recipes, settings: settings) { record, directory in
                records.append(record)
                if isPlain { print(nightText(record, directory)) }
            }
            return records.allSatisfy(\.succeeded) ? .done : .negative
        }
    }

    private func settings(_ progress: @escaping ProgressSink) throws -> NightSettings {
        var build = try options.settings(progress: progress)
        build.outputParent = try absolutePath("out")
        let scratch = try absolutePath(environmentValue("TMPDIR") ?? "/tmp")
        var boot = BootSettings(
            path: environmentValue("PATH") ?? "/usr/local/bin:/usr/bin:/bin", scratch: scratch.string,
            hostArchitecture: build.hostArchitecture, toolVersion: toolVersion)
        boot.engine = engine == "auto" ? nil : engine
        var settings = NightSettings(
            build: build, boot: boot, reproduction: try reproduction(of: build, work: work), temporary: scratch)
        settings.allow = allow.flatMap { Recipe.Nightly.Moves(rawValue: $0) }
        settings.report = try report.map { try absolutePath($0) }
        settings.isAgain = again
        settings.retries = retries
        settings.retryAfter = (Duration(recipeText: retryAfter)?.wholeMilliseconds ?? 0) / 1000
        return settings
    }
}

/// A night for people: the decision first, then what there is to look at.
func nightText(_ record: NightRecord, _ directory: FilePath) -> String {
    var lines = ["\(record.decision.rawValue)  \(record.name): \(record.because)"]
    switch record.decision {
    case .unchanged: break
    case .accepted:
        let image = directory.removingLastComponent().appending(record.name).appending("\(record.name).ext4")
        if let hash = record.figures?.imageHash { lines.append("  \(hash)  \(shownPath(image.string))") }
    case .refused, .failed:
        lines.append("  the last good image stays")
    }
    lines += record.moved.prefix(20).map { "  \($0.text)" }
    if record.moved.count > 20 { lines.append("  and \(record.moved.count - 20) more") }
    lines += record.waiting.prefix(20).map { "  waits for a person: \($0.text)" }
    if let version = record.version, record.decision != .unchanged {
        lines.append("  see \(shownPath(directory.appending(version).string))")
    }
    return lines.joined(separator: "\n")
}
