internal import Glibc
public import RootfsModel
internal import Storage
public import SystemPackage

/// The host's ssh-keygen, which signs with keys that every team has (ssh-keygen(1), -Y).
public struct SecureShellKeys: Sendable {
    private let program: FilePath
    /// What it needs of the user's: `SSH_AUTH_SOCK`, `HOME`, `SSH_ASKPASS` and what goes with it.
    private let environment: [String]

    /// - Parameter directories: where programs are.
    /// - Throws: where the host has no ssh-keygen.
    public init(searching directories: [FilePath], environment: [String]) throws(Failure) {
        let places = directories.map { $0.appending("ssh-keygen") }
        guard let program = places.first(where: { access($0.string, X_OK) == 0 }) else {
            throw Failure("this host has no ssh-keygen, which signs and checks", hint: "apt-get install openssh-client")
        }
        self.program = program
        self.environment = environment
    }

    /// What a call came to.
    struct Answer {
        var isGood: Bool
        /// The lines of stdout.
        var output: [String]
        /// Those of stderr.
        var words: [String]
    }

    /// Signs bytes; the signature's own text.
    func sign(_ bytes: [UInt8], key: FilePath, namespace: String) throws -> [UInt8] {
        guard exists(key) else { throw Failure("there is no key \(key)", status: .usage) }
        let scratch = try TemporaryDirectory(beside: "/tmp/rootfs-build-sign")
        let message = scratch.path.appending("message")
        try writeFile(bytes, to: message)
        let answer = try run(["-Y", "sign", "-f", key.string, "-n", namespace, message.string], in: scratch.path)
        let signature = scratch.path.appending("message.sig")
        guard answer.isGood, exists(signature) else {
            throw Failure(
                "ssh-keygen cannot sign with \(key)", notes: answer.words,
                hint: "name a private key, or a public one whose private half the ssh-agent has (SSH_AUTH_SOCK)")
        }
        return try readFile(at: signature)
    }

    /// Runs a check of a signature with the signed bytes as its input.
    func check(_ action: String, _ more: [String], signature: FilePath, of bytes: [UInt8]) throws -> Answer {
        let scratch = try TemporaryDirectory(beside: "/tmp/rootfs-build-sign")
        let message = scratch.path.appending("message")
        try writeFile(bytes, to: message)
        return try run(["-Y", action, "-s", signature.string] + more, in: scratch.path, input: message)
    }

    private func run(_ arguments: [String], in scratch: FilePath, input: FilePath = "/dev/null") throws -> Answer {
        let (output, errors) = (scratch.appending("output"), scratch.appending("errors"))
        let end = try runProgram(
            program, arguments, environment: environment + ["LC_ALL=C"], input: input, output: output, errors: errors)
        func lines(_ path: FilePath) throws -> [String] {
            String(decoding: try readFile(at: path), as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
        }
        return Answer(isGood: end == .exited(0), output: try lines(output), words: try lines(errors))
    }
}
