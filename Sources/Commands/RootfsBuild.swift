public import ArgumentParser
internal import Glibc
internal import RootfsModel

/// The program's version, also part of every build key.
let toolVersion = "0.1.0"

/// The exit statuses, shown in every command's help.
let exitStatusText = """
    Exit status: 0 done; 1 it worked and the answer is no (a failed boot, a damaged store); 2 failure; 64 \
    wrong command line; 130 interrupted.
    """

/// The program's root command.
public struct RootfsBuild: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "rootfs-build",
        abstract: "Build golden root file system images for microVMs, bit for bit reproducible.",
        usage: """
            rootfs-build [build] <recipe> ... [-o, --output <directory>]
                         [--mirror <url>] [--package-dir <directory>] [--offline] [--cache <directory>]
                         [--set <name=value>] [--keep <rule>] [-j, --jobs <n>] [--json]
                         [-q, --quiet] [-v, --verbose] [--strict] [--no-check] [--shell-on-failure] [--timings]
            rootfs-build <subcommand> ...
            """,
        discussion: """
            A recipe names packages, a kernel, overlays, users and services. The build writes an ext4 image, the \
            kernel and initrd that boot it, a listing of every path and a Firecracker configuration to out/NAME/.

            Building is what it does without a subcommand; 'rootfs-build build --help' explains the options.

            \(exitStatusText)
            """,
        version: toolVersion,
        subcommands: [
            BuildCommand.self, LockCommand.self, ExplainCommand.self, InspectCommand.self, InjectCommand.self,
            DiffCommand.self, LogCommand.self, CheckCommand.self, VerifyCommand.self, ReproduceCommand.self,
            BootCommand.self, BisectCommand.self, NightlyCommand.self, AutopsyCommand.self, KernelCommand.self,
            CacheCommand.self, SchemaCommand.self, LicensesCommand.self, SbomCommand.self, ProvenanceCommand.self,
            SignCommand.self, MatrixCommand.self,
        ],
        defaultSubcommand: BuildCommand.self)

    public init() {}

    /// Parses the arguments, runs the command and ends the process.
    ///
    /// Not by exit(3): what libraries have registered for the end (OpenSSL's cleanup) would free what threads that are
    /// about to end still hold, and now and then the process would crash after all its work was done.
    public static func start() async -> Never {
        var status = ExitStatus.done.rawValue
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            status = exitCode(for: error).rawValue
            let text = fullMessage(for: error)
            if !text.isEmpty, status == ExitStatus.done.rawValue { print(text) }
            if !text.isEmpty, status != ExitStatus.done.rawValue { writeToStandardError(text + "\n") }
        }
        fflush(nil)
        _exit(status)
    }
}
