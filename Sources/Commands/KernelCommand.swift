internal import ArgumentParser
internal import Pipeline
internal import RootfsModel

struct KernelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernel", abstract: "Take kernels apart.", discussion: exitStatusText, subcommands: [Extract.self])

    struct Extract: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take the ELF kernel out of a bzImage.",
            usage: "rootfs-build kernel extract <bzimage> -o <vmlinux> [<options>]",
            discussion: """
                Reads the boot header and decompresses the payload: gzip, bzip2, lzma, xz, lz4, zstd or lzo. Prints \
                the kernel's SHA-256 and path.

                \(exitStatusText)
                """)

        @OptionGroup var output: OutputOptions

        @Argument(help: ArgumentHelp("The bzImage.", valueName: "bzimage"))
        var image: String

        @Option(
            name: [.customShort("o"), .customLong("output")],
            help: ArgumentHelp("Where to write the ELF kernel.", valueName: "vmlinux"))
        var destination: String

        @Option(
            name: .long,
            help: ArgumentHelp("The architecture it must be for, by Debian's name (default: any).", valueName: "name"))
        var architecture: String?

        func run() async throws {
            let command = self
            try await output.perform { progress in
                let report = try await extractKernel(
                    from: absolutePath(command.image), to: absolutePath(command.destination),
                    architecture: command.architecture)
                print(command.output.json ? jsonText(report) : "\(report.digest)  \(shownPath(report.path))")
                if !command.output.json { progress(.note("\(report.version), \(report.payload) payload")) }
                return .done
            }
        }
    }
}
