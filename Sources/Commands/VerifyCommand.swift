internal import ArgumentParser
internal import Pipeline
internal import RootfsModel

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check that an image is what its build wrote, and say which path is not.",
        usage: "rootfs-build verify <image> [--against <file>] [<options>]",
        discussion: """
            Computes anew the image's SHA-256, its content hash and, where it has one, its hash tree, and checks the \
            file system with e2fsck, or by reading all of it where the host has none. It compares them with the \
            image.json and the listing beside the image. The exit status is 1 if anything is not as they say.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("An image, or a directory that a build wrote.", valueName: "image"))
    var image: String

    @Option(
        name: .long,
        help: ArgumentHelp(
            "An image.json or a listing to compare with (default: those beside the image).", valueName: "file"))
    var against: String?

    @Flag(name: .long, help: "Check also who signed it, and that all outputs are those that were signed.")
    var signature = false

    @Option(
        name: .customLong("allowed-signers"),
        help: ArgumentHelp("With --signature: who may sign, as ssh-keygen(1) has it.", valueName: "file"))
    var allowedSigners: String?

    @Option(
        name: .long,
        help: ArgumentHelp("With --signature: who must have signed (default: any of the file).", valueName: "name"))
    var identity: String?

    func validate() throws {
        if signature != (allowedSigners != nil) {
            throw ValidationError("--signature and --allowed-signers go together.")
        }
        if identity != nil && !signature { throw ValidationError("--identity goes with --signature.") }
        if against != nil && signature {
            throw ValidationError(
                "--against and --signature exclude each other: signed is the image.json beside the image.")
        }
    }

    func run() async throws {
        let command = self
        try await output.perform { progress in
            let signature = try command.allowedSigners.map { allowed in
                try checkSignature(
                    of: absolutePath(command.image), allowed: absolutePath(allowed), identity: command.identity,
                    with: secureShellKeys())
            }
            var report = try await verifyImage(
                at: absolutePath(command.image), against: command.against.map { try absolutePath($0) },
                progress: progress)
            if let signature {
                report.add(signature)
                if !signature.notSigned.isEmpty {
                    progress(.note("not signed: \(signature.notSigned.joined(separator: ", "))"))
                }
            }
            print(command.output.json ? jsonText(report) : text(report))
            return report.succeeded ? .done : .negative
        }
    }
}

/// How many paths are shown; `--json` has all.
private let mostPaths = 20

private func text(_ report: VerifyReport) -> String {
    var lines = [shownPath(report.image)]
    let width = report.checks.map(\.name.count).max() ?? 0
    for check in report.checks {
        let name = check.name + String(repeating: " ", count: width - check.name.count)
        let source = check.source.map { shownPath($0) }
        let words: String =
            switch (check.found, check.expected) {
            case (let found?, nil): found + (source.map { " (\($0))" } ?? "")
            case (let found?, let expected?) where found == expected: "\(found) as in \(source ?? "")"
            case (let found?, let expected?): "\(found) instead of \(expected) in \(source ?? "")"
            case (nil, _): "cannot be computed"
            }
        lines.append("  \(name)  \(words)")
    }
    for difference in report.differences.prefix(mostPaths) {
        switch difference.kind {
        case "added": lines.append("  \(difference.path): not in the listing")
        case "missing": lines.append("  \(difference.path): missing")
        default: lines.append("  \(difference.path): \(difference.fields.joined(separator: ", "))")
        }
    }
    if report.differences.count > mostPaths { lines.append("  and \(report.differences.count - mostPaths) more paths") }
    lines += report.problems.map { "  \($0)" }
    return lines.joined(separator: "\n")
}
