public import RootfsModel

/// The words on a kernel's command line. What stands behind a `--` goes to init and stays last.
public struct KernelCommandLine: Hashable, Sendable {
    /// As the kernel reads them, quoted where they hold blanks.
    public private(set) var words: [String] = []
    private var initWords: [String] = []

    /// The most that x86 and arm64 kernels read, with the NUL at the end (COMMAND_LINE_SIZE); Firecracker's limit too.
    public static let limit = 2048

    /// - Parameter arguments: one parameter each, as a recipe's `kernel.arguments` has them: `console=ttyS0`,
    ///   `dyndbg="file a.c +p"`.
    public init(_ arguments: [String]) throws(Failure) {
        var isForInit = false
        for argument in arguments {
            if argument == "--" {
                isForInit = true
                continue
            }
            let word = try Self.quoted(argument)
            if isForInit { initWords.append(word) } else { words.append(word) }
        }
    }

    /// Whether a parameter of this name is there, with or without a value.
    public func names(_ name: String) -> Bool {
        words.contains { $0 == name || $0.hasPrefix(name + "=") }
    }

    /// Adds parameters behind the others, where they win over them.
    public mutating func append(_ arguments: [String]) throws(Failure) {
        for argument in arguments { words.append(try Self.quoted(argument)) }
    }

    /// The line; a longer one than kernels read is a failure.
    public func text() throws(Failure) -> String {
        let line = (words + (initWords.isEmpty ? [] : ["--"] + initWords)).joined(separator: " ")
        guard line.utf8.count < Self.limit else {
            throw Failure(
                "the kernel's command line has \(line.utf8.count) bytes, and \(Self.limit - 1) are the most",
                hint: "shorten kernel.arguments")
        }
        return line
    }

    /// The kernel splits at blanks and knows one quote, `"`, with no way to escape it (lib/cmdline.c).
    private static func quoted(_ argument: String) throws(Failure) -> String {
        func refused(_ reason: String) -> Failure { Failure("the kernel argument '\(argument)' \(reason)") }
        if argument.isEmpty { throw Failure("an empty kernel argument") }
        let parts = argument.split(separator: "\"", omittingEmptySubsequences: false)
        // Its value is in quotes already.
        let isQuoted = parts.count == 3 && parts[0].hasSuffix("=") && !parts[0].contains(" ") && parts[2].isEmpty
        for scalar in argument.unicodeScalars {
            if scalar == "\"", !isQuoted { throw refused("has a quote, which a kernel's command line cannot hold") }
            if scalar.value < 0x20 || scalar.value == 0x7F { throw refused("has a control character") }
        }
        guard !isQuoted, let blank = argument.firstIndex(of: " ") else { return argument }
        guard let equals = argument.firstIndex(of: "="), equals < blank else {
            throw Failure(refused("has a blank in its name").message, hint: "write what it holds as several arguments")
        }
        return "\(argument[...equals])\"\(argument[argument.index(after: equals)...])\""
    }
}
