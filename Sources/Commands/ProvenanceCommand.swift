internal import ArgumentParser
internal import Pipeline
internal import RootfsModel
internal import SystemPackage

struct ProvenanceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "provenance",
        abstract: "State how a build's outputs were made: in-toto, SLSA provenance v1.",
        discussion: """
            Says what image.json and build.json know: the outputs, the recipe and its settings, every package by its \
            digest, the overlays, the program. With the lock also the archives and each package's place in them. \
            docs/attestations.md has the members.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("A directory that a build wrote.", valueName: "directory"))
    var directory: String

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The lock that it was built with: it knows each package's archive and pool path.", valueName: "file"))
    var lock: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Who built, as a URI that you answer for (default: this program, wherever it ran).", valueName: "uri"))
    var builder: String?

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("Where to write it (default: stdout).", valueName: "file"))
    var destination: String?

    func validate() throws {
        if let builder, !builder.contains(":") || builder.contains(where: \.isWhitespace) {
            throw ValidationError("--builder takes a URI, not '\(builder)'.")
        }
    }

    func run() async throws {
        let command = self
        try await output.perform { progress in
            let bytes = try provenance(
                of: absolutePath(command.directory), lock: try command.lock.map { try absolutePath($0) },
                builder: command.builder)
            try writeDocument(bytes, to: command.destination, progress)
            return .done
        }
    }
}
