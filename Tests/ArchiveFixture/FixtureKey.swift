import Glibc
import RootfsModel
import Storage
public import SystemPackage

/// A throw-away OpenPGP key; its home, its agent and its keyrings go away with the value.
public final class FixtureKey: Sendable {
    /// The public key, binary and armored.
    public let keyring: FilePath
    public let armored: FilePath
    private let directory: FixtureDirectory
    private let time: [String]

    /// Whether this host has gpg.
    public static let isPossible = access("/usr/bin/gpg", X_OK) == 0 && access("/usr/bin/gpgconf", X_OK) == 0

    /// - Parameters:
    ///   - time: when it is made and signs, as gpg has it (`20400101T000000`); nil: now.
    ///   - lifetime: `1d`, or `never`.
    public init(at time: String? = nil, lifetime: String = "never") throws {
        self.time = time.map { ["--faked-system-time", $0] } ?? []
        let directory = try FixtureDirectory("key")
        self.directory = directory
        self.keyring = directory.path.appending("keyring.gpg")
        self.armored = directory.path.appending("keyring.asc")
        try gpg(["--quick-generate-key", "Fixture <fixture@example.org>", "ed25519", "sign", lifetime])
        try gpg(["--output", keyring.string, "--export"])
        try gpg(["--output", armored.string, "--armor", "--export"])
    }

    deinit {
        _ = try? run("/usr/bin/gpgconf", ["--homedir", directory.path.string, "--kill", "all"], in: directory.path)
    }

    /// The text, clear-signed as an InRelease file is.
    public func clearSigned(_ text: [UInt8]) throws -> [UInt8] {
        let work = try FixtureDirectory("sign")
        let plain = work.path.appending("Release")
        let signed = work.path.appending("InRelease")
        try writeFile(text, to: plain)
        try gpg(["--digest-algo", "SHA512", "--output", signed.string, "--clearsign", plain.string])
        return try readFile(at: signed)
    }

    private func gpg(_ arguments: [String]) throws {
        let fixed = [
            "--homedir", directory.path.string, "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", "",
        ]
        try run("/usr/bin/gpg", fixed + time + arguments, in: directory.path)
    }
}

/// Runs a program to its end; a failure carries what it wrote to stderr.
private func run(_ program: String, _ arguments: [String], in directory: FilePath) throws {
    let work = try FixtureDirectory("run")
    let errors = work.path.appending("errors")
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 2, errors.string, O_WRONLY | O_CREAT, 0o600)
    let argv = ([program] + arguments).map { text in strdup(text) }
    let variables: [String] = ["PATH=/usr/bin:/bin", "LC_ALL=C", "HOME=\(directory.string)"]
    let environment = variables.map { text in strdup(text) }
    defer { for pointer in argv + environment { free(pointer) } }
    var process: pid_t = 0
    let status = posix_spawn(&process, program, &actions, nil, argv + [nil], environment + [nil])
    guard status == 0 else { throw Failure("cannot run \(program): \(errorText(status))") }
    var ended: Int32 = 0
    while waitpid(process, &ended, 0) < 0 && errno == EINTR {}
    guard ended == 0 else {
        let words = String(decoding: try readFile(at: errors), as: UTF8.self)
        throw Failure(
            "\(program) \(arguments.joined(separator: " ")) failed",
            notes: words.split(separator: "\n").map(String.init))
    }
}
