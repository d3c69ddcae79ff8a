internal import ArgumentParser
internal import Pipeline
internal import RootfsModel
internal import Storage
internal import SystemPackage

struct SbomCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sbom",
        abstract: "Write an image's bill of materials: SPDX 2.3 or CycloneDX 1.6.",
        discussion: """
            Packages with version, purl, source, maintainer, licence, the digest of their .deb and what they depend on; the \
            kernel, the initrd, the overlays. Equal images have equal documents: the time in it is the image's moment. \
            docs/attestations.md has what is where.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions

    @Argument(
        help: ArgumentHelp("An ext4 image, a build's folder, a directory or a tarball.", valueName: "image"))
    var image: String

    @Option(name: .long, help: ArgumentHelp("spdx or cyclonedx.", valueName: "format"))
    var format: BillFormat

    @Flag(name: .long, help: "Tell every file, with its digest and its package.")
    var files = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The lock that the image was built with: it knows each package's archive and pool path.", valueName: "file")
    )
    var lock: String?

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("Where to write it (default: stdout).", valueName: "file"))
    var destination: String?

    func run() async throws {
        let command = self
        try await output.perform { progress in
            let bytes = try billOfMaterials(
                BillRequest(
                    image: absolutePath(command.image), name: command.image, form: command.format.form,
                    lock: try command.lock.map { try absolutePath($0) }, tellsFiles: command.files,
                    temporary: temporaryFolder(), jobs: processorCount(), architecture: try hostArchitecture(),
                    toolVersion: toolVersion))
            try writeDocument(bytes, to: command.destination, progress)
            return .done
        }
    }
}

/// The forms that a bill can be asked for in.
enum BillFormat: String, ExpressibleByArgument, CaseIterable {
    case spdx, cyclonedx

    var form: BillForm {
        switch self {
        case .spdx: .spdx
        case .cyclonedx: .cyclonedx
        }
    }
}

/// Writes a document to a file, or to stdout where none is named.
func writeDocument(_ bytes: [UInt8], to destination: String?, _ progress: ProgressSink) throws {
    guard let destination else { return try writeToStandardOutput(bytes) }
    try writeFile(bytes, to: absolutePath(destination))
    progress(.note("\(destination): \(bytes.count) bytes"))
}
