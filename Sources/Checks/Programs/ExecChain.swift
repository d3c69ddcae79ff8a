internal import RootfsModel

/// Follows what a service starts to the programs that run in the end: paths, links, interpreters, wrappers, and the
/// commands of shell scripts.
struct ExecChain {
    static let deepest = 8
    /// No service starts more programs, and text of a stranger's could go on for ever.
    static let mostPrograms = 2_000

    let subject: CheckSubject
    let service: Service
    let accounts: Accounts
    let mounts: MountPlan
    private(set) var findings: [Finding] = []
    private(set) var launches: [Launch] = []
    private var seen = Set<[String]>()
    private var followed = 0

    init(_ service: Service, in subject: CheckSubject, accounts: Accounts, mounts: MountPlan) {
        self.service = service
        self.subject = subject
        self.accounts = accounts
        self.mounts = mounts
    }

    /// Follows all commands.
    mutating func follow() throws {
        // Nobody looks into another root.
        if service.hasOwnRoot { return }
        for command in service.commands where !command.words.isEmpty {
            var identity =
                service.hasDynamicUser && !accounts.hasUser(service.user)
                ? Identity(name: service.user, uid: 61184, gids: [])
                : accounts.identity(
                    user: service.user, group: service.group, supplementary: service.supplementaryGroups)
            if command.runsAsRoot { identity = .root }
            let isStart = !["ExecReload", "ExecStop", "ExecStopPost"].contains(command.role)
            let place = command.location.map { " (\($0.file):\($0.line))" } ?? ""
            let isSystemd: Bool
            var isPackaged = false
            switch service.origin {
            case .recipe: isSystemd = true
            case .systemd(let path):
                isSystemd = true
                isPackaged = isPackages(path)
            case .inittab, .runFolder, .script: isSystemd = false
            }
            var environment = service.environment
            if isSystemd, environment["PATH"] == nil { environment["PATH"] = systemdPath }
            // A package's unit says with its dash that the program belongs to another package.
            let severity: Severity =
                command.mayFail && isPackaged ? .note : isStart && !command.mayFail ? .error : .warning
            try follow(
                Launch(
                    words: command.words,
                    reasons: ["\(service.name): \(command.role)=\(command.words.joined(separator: " "))\(place)"],
                    identity: identity, environment: environment,
                    directory: service.workingDirectory ?? .root, location: command.location ?? service.location,
                    severity: severity,
                    isFromShell: service.origin == .inittab,
                    // systemd looks in its own list, whatever PATH the service gets.
                    isUnrestricted: command.runsAsRoot, searchPath: isSystemd ? service.searchPath ?? systemdPath : nil,
                    role: command.role))
        }
    }

    mutating func add(_ finding: Finding) { findings.append(finding) }

    /// Says what is wrong with a launch.
    mutating func report(
        _ id: String, _ message: String, _ launch: Launch, path: TreePath? = nil, remedy: String? = nil,
        missing: TreePath? = nil, reasons: [String] = []
    ) {
        add(
            Finding(
                id, launch.severity, message, service: service.name, path: path,
                reasons: launch.reasons + reasons, remedy: remedy, missing: missing, location: launch.location))
    }

    /// Follows one program.
    mutating func follow(_ launch: Launch) throws {
        followed += 1
        guard let first = launch.words.first, launch.depth <= Self.deepest, followed <= Self.mostPrograms,
            seen.insert([launch.identity?.name ?? "", launch.script?.description ?? ""] + launch.words).inserted
        else { return }
        if launch.isFromShell, shellOwnCommands.contains(first) {
            if let inner = wrapped(by: launch.words) { try follow(inner, of: launch) }
            return
        }
        guard let text = try place(of: first, launch) else { return }
        guard let file = try executable(text, launch) else { return }
        var launch = launch
        launch.program = file
        launch.names = [baseName(first), String(decoding: file.name, as: UTF8.self)]
        try run(file, launch)
    }

    /// Goes on with what a wrapper starts.
    private mutating func follow(_ inner: Wrapped, of outer: Launch) throws {
        var launch = outer
        launch.depth += 1
        launch.searchPath = nil
        launch.words = inner.words
        if inner.clearsEnvironment { launch.environment = ["PATH": "/bin:/usr/bin"] }
        launch.environment.merge(inner.environment) { $1 }
        if let user = inner.user {
            launch.identity = accounts.identity(user: user, group: nil, supplementary: [])
            if !accounts.hasUser(user) {
                report(
                    "exec/user", "\(outer.words[0]) runs it as \(user), a user whom the image does not have", outer,
                    remedy: "add the user to the recipe's users, or name another one")
            }
        }
        if inner.isShellText {
            try followShell(Array(inner.words[0].utf8), launch, script: nil, arguments: nil)
        } else {
            launch.isFromShell = outer.isFromShell && ["exec", "command", "time", "builtin"].contains(outer.words[0])
            try follow(launch)
        }
    }

