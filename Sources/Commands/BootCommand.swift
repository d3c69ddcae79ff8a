internal import ArgumentParser
internal import Glibc
internal import Pipeline
internal import Recipes
internal import RootfsModel
internal import SystemPackage

struct BootCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "boot",
        abstract: "Boot an image as the fleet would, and prove that every service works.",
        usage: "rootfs-build boot <image|directory|recipe> [<options>]",
        discussion: """
            Starts the image with its own kernel, initrd and arguments, follows the serial console until every service is \
            ready, watches that none dies during the soak, and shuts the machine down. It ends with a verdict: proven, or \
            what went wrong, with the lines that show it and the finding of 'rootfs-build check' that said so before. \
            boot.json and console.log go beside the image, which is never written to; image.json says whether it is proven.

            --fault shows that it would: a copy gets a known fault, and the exit status is 0 if the boot ends with that \
            fault's verdict, its cause on the console within 2 s, and the check has said so where an image shows it.

            A recipe is built first. docs/boot.md has the verdicts and the keys of boot.json. The exit status is 1 for \
            every verdict but proven.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions
    @OptionGroup var sources: SourceOptions

    @Argument(
        help: ArgumentHelp(
            "An image, a directory that a build wrote, or a recipe.", valueName: "image|directory|recipe"))
    var subject: String

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("Where a recipe's outputs go (default: out/NAME).", valueName: "directory"))
    var outputDirectory: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "What runs it: \(bootEngines.joined(separator: ", ")), or auto, the first of them that works here.",
            valueName: "engine"))
    var engine = "auto"

    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp("One more text to wait for on the console (can be repeated).", valueName: "text"))
    var expect: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp("How many seconds all may take to be ready (default: the recipe's).", valueName: "seconds"))
    var within: Int?

    @Option(
        name: .long,
        help: ArgumentHelp("How long nothing may die after that: 30s (default: the recipe's).", valueName: "duration"))
    var soak: String?

    @Option(
        name: .customLong("port"), parsing: .singleValue,
        help: ArgumentHelp(
            "A port of the guest to reach from here, at a free port or at this one (can be repeated).",
            valueName: "[host:]guest"))
    var ports: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp("Exit with 0 if this is the verdict, and with 1 for every other.", valueName: "verdict"))
    var expectFail: String?

    @Option(
        name: .customLong("fault"), parsing: .singleValue,
        help: ArgumentHelp(
            "Plant this known fault into a copy first, or each of them: all (can be repeated).", valueName: "name"))
    var faultNames: [String] = []

    @Option(name: .long, help: ArgumentHelp("The service to break (default: the last one).", valueName: "name"))
    var faultService: String?

    @Flag(name: .long, help: "Attach this terminal to the console; nothing is proven or written. Ctrl-] ends it.")
    var interactive = false

    @Flag(name: .long, help: "Leave the machine running, and print how to reach and to end it.")
    var keep = false

    func validate() throws {
        if engine != "auto", !bootEngines.contains(engine) {
            throw ValidationError(
                "--engine takes auto, \(bootEngines.joined(separator: ", ")), not '\(engine)'.")
        }
        if let within, !(1...86400).contains(within) {
            throw ValidationError("--within takes a number of seconds from 1.")
        }
        if let soak, Duration(recipeText: soak) == nil {
            throw ValidationError("--soak takes a duration such as 30s, not '\(soak)'.")
        }
        for port in ports where Self.port(port) == nil {
            throw ValidationError("--port takes a port of the guest, 8080, or two, 18080:8080, not '\(port)'.")
        }
        if let expectFail, !bootVerdicts.contains(expectFail) {
            let near = nearestName(to: expectFail, among: bootVerdicts)
            throw ValidationError(
                "There is no verdict '\(expectFail)'; "
                    + (near.map { "did you mean '\($0)'?" } ?? "they are \(bootVerdicts.joined(separator: ", ")).")
            )
        }
        if interactive, keep || output.json || expectFail != nil || !faultNames.isEmpty {
            throw ValidationError(
                "--interactive comes to no verdict: it excludes --keep, --json, --expect-fail and --fault.")
        }
        for name in faultNames where name != "all" && !faults.contains(where: { $0.name == name }) {
            let near = nearestName(to: name, among: faults.map(\.name))
            throw ValidationError(
                "There is no fault '\(name)'; "
                    + (near.map { "did you mean '\($0)'?" } ?? "docs/boot.md lists them."))
        }
        if faultNames.isEmpty, faultService != nil {
            throw ValidationError("--fault-service says which service --fault breaks, and there is no --fault.")
        }
        if !faultNames.isEmpty, keep || expectFail != nil {
            throw ValidationError(
                "--fault knows what to expect, and keeps nothing: it excludes --expect-fail and --keep.")
        }
    }

    func run() async throws {
        let path = try absolutePath(subject)
        let isRecipe = isRecipe(path)
        if isRecipe { enterUserNamespaceIfNeeded() }
        let command = self
        try await output.perform { progress in
            var settings = BootSettings(
                path: environmentValue("PATH") ?? "/usr/local/bin:/usr/bin:/bin",
                scratch: try absolutePath(environmentValue("TMPDIR") ?? "/tmp").string,
                hostArchitecture: try hostArchitecture(), toolVersion: toolVersion)
            settings.engine = command.engine == "auto" ? nil : command.engine
            settings.expect = command.expect.filter { !$0.isEmpty }
            settings.within = command.within
            settings.soakMilliseconds = command.soak.flatMap { Duration(recipeText: $0) }?.wholeMilliseconds
            settings.ports = command.ports.compactMap { Self.port($0) }
            settings.isKept = command.keep
            var image = path
            if isRecipe { image = try await command.build(progress) }
            if command.interactive { return try command.attach(image, settings) }
            if !command.faultNames.isEmpty { return try await command.plant(image, settings, progress) }
            let result = try await boot(at: image, settings, progress: progress)
            print(command.output.json ? jsonText(result) : bootText(result))
            if let reason = result.notKeptBecause { progress(.warning("nothing of this boot was kept: \(reason)")) }
            return result.record.verdict.kind == command.expectFail ?? "proven" ? .done : .negative
        }
    }

    /// Builds the recipe; gives where its outputs are.
    private func build(_ progress: @escaping ProgressSink) async throws -> FilePath {
        var settings = try sources.settings(progress: progress)
        settings.outputDirectory = try outputDirectory.map { try absolutePath($0) }
        settings.outputParent = try absolutePath("out")
        return FilePath(try await Pipeline.build(recipes: [subject], settings: settings)[0].directory)
    }

    /// Plants faults and tells how each was found.
    private func plant(
        _ image: FilePath, _ settings: BootSettings, _ progress: @escaping ProgressSink
    ) async throws -> ExitStatus {
        let names = faultNames.contains("all") ? faults.map(\.name) : faultNames
        var results = [FaultResult]()
        try await bootFaults(names, service: faultService, of: image, settings, progress: progress) { result in
            results.append(result)
            if !output.json { try writeToStandardOutput(Array((faultText(result) + "\n").utf8)) }
        }
        if output.json { print(jsonText(results)) } else { print(faultSummary(results)) }
        return results.allSatisfy { $0.isAsPromised || $0.notPlantedBecause != nil && names.count > 1 }
            ? .done : .negative
    }

    private func attach(_ image: FilePath, _ settings: BootSettings) throws -> ExitStatus {
        guard isatty(STDIN_FILENO) == 1 else {
            throw Failure("--interactive needs a terminal, and stdin is none", status: .usage)
        }
        let terminal = RawTerminal()
        defer { terminal.restore() }
        let end = try Pipeline.attach(at: image, settings, input: STDIN_FILENO, output: STDOUT_FILENO) {
            for reason in $1 { writeToStandardError("\(reason)\n") }
            for (guest, host) in $2.sorted(by: { $0.key < $1.key }) {
                writeToStandardError("the guest's port \(guest) is 127.0.0.1:\(host)\n")
            }
            writeToStandardError("running under \($0); Ctrl-] shuts it down, twice stops it at once\n")
            terminal.enter()
        }
        terminal.restore()
        writeToStandardError(
            (end.messages + ["the machine has ended: \(end.shutdown)"]).map { "\n" + $0 }.joined() + "\n")
        return .done
    }

    private static func port(_ text: String) -> (guest: UInt16, host: UInt16?)? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt16($0) }
        guard (1...2).contains(parts.count), parts.allSatisfy({ $0 ?? 0 > 0 }), let guest = parts.last ?? nil else {
            return nil
        }
        return (guest, parts.count == 2 ? parts[0] : nil)
    }
}
