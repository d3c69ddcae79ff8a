internal import ArgumentParser
internal import Pipeline
internal import RootfsModel
internal import Storage
internal import SystemPackage

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say why a service would die in the machine, without booting it.",
        usage:
            "rootfs-build check <image|directory|recipe> [--kernel <directory>] [--machine <monitor>] [--cpu <level>] [--run] [<options>]",
        discussion: """
            Reads an image, the directory of a build, the root of a tree, or what a recipe would put into its image, and \
            says for each service whether it can start: its program and what that needs, the kernel and the machine, \
            where its words go. Nothing of the image is run, unless with --run. Every build does the same and refuses errors.

            An image in a build's directory is checked with the kernel and machine beside it, and with what its recipe \
            suppresses. docs/check.md has every rule. The exit status is 1 if there is an error.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions
    @OptionGroup var options: BuildOptions

    @Argument(
        help: ArgumentHelp(
            "An image, a directory that a build wrote, a directory with a tree, or a recipe.",
            valueName: "image|directory|recipe"))
    var subject: String

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The kernel to check with: a directory with vmlinux and, where there are, config and initrd.",
            valueName: "directory"))
    var kernel: String?

    @Option(
        name: .long,
        help: ArgumentHelp("What runs it: \(CheckSettings.monitors.joined(separator: ", ")).", valueName: "monitor"))
    var machine = "firecracker"

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Its processor: a level such as x86-64-v3, or a template such as T2 (default: the architecture's least).",
            valueName: "level"))
    var cpu: String?

    @Flag(
        name: .customLong("run"),
        help:
            "Start each service's program for a moment, in a sandbox and under qemu-user with the machine's processor.")
    var isRunning = false

    @Option(name: .long, help: ArgumentHelp("How long each is run with --run.", valueName: "seconds"))
    var runFor: Int?

    @Flag(name: .long, help: "Print SARIF 2.1.0 on stdout.")
    var sarif = false

    func validate() throws {
        if sarif && output.json { throw ValidationError("--sarif and --json exclude each other.") }
        if let runFor {
            if !isRunning { throw ValidationError("--run-for goes with --run.") }
            if !(1...3600).contains(runFor) { throw ValidationError("--run-for takes a number from 1 to 3600.") }
        }
        if !CheckSettings.monitors.contains(machine) {
            throw ValidationError(
                "--machine is one of \(CheckSettings.monitors.joined(separator: ", ")), not '\(machine)'.")
        }
        let processors = CheckSettings.processors
        if let cpu, !processors.contains(where: { $0.lowercased() == cpu.lowercased() }) {
            let near = nearestName(to: cpu, among: processors).map { "; did you mean '\($0)'?" } ?? "."
            throw ValidationError(
                "There is no processor '\(cpu)'\(near) --cpu takes \(processors.joined(separator: ", ")).")
        }
    }

    func run() async throws {
        let path = try absolutePath(subject)
        let isRecipe = isRecipe(path)
        if isRecipe || isRunning { enterUserNamespaceIfNeeded() }
        let command = self
        try await output.perform { progress in
            var settings = try CheckSettings(
                kernel: command.kernel.map { try absolutePath($0) }, monitor: command.machine, cpu: command.cpu,
                hostArchitecture: hostArchitecture())
            if command.isRunning {
                settings.run = RunSettings(
                    seconds: command.runFor ?? 3, jobs: command.options.sources.jobs ?? processorCount())
            }
            let report: CheckReport
            if isRecipe {
                var build = try command.options.settings(progress: progress)
                build.outputParent = try absolutePath("out")
                report = try await checkRecipe(at: command.subject, settings, settings: build)
            } else {
                settings.store =
                    command.isRunning
                    ? try command.options.sources.store.open() : try command.options.sources.store.openExisting()
                report = try await checkImage(at: path, settings) { progress(.warning($0)) }
            }
            if command.sarif {
                print(try report.sarif(toolVersion: toolVersion))
            } else {
                print(command.output.json ? jsonText(report) : checkText(report, isVerbose: command.output.verbose))
            }
            return report.succeeded ? .done : .negative
        }
    }
}

/// Whether it is a text: an image has NULs in its first bytes, where it has room for a boot loader.
func isRecipe(_ path: FilePath) -> Bool {
    guard !isDirectory(path), exists(path), let blob = try? Blob(file: path), blob.size > 0, blob.size <= 1 << 20,
        let bytes = try? readFile(at: path)
    else { return false }
    return !bytes.contains(0)
}