    /// What runs once a file is started: the file itself, its interpreter, and what these start.
    private mutating func run(_ file: TreePath, _ launch: Launch) throws {
        guard let blob = subject.tree[file]?.blob else { return }
        let head = try subject.read(blob, 0..<min(blob.size, 256))
        if head.starts(with: [0x7f, 0x45, 0x4c, 0x46]) {
            try checkElf(file, launch)
            add(launch, running: file)
            return try runArguments(launch.words, file, launch)
        }
        switch Shebang.form(of: head) {
        case .script(let shebang): try runScript(file, shebang, launch)
        case .empty:
            report("exec/interpreter-missing", "\(file) names no interpreter behind its #!", launch, path: file)
        case .tooLong:
            report(
                "exec/shebang-too-long", "the first line of \(file) is longer than the 256 bytes that the kernel reads",
                launch, path: file, remedy: "name the interpreter by a shorter path")
        case .misplaced where !launch.isFromShell:
            report(
                "exec/shebang-misplaced",
                "\(file) does not begin with #!: there are blanks or a byte order mark before it",
                launch, path: file, remedy: "remove everything before the #!")
        case .misplaced, .none:
            if launch.isFromShell {
                launches.append(launch)
                try followShell(
                    try subject.content(of: file, limit: 1 << 20) ?? [], launch, script: file, arguments: launch.words)
            } else {
                report(
                    "exec/format",
                    "\(file) is neither an ELF program nor a script with #!: the kernel cannot execute it",
                    launch, path: file, remedy: "begin the script with #! and its interpreter")
            }
        }
    }

    /// A script by its first line.
    private mutating func runScript(_ file: TreePath, _ shebang: Shebang, _ launch: Launch) throws {
        var next = launch
        next.depth += 1
        next.searchPath = nil
        if next.depth > Self.deepest {
            return report(
                "exec/interpreter-loop",
                "\(file) is interpreted by a script that is interpreted by a script, and so on",
                launch, path: file)
        }
        let line = "#!" + shebang.interpreter + (shebang.argument.map { " " + $0 } ?? "")
        next.reasons.append("\(file) begins with \(line.replacing("\r", with: "\\r"))")
        if shebang.hasCarriageReturn {
            return report(
                "exec/shebang-crlf",
                "the first line of \(file) ends in a carriage return, which the kernel takes for part of the interpreter's name",
                next, path: file, remedy: "store the script with Unix line ends")
        }
        if let node = subject.tree[file], let identity = launch.identity, !identity.may(4, node) {
            return report(
                "exec/unreadable", "\(file) cannot be read by \(identity.name), and its interpreter has to", next,
                path: file, remedy: "give it mode 0755")
        }
        let rest = [file.description] + launch.words.dropFirst()
        let interpreter = shebang.interpreter
        if baseName(interpreter) == "env", let argument = shebang.argument,
            argument.contains(where: { $0 == " " || $0 == "\t" }), !splitsWords(argument)
        {
            return report(
                "exec/shebang-env",
                "the kernel hands \"\(argument)\" to env as one word, so env "
                    + (argument.hasPrefix("-") ? "knows no such option" : "looks for a program of that whole name"),
                next, path: file, remedy: "write #!/usr/bin/env -S \(argument)")
        }
        next.words = [interpreter] + (shebang.argument.map { [$0] } ?? []) + rest
        next.isFromShell = false
        guard interpreter.hasPrefix("/") else {
            return report(
                "exec/interpreter-missing", "\(interpreter) of its first line is no absolute path", next, path: file,
                remedy: "name the interpreter by its whole path")
        }
        guard let program = try executable(interpreter, next, isInterpreter: true) else { return }
        next.program = program
        guard let blob = subject.tree[program]?.blob else { return }
        let head = try subject.read(blob, 0..<min(blob.size, 256))
        if case .script = Shebang.form(of: head) { return try run(program, next) }
        guard head.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else {
            return report(
                "exec/format", "the interpreter \(program) is no program that the kernel can execute", next,
                path: program)
        }
        try checkElf(program, next)
        add(next, running: program)
        try runArguments(next.words, program, next)
    }

    /// Whether env parts its first argument into words: `-S`, `-vS`, `--split-string`.
    private func splitsWords(_ argument: String) -> Bool {
        let option = argument.prefix { $0 != " " && $0 != "\t" && $0 != "=" }
        return option == "--split-string" || option.hasPrefix("-") && !option.hasPrefix("--") && option.contains("S")
    }

    /// A program that is an ELF file.
    private mutating func add(_ launch: Launch, running program: TreePath) {
        var launch = launch
        let names = [baseName(launch.words[0]), String(decoding: program.name, as: UTF8.self)]
        launch.startsOthers = wrapped(by: launch.words) != nil || names.contains(where: shellNames.contains)
        launches.append(launch)
    }

