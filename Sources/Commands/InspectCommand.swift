internal import ArgumentParser
internal import Comparing
internal import Glibc
internal import Pipeline
internal import RootfsModel
internal import SystemPackage

struct InspectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Look into an image or a directory.",
        discussion: """
            An image is read from its ext4 file, without mounting it and without root. Without a subcommand it says \
            what the image is.

            \(exitStatusText)
            """,
        subcommands: [Show.self, List.self, Cat.self, Extract.self], defaultSubcommand: Show.self)

    /// What every look takes: the image and how to speak.
    struct Source: ParsableArguments {
        @OptionGroup var output: OutputOptions

        @Argument(help: ArgumentHelp("An ext4 image, or a directory.", valueName: "image"))
        var image: String

        func open(_ progress: ProgressSink) throws -> InspectedTree {
            let tree = try InspectedTree(at: absolutePath(image))
            if let text = tree.leftMounted { progress(.warning("\(image): \(text)")) }
            return tree
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what an image is: packages, services, sizes, free space.",
            discussion: """
                It may also be a build's folder, a listing, a directory or a tarball. --html makes a page of it that needs \
                no network: sizes as a treemap, tables that sort and filter.

                \(exitStatusText)
                """)

        @OptionGroup var source: Source

        @Flag(name: .long, help: "Print it as an HTML page.")
        var html = false

        func validate() throws {
            if html && source.output.json { throw ValidationError("--json and --html exclude each other.") }
        }

        func run() async throws {
            let command = self
            try await command.source.output.perform { progress in
                let name = command.source.image
                let summary = try summarizeImage(
                    absolutePath(name), name: name, temporary: FilePath(environmentValue("TMPDIR") ?? "/tmp"),
                    architecture: try hostArchitecture(), warn: { progress(.warning($0)) })
                let text =
                    command.html
                    ? summary.html(json: compactJSONText(summary))
                    : command.source.output.json ? jsonText(summary) + "\n" : summary.text()
                try writeToStandardOutput(Array(text.utf8))
                return .done
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print every path as a listing (mtree).",
            discussion:
                "With --json it describes the image instead: label, size, features, number of paths.\n\n\(exitStatusText)"
        )

        @OptionGroup var source: Source

        @Argument(help: ArgumentHelp("Only this path and what is below it.", valueName: "path"))
        var path: String = "/"

        func run() async throws {
            let command = self
            try await command.source.output.perform { progress in
                let image = try command.source.open(progress)
                if command.source.output.json {
                    print(try image.description(of: command.path))
                } else {
                    try writeToStandardOutput(try image.listing(of: command.path))
                }
                return .done
            }
        }
    }

    struct Cat: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a file of the image; symbolic links are followed inside it.", discussion: exitStatusText)

        @OptionGroup var source: Source

        @Argument(help: ArgumentHelp("The file's path in the image.", valueName: "path"))
        var path: String

        func run() async throws {
            let command = self
            try await command.source.output.perform { progress in
                let image = try command.source.open(progress)
                try image.readFile(command.path) { try writeToStandardOutput($0) }
                return .done
            }
        }
    }

    struct Extract: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Copy a file or a directory out of the image.",
            discussion: """
                Modes and times are kept; owners, devices and attributes of the security and trusted classes only as root.

                \(exitStatusText)
                """)

        @OptionGroup var source: Source

        @Argument(help: ArgumentHelp("The path in the image.", valueName: "path"))
        var path: String

        @Option(
            name: [.customShort("o"), .customLong("output")],
            help: ArgumentHelp("Where to put it (default: its name, here). It must not exist.", valueName: "path"))
        var destination: String?

        func run() async throws {
            let command = self
            try await command.source.output.perform { progress in
                let image = try command.source.open(progress)
                let (copied, leftOut) = try image.extract(
                    command.path, to: command.destination.map { try absolutePath($0) })
                progress(.note(copied == 1 ? "1 path copied" : "\(copied) paths copied"))
                if leftOut > 0 {
                    progress(
                        .warning(
                            "\(leftOut == 1 ? "1 device" : "\(leftOut) devices") left out: only root can make them"))
                }
                return .done
            }
        }
    }
}

/// Writes bytes to stdout; a reader that went away ends the program quietly, as `head` expects.
func writeToStandardOutput(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
        let written = rest.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
        if written < 0 {
            if errno == EINTR { continue }
            if errno == EPIPE { throw ExitCode(ExitStatus.done.rawValue) }
            throw Failure("cannot write to stdout: \(errorText(errno))")
        }
        rest = rest.dropFirst(written)
    }
}
