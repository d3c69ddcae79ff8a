public import ArgumentParser
internal import Glibc
internal import RootfsModel

/// The program's version, also part of every build key.
let toolVersion = "0.1.0"

/// The exit statuses, shown in every command's help.
let exitStatusText = """
    Exit status: 0 done; 1 it worked and the answer is no (a boot that failed); 2 failure; 64 wrong command \
    line; 130 interrupted.
    """

/// The program's root command.
public struct RootfsBuild: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "rootfs-build",
        abstract: "Build golden root file system images for microVMs, bit for bit reproducible.",
        usage: """
            rootfs-build RECIPE… [options]
            rootfs-build SUBCOMMAND …
            """,
        discussion: """
            A recipe names packages, a kernel, overlays, users and services; the build writes an ext4 image, its \
            kernel and initrd, a listing of every path and a Firecracker configuration to out/NAME/.

            \(exitStatusText)
            """,
        version: toolVersion,
        subcommands: [
            BuildCommand.self, LockCommand.self, InspectCommand.self, InjectCommand.self, BootCommand.self,
            KernelCommand.self, SchemaCommand.self,
        ],
        defaultSubcommand: BuildCommand.self)

    public init() {}

    /// The program: the main thread waits for signals, all else runs on others.
    ///
    /// Not an asynchronous `main`: its main thread ends up waiting with no signal blocked, and would die of the first.
    public static func start() -> Never {
        Interruption.block()
        Task.detached {
            await main()
            Glibc.exit(ExitStatus.done.rawValue)
        }
        Interruption.wait()
    }
}