    /// What a program does with its arguments, where it is a wrapper, a shell or an interpreter.
    private mutating func runArguments(_ words: [String], _ program: TreePath, _ launch: Launch) throws {
        var launch = launch
        if let inner = wrapped(by: words) { return try follow(inner, of: launch) }
        let names = [baseName(words[0]), String(decoding: program.name, as: UTF8.self)]
        if names.contains("execlineb"), let script = words.dropFirst().first(where: { $0.hasPrefix("/") }),
            let file = TreePath(normalizing: script), let text = try subject.content(of: file, limit: 1 << 20)
        {
            guard let execline = Execline(parsing: String(decoding: text, as: UTF8.self)) else { return }
            launch.reasons.append("\(file) becomes: \(execline.command.words.joined(separator: " "))")
            return try follow(execline.command, of: launch)
        }
        if names.contains("busybox"), words.count > 1, names[0] == "busybox" { return }
        if names.contains(where: shellNames.contains) {
            switch shellInvocation(words) {
            case .text(let text, let arguments):
                launch.reasons.append("\(words[0]) runs the text: \(text.prefix(120))")
                try followShell(Array(text.utf8), launch, script: nil, arguments: arguments)
            case .script(let script, let arguments):
                guard let file = try scriptArgument(script, launch, by: words[0]) else { return }
                try followShell(
                    try subject.content(of: file, limit: 1 << 20) ?? [], launch, script: file, arguments: arguments)
            case .other: break
            }
            return
        }
        guard let script = interpretedScript(words, names: names) else { return }
        _ = try scriptArgument(script, launch, by: words[0])
    }

    /// The commands of a shell's text that are certain to run.
    private mutating func followShell(_ text: [UInt8], _ launch: Launch, script: TreePath?, arguments: [String]?) throws
    {
        let parsed = ShellScript(parsing: text)
        let values = ShellValues(parsed, environment: launch.environment, arguments: arguments)
        let source = SourceText(name: script?.description ?? "", text: String(decoding: text, as: UTF8.self))
        let move = directoryChange(in: parsed, values)
        let makesDirectories = parsed.commands.contains { command in
            command.words.contains { directoryMakers.contains(baseName($0.literal ?? "")) }
        }
        let outer = shellSinks(of: parsed, values)
        let asked = programsAskedFor(in: parsed, values)
        for (index, command) in parsed.commands.enumerated() where followed < Self.mostPrograms {
            let (words, isWhole) = values.words(of: command)
            guard let first = words.first, !parsed.functions.contains(first) else { continue }
            let named = first == "exec" ? words.dropFirst().first ?? "" : first
            var next = launch
            next.depth += 1
            next.script = script ?? launch.script
            next.words = words
            next.hasAllWords = launch.hasAllWords && isWhole
            next.isFromShell = true
            next.searchPath = nil
            next.environment["PATH"] = values.value(of: "PATH") ?? ""
            for name in ["LD_LIBRARY_PATH", "LD_PRELOAD"] where values.assigns(name) {
                next.environment[name] = values.value(of: name)
                if next.environment[name] == nil { next.hidesLibraryPath = true }
            }
            if let move, index > move.index { next.directory = move.directory }
            if let script {
                next.location = source.location(line: command.line, column: 1)
                next.reasons.append("\(script):\(command.line): \(words.joined(separator: " "))\(isWhole ? "" : " …")")
            }
            for assignment in command.assignments.compactMap(\.assignment) {
                next.environment[assignment.name] = values.words(of: assignment.value, splits: false)?.joined()
            }
            (next.output, next.errors) = sinks(of: command, values, output: outer.output, errors: outer.errors)
            next.isBackground = command.isBackground || launch.isBackground
            next.isRepeated = command.isRepeated || launch.isRepeated
            // A text of one command ends with it, as if it had an exec.
            next.replacesScript = first == "exec" || script == nil && parsed.commands.count == 1
            next.makesDirectories = makesDirectories
            let isQuiet =
                next.errors == .file("/dev/null") && outer.errors != next.errors && !command.isBackground
                && !next.replacesScript
            if command.isTested || isQuiet {
                // The script expects that it may fail; what is named by its whole path is missing all the same.
                guard named.contains("/") else { continue }
                next.severity = min(next.severity, .warning)
            }
            if !command.isCertain {
                // What runs in some case only is told of where nothing but its place can be meant.
                guard named.hasPrefix("/"),
                    first == "exec" || !(script.map(isPackages) ?? false)
                else { continue }
                next.severity = min(next.severity, .warning)
            }
            // A name may be a function of a file that is read in.
            if parsed.readsMore, !named.contains("/") { continue }
            // A package's script that may be through before is written for machines without the program too.
            if parsed.mayEndWell, script.map(isPackages) ?? false { next.severity = min(next.severity, .warning) }
            if asked.contains(named) { continue }
            try follow(next)
        }
    }
}
