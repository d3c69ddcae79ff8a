public import ArgumentParser

/// The program's root command.
public struct RootfsBuild: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(commandName: "rootfs-build")
    public init() {}
}
