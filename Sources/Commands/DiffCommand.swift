internal import ArgumentParser
internal import Comparing
internal import Pipeline
internal import RootfsModel
internal import SystemPackage

struct DiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Say what changed between two images, why, and which services it concerns.",
        usage: "rootfs-build diff <old> <new> [<path> ...] [<options>]",
        discussion: """
            Each side is an ext4 image (also .zst), a build's folder, a listing, a lock, a directory or a tarball; they \
            may be of different kinds. Nothing is mounted and nothing run. Files are told by their causes: a package's \
            new version, an overlay, a setting of the recipe, what scripts made of them. What none explains comes last.

            An image that nobody touched since its build is compared by the digests of the listing beside it; \
            --paranoid reads everything. Paths limit the comparison to them and what is below them; * and ? are \
            wildcards. docs/diff.md has the sections, docs/diff.schema.json the form of the JSON.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("What was.", valueName: "old"))
    var old: String

    @Argument(help: ArgumentHelp("What is.", valueName: "new"))
    var new: String

    @Argument(help: ArgumentHelp("Only these paths and what is below them.", valueName: "path"))
    var paths: [String] = []

    @Option(
        name: .customLong("path"), parsing: .singleValue,
        help: ArgumentHelp("Likewise a path, or a pattern with * and ? (can be repeated).", valueName: "glob"))
    var patterns: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp("How to tell it: \(DiffFormat.names) (default: text).", valueName: "format"))
    var format: DiffFormat?

    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp(
            "Only this section: \(Comparison.Section.allCases.map(\.rawValue).joined(separator: ", ")) (can be repeated).",
            valueName: "section"))
    var only: [String] = []

    @Flag(name: .long, help: "Tell counts, no patches.")
    var stat = false

    @Flag(name: .long, help: "Tell all patches and changelogs whole, also of texts that are no configuration.")
    var patch = false

    @Flag(name: .customLong("exit-code"), help: "Exit with 1 if anything differs.")
    var exitCode = false

    @Flag(name: .long, help: "Read all contents, whatever records and listings say.")
    var paranoid = false

    private var sections: Set<Comparison.Section>? {
        only.isEmpty ? nil : Set(only.flatMap { $0.split(separator: ",") }.compactMap { .init(rawValue: String($0)) })
    }

    func validate() throws {
        if stat && patch { throw ValidationError("--stat and --patch exclude each other.") }
        if output.json, let format, format != .json { throw ValidationError("--json and --format exclude each other.") }
        for name in only.flatMap({ $0.split(separator: ",") }) where Comparison.Section(rawValue: String(name)) == nil {
            throw ValidationError(
                "--only takes \(Comparison.Section.allCases.map(\.rawValue).joined(separator: ", ")), not '\(name)'.")
        }
    }

    func run() async throws {
        let command = self
        try await output.perform { progress in
            let format: DiffFormat = command.format ?? (command.output.json ? .json : .text)
            var options = ComparisonOptions(
                sections: command.sections, patchesAll: command.patch,
                includes: pathFilter(command.paths + command.patterns))
            // A page has room for them, and looks into folders step by step.
            if format == .html { options.folderDepth = 5 }
            let comparison = try compareImages(
                ComparisonRequest(
                    old: (try absolutePath(command.old), command.old),
                    new: (try absolutePath(command.new), command.new),
                    options: options, isParanoid: command.paranoid,
                    temporary: FilePath(environmentValue("TMPDIR") ?? "/tmp"),
                    jobs: processorCount(), architecture: try hostArchitecture()))
            let detail: Comparison.Detail = command.stat ? .stat : command.patch ? .patch : .normal
            try writeToStandardOutput(Array(format.bytes(of: comparison, detail).utf8))
            return command.exitCode && !comparison.isIdentical ? .negative : .done
        }
    }
}

/// The forms that a comparison can have.
enum DiffFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json, markdown, html

    static let names = allCases.map(\.rawValue).joined(separator: ", ")

    func bytes(of comparison: Comparison, _ detail: Comparison.Detail) -> String {
        switch self {
        case .text: comparison.text(detail)
        case .json: jsonText(comparison) + "\n"
        case .markdown: comparison.markdown()
        case .html: comparison.html(json: compactJSONText(comparison), detail)
        }
    }
}

/// Whether a path is one of these or below one; nil where none is named. A pattern is of the whole path.
func pathFilter(_ texts: [String]) -> (@Sendable (TreePath) -> Bool)? {
    if texts.isEmpty { return nil }
    let patterns = texts.filter { $0.contains("*") || $0.contains("?") }.map { Array($0.drop { $0 == "/" }.utf8) }
    let folders = texts.filter { !$0.contains("*") && !$0.contains("?") }.compactMap { TreePath(normalizing: $0) }
    return { path in
        folders.contains { path.isWithin($0) } || patterns.contains { path.bytes.matches(wildcards: $0) }
    }
}
