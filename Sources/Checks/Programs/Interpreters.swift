internal import RootfsModel

let shellNames: Set<String> = ["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "busybox-sh"]

/// What a shell is started for.
enum ShellInvocation: Hashable, Sendable {
    case text(String, arguments: [String])
    case script(String, arguments: [String])
    /// Its standard input, or nothing that can be told.
    case other
}

/// A shell's arguments (POSIX, sh).
func shellInvocation(_ words: [String]) -> ShellInvocation {
    var rest = words.dropFirst()
    var takesText = false
    while let word = rest.first, word.hasPrefix("-") || word.hasPrefix("+"), word.count > 1 {
        rest = rest.dropFirst()
        if word == "--" { break }
        if word.hasPrefix("--") {
            if ["--rcfile", "--init-file"].contains(word) { rest = rest.dropFirst() }
            continue
        }
        if word.hasPrefix("-"), word.dropFirst().contains("c") { takesText = true }
        if word.dropFirst().contains("s") { return .other }
        if word.hasSuffix("o") || word.hasSuffix("O") { rest = rest.dropFirst() }
    }
    // A lone dash ends the options too.
    if rest.first == "-" { rest = rest.dropFirst() }
    guard let first = rest.popFirst() else { return .other }
    if takesText { return .text(first, arguments: Array(rest.isEmpty ? [words[0]] : Array(rest))) }
    return .script(first, arguments: [first] + rest)
}

/// The script that an interpreter of another language is given; nil where it gets its program in another way.
func interpretedScript(_ words: [String], names: [String]) -> String? {
    guard let language = languages.first(where: { language in names.contains { language.matches($0) } }) else {
        return nil
    }
    var rest = words.dropFirst()
    if language.names.contains("node") {
        let command = NodeCommand(words: Array(rest))
        return command.isAmbiguous ? nil : command.script
    }
    while let word = rest.first, word.hasPrefix("-"), word.count > 1 {
        rest = rest.dropFirst()
        if word == "--" { break }
        if !word.hasPrefix("--"), !language.valued.contains(where: word.hasPrefix),
            word.dropFirst().contains(where: language.inPlaceLetters.contains)
        {
            return nil
        }
        if language.inPlace.contains(where: { word == $0 || !$0.hasPrefix("--") && word.hasPrefix($0) }) { return nil }
        if word == language.scriptOption { return rest.first }
        if language.valued.contains(word) { rest = rest.dropFirst() }
    }
    if language.scriptOption != nil { return nil }
    guard let script = rest.first, script != "-" else { return nil }
    return script
}

/// An interpreter's options, as far as they decide which word is its script.
private struct Language {
    var names: [String]
    /// Options with which the program is no file.
    var inPlace: Set<String>
    /// Letters that mean the same among others behind one dash: `-ne`.
    var inPlaceLetters = ""
    /// Options whose value is the next word.
    var valued: Set<String>
    /// The option that names the file, where no plain word does.
    var scriptOption: String?

    func matches(_ name: String) -> Bool {
        names.contains {
            name == $0 || name.hasPrefix($0) && name.dropFirst($0.count).allSatisfy { "0123456789.".contains($0) }
        }
    }
}

private let languages = [
    // Its options are NodeCommand's.
    Language(names: ["node", "nodejs"], inPlace: [], valued: []),
    Language(names: ["python"], inPlace: ["-V", "--version", "-h"], inPlaceLetters: "cm", valued: ["-W", "-X", "-Q"]),
    Language(names: ["perl"], inPlace: ["-v", "-S"], inPlaceLetters: "eE", valued: ["-I", "-M"]),
    Language(names: ["ruby"], inPlace: ["-v", "-S"], inPlaceLetters: "e", valued: ["-I", "-r", "-C"]),
    Language(
        names: ["java"], inPlace: ["-version", "--version"], valued: ["-cp", "-classpath", "--class-path"],
        scriptOption: "-jar"),
]

/// What a shell does itself, or its grammar has; none of it is looked for in the PATH.
let shellOwnCommands: Set<String> = [
    ".", ":", "[", "[[", "((", "alias", "bg", "bind", "break", "builtin", "caller", "cd", "command", "compgen",
    "complete",
    "compopt", "continue", "coproc", "declare", "dirs", "disown", "echo", "enable", "eval", "exec", "exit", "export",
    "false", "fc", "fg", "getopts", "hash", "help", "history", "jobs", "kill", "let", "local", "logout", "mapfile",
    "popd", "printf", "pushd", "pwd", "read", "readarray", "readonly", "return", "select", "set", "shift", "shopt",
    "source", "suspend", "test", "time", "times", "trap", "true", "type", "typeset", "ulimit", "umask", "unalias",
    "unset", "until", "wait",
]

/// Whether a file is where packages alone put theirs.
func isPackages(_ path: TreePath) -> Bool {
    let folders: [TreePath] = ["/usr", "/lib", "/bin", "/sbin", "/etc/init.d"]
    let own = folders.contains { path.isWithin($0) }
    return own && !path.isWithin("/usr/local")
}

/// Programs that make directories.
let directoryMakers: Set<String> = ["mkdir", "install", "cp", "tar", "rsync", "systemd-tmpfiles"]

/// The programs that a script asks for before it starts them: whether one is there, or which one it is.
func programsAskedFor(in script: ShellScript, _ values: ShellValues) -> Set<String> {
    var programs = Set<String>()
    for command in script.commands {
        guard let first = command.words.first?.literal,
            ["[", "test", "[[", "command", "which", "type", "hash"].contains(first)
        else { continue }
        let words = command.words.dropFirst().flatMap { values.words(of: $0, splits: false) ?? [] }
        switch first {
        case "[", "test", "[[":
            if words.contains(where: { ["-x", "-e", "-f", "-r", "-s"].contains($0) }) { programs.formUnion(words) }
        case "command": if words.first?.hasPrefix("-") ?? false { programs.formUnion(words) }
        default: programs.formUnion(words)
        }
    }
    return programs
}

/// Where a script changes its directory, if it does: behind which command, and whereto; nil for a directory that cannot
/// be told.
func directoryChange(in script: ShellScript, _ values: ShellValues) -> (index: Int, directory: TreePath?)? {
    let moves = script.commands.indices.filter {
        ["cd", "pushd", "popd"].contains(script.commands[$0].words.first?.literal ?? "")
    }
    guard let first = moves.first else { return nil }
    let command = script.commands[first]
    let (words, isWhole) = values.words(of: command)
    guard moves.count == 1, isWhole, words.count == 2, words[0] == "cd", words[1].hasPrefix("/"), command.isCertain,
        !command.isEnclosed, !command.isRepeated, !command.isBackground
    else { return (-1, nil) }
    return (first, TreePath(normalizing: words[1]))
}

/// Where a script sends everything it starts: `exec >FILE 2>&1`.
func shellSinks(of script: ShellScript, _ values: ShellValues) -> (output: Launch.Sink, errors: Launch.Sink) {
    var result = (output: Launch.Sink.inherited, errors: Launch.Sink.inherited)
    for command in script.commands
    where command.isCertain && command.words.count == 1 && command.words[0].literal == "exec" {
        result = sinks(of: command, values, output: result.output, errors: result.errors)
    }
    return result
}

/// Where a command's output goes after its redirections, taken in their order.
func sinks(
    of command: ShellCommand, _ values: ShellValues, output: Launch.Sink, errors: Launch.Sink
) -> (output: Launch.Sink, errors: Launch.Sink) {
    var (output, errors) = (output, errors)
    for redirection in command.redirections where !redirection.sign.hasPrefix("<") {
        let words = values.words(of: redirection.target, splits: false)
        let target = words.map { $0.joined() }
        if redirection.sign == ">&", let number = target.flatMap({ Int($0) }) {
            let source: Launch.Sink = number == 1 ? output : number == 2 ? errors : .unknown
            if redirection.descriptor == 2 {
                errors = source
            } else if redirection.descriptor ?? 1 == 1 {
                output = source
            }
            continue
        }
        let sink = target.map { $0.hasPrefix("/") ? Launch.Sink.file($0) : .unknown } ?? .unknown
        if redirection.sign.hasPrefix("&") || redirection.sign == ">&" && redirection.descriptor == nil {
            (output, errors) = (sink, sink)
        } else if redirection.descriptor == 2 {
            errors = sink
        } else if redirection.descriptor ?? 1 == 1 {
            output = sink
        }
    }
    return (output, errors)
}
