/// What a program that only starts another one starts.
struct Wrapped: Hashable, Sendable {
    var words: [String]
    var user: String?
    /// Set before the other is started.
    var environment: [String: String] = [:]
    var clearsEnvironment = false
    /// The words are one shell text.
    var isShellText = false
}

/// The program that another is asked to start in its place, by its own way of taking arguments; nil where it is no such
/// program, or its arguments are not understood.
func wrapped(by words: [String]) -> Wrapped? {
    guard let name = words.first.map(baseName) else { return nil }
    let rest = Array(words.dropFirst())
    switch name {
    case "env": return wrappedByEnv(rest)
    case "su": return wrappedBySu(rest)
    case "runuser" where !rest.contains { $0 == "-u" || $0.hasPrefix("--user") }: return wrappedBySu(rest)
    case "start-stop-daemon": return wrappedByStartStopDaemon(rest)
    case "busybox", "toybox": return nil
    default:
        guard let form = wrapperForms[name] else { return nil }
        return form.apply(to: rest)
    }
}

/// The last component of a path.
func baseName(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
}

/// How a wrapper takes its arguments: options, then so many words of its own, then the command.
private struct WrapperForm {
    /// Options whose value is the next word.
    var valued: Set<String> = []
    var ownWords = 0
    /// Options that name a user.
    var userOptions: Set<String> = []
    /// Whether its own word is a user.
    var takesUser = false
    /// Long options take their value as a word of its own too.
    var longValued: Set<String> = []
    /// Whether assignments may stand before the command.
    var takesAssignments = false

    func apply(to arguments: [String]) -> Wrapped? {
        var rest = arguments[...]
        var result = Wrapped(words: [])
        while let word = rest.first, word.hasPrefix("-") || word.hasPrefix("+"), word.count > 1 {
            rest = rest.dropFirst()
            if word == "--" { break }
            let (option, attached) = split(word)
            guard userOptions.contains(option) || valued.contains(option) || longValued.contains(option) else {
                continue
            }
            let value = attached ?? rest.popFirst()
            if userOptions.contains(option) { result.user = value }
        }
        while takesAssignments, let (name, value) = rest.first.flatMap(assignment), isShellName(name) {
            result.environment[name] = value
            rest = rest.dropFirst()
        }
        for _ in 0..<ownWords {
            guard let word = rest.popFirst() else { return nil }
            if takesUser { result.user = word }
        }
        // chpst takes a `user:group`.
        result.user = result.user.map { String($0.prefix { $0 != ":" }) }
        if rest.isEmpty { return nil }
        result.words = Array(rest)
        return result
    }

    /// An option, and its value where that is in the same word: `--user=web`, `-uweb`; of letters behind one dash
    /// the first that takes a value, as `u` of `-Hu`.
    private func split(_ word: String) -> (option: String, value: String?) {
        if word.hasPrefix("--") {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return (parts[0], parts.count == 2 ? parts[1] : nil)
        }
        if valued.contains(word) || userOptions.contains(word) { return (word, nil) }
        for index in word.indices.dropFirst() {
            let option = "-\(word[index])"
            guard valued.contains(option) || userOptions.contains(option) else { continue }
            let value = String(word[word.index(after: index)...])
            return (option, value.isEmpty ? nil : value)
        }
        return (word, nil)
    }
}

