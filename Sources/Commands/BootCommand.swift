internal import ArgumentParser
internal import Glibc
internal import Pipeline
internal import RootfsModel

struct BootCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "boot",
        abstract: "Boot what a build wrote under QEMU and wait for what it must say.",
        usage: "rootfs-build boot <directory> [<options>]",
        discussion: """
            Starts the image with its own kernel and initrd and reads the serial console until every expected text was \
            seen: the recipe's, and those given with --expect. The image is not written to.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("A directory that a build wrote.", valueName: "directory"))
    var directory: String

    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp("One more text to wait for (can be repeated).", valueName: "text"))
    var expect: [String] = []

    @Option(name: .long, help: ArgumentHelp("How many seconds to wait (default: the recipe's).", valueName: "seconds"))
    var within: Int?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How to run the guest: tcg (emulated), kvm, or auto: kvm where a short probe shows that it works.",
            valueName: "how"))
    var accel: String = "tcg"

    func validate() throws {
        if !["tcg", "kvm", "auto"].contains(accel) {
            throw ValidationError("--accel takes tcg, kvm or auto, not '\(accel)'.")
        }
        if let within, within < 1 { throw ValidationError("--within takes a number of seconds from 1.") }
    }

    func run() async throws {
        let command = self
        try await output.perform { progress in
            let report = try boot(
                directory: absolutePath(command.directory), expect: command.expect, within: command.within,
                accel: command.accel, showConsole: !command.output.quiet, progress: progress)
            if command.output.json { print(jsonText(report)) }
            if let failure = report.failure { throw failure }
            return .done
        }
    }
}
