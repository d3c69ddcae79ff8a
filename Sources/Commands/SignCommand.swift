internal import ArgumentParser
internal import Pipeline
internal import RootfsModel
internal import SystemPackage

struct SignCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign",
        abstract: "Sign an image with an SSH key.",
        discussion: """
            Looks whether the outputs are those that image.json names, and signs it with ssh-keygen: image.json has the \
            digest of every output, so this one signature covers them all. It goes beside it, into image.json.sig. What a \
            boot adds to image.json later is not part of it and does not break it. 'rootfs-build verify --signature' \
            checks it.

            \(exitStatusText)
            """)

    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("A directory that a build wrote, or an image.", valueName: "image"))
    var image: String

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The private key, or a public key whose private half the ssh-agent has.", valueName: "file"))
    var key: String

    func run() async throws {
        let command = self
        try await output.perform { progress in
            let result = try signImage(
                at: absolutePath(command.image), key: absolutePath(command.key), with: secureShellKeys())
            print(
                command.output.json
                    ? jsonText(result) : "\(shownPath(result.signature)): \(result.key), \(result.outputs.count) files")
            if !result.notSigned.isEmpty { progress(.note("not signed: \(result.notSigned.joined(separator: ", "))")) }
            return .done
        }
    }
}

/// The host's ssh-keygen, with what it needs of the user's environment.
func secureShellKeys() throws(Failure) -> SecureShellKeys {
    let names = [
        "PATH", "HOME", "SSH_AUTH_SOCK", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "DISPLAY", "WAYLAND_DISPLAY", "TERM",
    ]
    let path = environmentValue("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
    return try SecureShellKeys(
        searching: path.split(separator: ":").map { FilePath(String($0)) },
        environment: names.compactMap { name in environmentValue(name).map { "\(name)=\($0)" } })
}