private let wrapperForms: [String: WrapperForm] = [
    "exec": WrapperForm(valued: ["-a"]),
    "command": WrapperForm(), "builtin": WrapperForm(), "nohup": WrapperForm(), "setsid": WrapperForm(),
    "time": WrapperForm(valued: ["-o", "-f"]),
    "nice": WrapperForm(valued: ["-n", "--adjustment"]),
    "ionice": WrapperForm(valued: ["-c", "-n", "--class", "--classdata"]),
    "stdbuf": WrapperForm(valued: ["-i", "-o", "-e"], longValued: ["--input", "--output", "--error"]),
    "chrt": WrapperForm(valued: ["-T", "-P", "-D"], ownWords: 1),
    "taskset": WrapperForm(ownWords: 1),
    "timeout": WrapperForm(valued: ["-k", "-s", "--kill-after", "--signal"], ownWords: 1),
    "dumb-init": WrapperForm(valued: ["-r", "--rewrite"]),
    "tini": WrapperForm(valued: ["-p", "-e"]), "catatonit": WrapperForm(),
    "dbus-run-session": WrapperForm(valued: ["--config-file", "--dbus-daemon"]),
    "xvfb-run": WrapperForm(
        valued: ["-e", "-f", "-n", "-p", "-s", "-w"],
        longValued: ["--auth-file", "--error-file", "--server-args", "--server-num", "--wait", "--xauth-protocol"]),
    "sudo": WrapperForm(
        valued: ["-g", "-h", "-p", "-C", "-D", "-R", "-T", "-U"], userOptions: ["-u", "--user"],
        longValued: ["--group", "--host", "--prompt", "--close-from", "--chdir", "--chroot", "--command-timeout"],
        takesAssignments: true),
    "runuser": WrapperForm(
        valued: ["-g", "-G"], userOptions: ["-u", "--user"], longValued: ["--group", "--supp-group"]),
    "gosu": WrapperForm(ownWords: 1, takesUser: true), "su-exec": WrapperForm(ownWords: 1, takesUser: true),
    "s6-setuidgid": WrapperForm(ownWords: 1, takesUser: true), "setuidgid": WrapperForm(ownWords: 1, takesUser: true),
    "chpst": WrapperForm(
        valued: ["-U", "-b", "-e", "-/", "-C", "-n", "-l", "-L", "-m", "-d", "-o", "-p", "-f", "-c", "-r", "-t"],
        userOptions: ["-u"]),
    "setpriv": WrapperForm(
        userOptions: ["--reuid"], longValued: ["--regid", "--groups", "--inh-caps", "--ambient-caps", "--bounding-set"]),
    "systemd-cat": WrapperForm(valued: ["-t", "-p"], longValued: ["--identifier", "--priority"]),
    "unbuffer": WrapperForm(), "with-contenv": WrapperForm(),
]

private func wrappedByEnv(_ arguments: [String]) -> Wrapped? {
    var rest = arguments[...]
    var result = Wrapped(words: [])
    while let word = rest.first {
        if word == "--" {
            rest = rest.dropFirst()
        } else if word == "-i" || word == "-" || word == "--ignore-environment" {
            result.clearsEnvironment = true
            rest = rest.dropFirst()
        } else if ["-u", "-C", "--unset", "--chdir"].contains(word) {
            rest = rest.dropFirst(2)
        } else if word == "-S" || word == "--split-string" || word.hasPrefix("-S") || word.hasPrefix("-vS") {
            rest = rest.dropFirst()
            let text =
                word == "-S" || word == "--split-string"
                ? rest.popFirst() ?? "" : String(word.drop { $0 == "-" || $0 == "v" }.dropFirst())
            rest = ((unitWords(text) ?? []) + rest)[...]
        } else if word.hasPrefix("-") {
            rest = rest.dropFirst()
        } else if let (name, value) = assignment(word) {
            result.environment[name] = value
            rest = rest.dropFirst()
        } else {
            break
        }
    }
    if rest.isEmpty { return nil }
    result.words = Array(rest)
    return result
}

/// su [-] [-s SHELL] [-c TEXT] [USER].
private func wrappedBySu(_ arguments: [String]) -> Wrapped? {
    var rest = arguments[...]
    var result = Wrapped(words: [], user: "root", isShellText: true)
    while let word = rest.popFirst() {
        if word == "-c" || word == "--command" {
            result.words = rest.popFirst().map { [$0] } ?? []
        } else if word.hasPrefix("--command=") {
            result.words = [String(word.dropFirst("--command=".count))]
        } else if ["-s", "--shell", "-g", "-G"].contains(word) {
            rest = rest.dropFirst()
        } else if !word.hasPrefix("-") {
            result.user = word
        }
    }
    return result.words.isEmpty ? nil : result
}

private func wrappedByStartStopDaemon(_ arguments: [String]) -> Wrapped? {
    guard arguments.contains("--start") || arguments.contains("-S") else { return nil }
    var rest = arguments[...]
    var result = Wrapped(words: [])
    while let word = rest.popFirst(), word != "--" {
        switch word {
        case "--exec", "-x", "--startas", "-a": result.words = rest.popFirst().map { [$0] } ?? []
        case "--chuid", "-c": result.user = rest.popFirst().map { String($0.prefix { $0 != ":" }) }
        default: break
        }
    }
    if result.words.isEmpty { return nil }
    result.words += rest
    return result
}
