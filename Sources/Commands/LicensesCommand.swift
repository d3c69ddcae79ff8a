internal import ArgumentParser
internal import Attesting
internal import Pipeline
internal import RootfsModel
internal import SystemPackage

struct LicensesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "licenses",
        abstract: "Say under which licences an image's packages are.",
        discussion: """
            Reads each package's copyright file. What a machine-readable one declares is told with SPDX's names; of one \
            that is free text only the common licences it names, and the licence is NOASSERTION. \
            docs/attestations.md has how.

            \(exitStatusText)
            """)

    enum Order: String, ExpressibleByArgument, CaseIterable {
        case license, package
    }

    @OptionGroup var output: OutputOptions

    @Argument(
        help: ArgumentHelp("An ext4 image, a build's folder, a directory or a tarball.", valueName: "image"))
    var image: String

    @Option(
        name: .long, help: ArgumentHelp("What it is told by: license or package (default: license).", valueName: "what")
    )
    var by: Order?

    func validate() throws {
        if by != nil && output.json { throw ValidationError("--json and --by exclude each other.") }
    }

    func run() async throws {
        let command = self
        try await output.perform { _ in
            let report = try licences(
                of: absolutePath(command.image), name: command.image, temporary: temporaryFolder())
            let text =
                command.output.json
                ? jsonText(report) + "\n"
                : command.by == .package ? report.textByPackage() : report.textByLicence()
            try writeToStandardOutput(Array(text.utf8))
            return .done
        }
    }
}

/// Where what must be decompressed is put.
func temporaryFolder() -> FilePath { FilePath(environmentValue("TMPDIR") ?? "/tmp") }
