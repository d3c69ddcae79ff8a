import RootfsModel

/// A command of a service that ends in a Python program.
struct PythonInvocation {
    enum Program {
        /// A file, links not followed.
        case script(TreePath)
        /// `-m`.
        case module(String)
        /// `-c`.
        case text(String)
    }

    var load: ServiceLoad
    /// The interpreter as it is named, links not followed.
    var launched: TreePath
    var program: Program
    var environment: [String: String]
    /// Where relative paths start; nil where it is not known.
    var folder: TreePath?
    /// `-I` or `-E`: the environment does not count.
    var isIsolated = false
    /// Whether what is run has its folder in the module path; false with `-I` and `-P`.
    var hasOwnFolder = true
    /// Without `-S`.
    var hasSite = true
    var reasons: [String]
    var severity: Severity

    /// nil where the launch is no Python's, or runs what is not in the image's files.
    init?(_ launch: Launch, _ load: ServiceLoad, in subject: CheckSubject) {
        guard let program = launch.program, isPython(program), let first = launch.words.first else { return nil }
        self.load = load
        environment = launch.environment
        folder = launch.directory
        reasons = launch.reasons
        severity = launch.severity
        let named = first.contains("/") ? TreePath(normalizing: first) : nil
        let searched = (launch.environment["PATH"] ?? launch.searchPath ?? "").split(separator: ":").lazy
            .compactMap { TreePath(normalizing: "\($0)/\(first)") }.first { subject.tree.resolve($0) != nil }
        launched = named ?? searched ?? program
        guard let parsed = Self.arguments(launch.words) else { return nil }
        isIsolated = parsed.letters.contains("I") || parsed.letters.contains("E")
        hasOwnFolder = !parsed.letters.contains("I") && !parsed.letters.contains("P")
        hasSite = !parsed.letters.contains("S")
        switch parsed.option {
        case "c": self.program = .text(parsed.word)
        case "m": self.program = .module(parsed.word)
        default:
            let text =
                parsed.word.hasPrefix("/") ? parsed.word : "\(launch.directory?.description ?? "")/\(parsed.word)"
            guard parsed.word.hasPrefix("/") || launch.directory != nil, let path = TreePath(normalizing: text) else {
                return nil
            }
            self.program = .script(path)
        }
    }

    /// What a helper in Python is that a script of another language starts.
    init(script: TreePath, interpreter: TreePath, by load: ServiceLoad, _ reason: String, _ own: ServiceLoad) {
        self.load = own
        launched = interpreter
        program = .script(script)
        environment = load.launch.environment
        folder = load.launch.directory
        reasons = load.launch.reasons + [reason]
        severity = min(load.launch.severity, .warning)
    }

    /// The option that ends the interpreter's own (`c`, `m`, or none for a script), its value, and the letters before.
    private static func arguments(_ words: [String]) -> (option: String, word: String, letters: Set<Character>)? {
        var letters = Set<Character>()
        var rest = words.dropFirst()
        while let word = rest.popFirst() {
            guard word.hasPrefix("-"), word != "-" else { return word == "-" ? nil : ("", word, letters) }
            if word == "--" { return rest.first.map { ("", $0, letters) } }
            if word.hasPrefix("--") {
                if word == "--check-hash-based-pycs" { rest = rest.dropFirst() }
                continue
            }
            var signs = word.dropFirst()
            while let sign = signs.popFirst() {
                switch sign {
                case "c", "m":
                    let value = signs.isEmpty ? rest.first : String(signs)
                    return value.map { (String(sign), $0, letters) }
                case "W", "X", "Q":
                    if signs.isEmpty { rest = rest.dropFirst() }
                    signs = ""
                default: letters.insert(sign)
                }
            }
        }
        return nil
    }
}

/// Whether a file is called like an interpreter: `python3`, `python3.11`.
func isPython(_ path: TreePath) -> Bool {
    let name = String(decoding: path.name, as: UTF8.self)
    return name.hasPrefix("python") && name.dropFirst("python".count).allSatisfy { $0.isNumber || $0 == "." }
}

extension CheckSubject {
    /// All commands of services that run Python, in order, and the helpers that Node's scripts start by literal paths.
    func pythonInvocations() throws -> [PythonInvocation] {
        let loads = try serviceLoads()
        var invocations = [PythonInvocation]()
        for start in try serviceStarts() {
            for launch in start.launches {
                guard let program = launch.program,
                    let load = loads.first(where: { $0.service == start.service.name && $0.launch.program == program })
                else { continue }
                if let invocation = PythonInvocation(launch, load, in: self) { invocations.append(invocation) }
            }
        }
        for node in try nodeInvocations() {
            guard let script = node.script,
                let load = loads.first(where: { $0.service == node.service.name && $0.launch.program == node.program })
            else { continue }
            invocations += try helpers(of: script, load)
        }
        return invocations
    }

    /// `spawn('/usr/bin/python3', ['x.py'])` in a script of Node, the path whole or joined to the script's folder.
    private func helpers(of script: TreePath, _ load: ServiceLoad) throws -> [PythonInvocation] {
        guard let file = tree.resolve(script), let folder = file.parent,
            let bytes = try content(of: file, limit: 1 << 20)
        else { return [] }
        let tokens = ScriptTokens(bytes).tokens
        var found = [PythonInvocation]()
        for (index, token) in tokens.enumerated()
        where token.kind == .word && ["spawn", "spawnSync", "execFile", "execFileSync"].contains(token.text) {
            guard index + 1 < tokens.count, tokens[index + 1].text == "(" else { continue }
            // The program and its arguments are the first few words.
            let strings = tokens[(index + 2)...].prefix(32).prefix { $0.text != "{" && $0.text != ";" }
                .filter { $0.kind == .string }.map(\.text)
            guard let program = strings.first(where: { $0.hasPrefix("/") }).flatMap({ TreePath(normalizing: $0) }),
                let interpreter = tree.resolve(program), isPython(interpreter),
                let name = strings.first(where: { $0.hasSuffix(".py") }),
                let helper = name.hasPrefix("/")
                    ? TreePath(normalizing: name) : TreePath(normalizing: "\(folder)/\(name)"),
                let own = try self.load(of: interpreter, like: load)
            else { continue }
            found.append(
                PythonInvocation(
                    script: helper, interpreter: program, by: load,
                    "\(file):\(token.line): \(token.text) of \(program) with \(helper)", own))
        }
        return found
    }

    /// What is loaded for an interpreter that a service's script starts.
    private func load(of program: TreePath, like load: ServiceLoad) throws -> ServiceLoad? {
        guard let file = try elfFile(at: program) else { return nil }
        var own = load
        own.process =
            try makeLoaders().loader(for: file).map {
                try ProcessLoader(program, file, $0, ProcessLoader.Setting()).process
            } ?? LoadedProcess(alone: program, file)
        return own
    }
}
