import RootfsModel

/// A command of a service that runs Node.
struct NodeInvocation {
    var service: Service
    var serviceCommand: Service.Command
    /// The program file, links resolved.
    var program: TreePath
    var command: NodeCommand
    var environment: [String: String]
    /// Where relative paths start.
    var folder: TreePath
    /// Whether a package.json gave the command, so that the service itself does not name the script.
    var isFromPackage: Bool
    /// The script's start of it, where a script of the image starts it.
    var launch: Launch?

    /// The script's path, without links followed; nil where there is none or it cannot be told.
    var script: TreePath? {
        command.script.flatMap { script in
            script.hasPrefix("/") ? TreePath(normalizing: script) : NodeResolution.joined(folder, script)
        }
    }

    var location: SourceLocation? { launch?.location ?? serviceCommand.location ?? service.location }

    func isSame(as other: NodeInvocation) -> Bool {
        program == other.program && script == other.script && command.options == other.command.options
    }

    /// Findings with the way to a Node that a script starts, and no graver than that this fails.
    func asStarted(_ findings: [Finding]) -> [Finding] {
        guard let launch else { return findings }
        return findings.map { finding in
            var finding = finding
            finding.severity = min(finding.severity, launch.severity)
            finding.reasons = launch.reasons + finding.reasons
            return finding
        }
    }
}

extension CheckSubject {
    /// All commands of services that run Node, in order: as a program, through `#!`, behind `env` and the like, as
    /// `npm start`, and by the scripts that services run.
    func nodeInvocations() throws -> [NodeInvocation] {
        try serviceStarts().flatMap { start in
            let service = start.service
            var invocations = try service.commands.flatMap { command in
                let start = NodeStart(
                    service: service, command: command, environment: service.environment,
                    folder: service.workingDirectory ?? .root)
                return try nodeInvocations(command.words, start, depth: 0)
            }
            for launch in start.launchesOfScripts {
                guard let folder = launch.directory else { continue }
                let command = Service.Command(role: launch.role, words: launch.words, location: launch.location)
                let start = NodeStart(
                    service: service, command: command, environment: launch.environment, folder: folder)
                for var invocation in try nodeInvocations(launch.words, start, depth: 0)
                where !invocations.contains(where: { invocation.isSame(as: $0) }) {
                    invocation.launch = launch
                    invocations.append(invocation)
                }
            }
            return invocations
        }
    }

    /// What a command line starts with.
    private struct NodeStart {
        var service: Service
        var command: Service.Command
        var environment: [String: String]
        var folder: TreePath
        var isFromPackage = false
    }

    /// Programs that start the one behind them on their command line.
    private static let wrappers: Set<String> = [
        "env", "nice", "ionice", "exec", "dumb-init", "tini", "setpriv", "runuser", "chrt", "taskset", "timeout",
        "stdbuf", "gosu", "su-exec", "setsid", "nohup", "dbus-run-session", "xvfb-run", "chpst", "s6-setuidgid",
    ]

    private func nodeInvocations(_ words: [String], _ start: NodeStart, depth: Int) throws -> [NodeInvocation] {
        guard depth < 6, let first = words.first else { return [] }
        var start = start
        let name = first.split(separator: "/").last.map(String.init) ?? first
        if Self.wrappers.contains(name) {
            guard let index = Self.programIndex(in: words, behind: name) else { return [] }
            if name == "env" {
                for word in words[1..<index] {
                    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                    if parts.count == 2, !word.hasPrefix("-") { start.environment[String(parts[0])] = String(parts[1]) }
                }
            }
            return try nodeInvocations(Array(words[index...]), start, depth: depth + 1)
        }
        if ["sh", "bash", "dash"].contains(name), words.count == 3, words[1] == "-c" {
            return try nodeInvocations(Self.plainWords(words[2]), start, depth: depth + 1)
        }
        guard let program = programFile(first, path: start.environment["PATH"]) else { return [] }
        if try isNode(program) {
            return [
                NodeInvocation(
                    service: start.service, serviceCommand: start.command, program: program,
                    command: NodeCommand(words: Array(words.dropFirst()), options: start.environment["NODE_OPTIONS"]),
                    environment: start.environment, folder: start.folder, isFromPackage: start.isFromPackage)
            ]
        }
        guard let blob = tree[program]?.blob else { return [] }
        let head = try read(blob, 0..<min(256, blob.size))
        guard head.starts(with: Array("#!".utf8)) else { return [] }
        let line = String(decoding: head.dropFirst(2).prefix { $0 != 0x0A }, as: UTF8.self)
        let interpreter = line.split { $0 == " " || $0 == "\t" || $0 == "\r" }.map(String.init)
        guard interpreter.contains(where: Self.isNodeName) else { return [] }
        let own = try nodeInvocations(
            interpreter + [program.description] + words.dropFirst(), start, depth: depth + 1)
        return try own + npmScript(name, words, start, depth: depth)
    }

    /// What `npm start` and `npm run NAME` start in turn: a line of the folder's package.json.
    private func npmScript(_ name: String, _ words: [String], _ start: NodeStart, depth: Int) throws -> [NodeInvocation]
    {
        guard ["npm", "yarn", "pnpm"].contains(name), words.count >= 2,
            let bytes = try content(of: start.folder.appending("package.json".utf8)),
            let scripts = JSONValue(parsing: bytes)?["scripts"]
        else { return [] }
        let isRun = ["run", "run-script"].contains(words[1])
        guard isRun && words.count > 2 || words[1] == "start", let text = scripts[isRun ? words[2] : "start"]?.text
        else { return [] }
        var start = start
        start.isFromPackage = true
        let usual = start.environment["PATH"] ?? Self.usualPath
        start.environment["PATH"] = start.folder.appending("node_modules/.bin").description + ":" + usual
        return try nodeInvocations(Self.plainWords(text), start, depth: depth + 1)
    }

    /// A command's words, where it needs no shell to be told; none otherwise.
    private static func plainWords(_ text: String) -> [String] {
        guard !text.utf8.contains(where: { "$`;&|<>()'\"\\*?\n{}~#".utf8.contains($0) }) else { return [] }
        var words = text.split(separator: " ").map(String.init)
        // Assignments in front are env's.
        if words.first?.contains("=") == true { words.insert("env", at: 0) }
        return words
    }

    /// Options that take no value, so that what stands behind them is not one.
    private static let plainOptions: Set<String> = [
        "--", "-i", "-s", "-w", "-a", "--ignore-environment", "--clear-groups", "--init-groups", "--no-new-privs",
    ]

    /// Where Node or npm stands behind a wrapper; a user may be called node too.
    private static func programIndex(in words: [String], behind wrapper: String) -> Int? {
        let least = ["gosu", "su-exec", "s6-setuidgid"].contains(wrapper) ? 2 : 1
        return words.indices.first { index in
            guard index >= least, isNodeName(words[index]) || ["npm", "yarn", "pnpm"].contains(words[index]) else {
                return false
            }
            let before = words[index - 1]
            return index == 1 || !before.hasPrefix("-") || before.contains("=") || plainOptions.contains(before)
        }
    }

    private static func isNodeName(_ word: String) -> Bool {
        let name = word.split(separator: "/").last ?? ""
        return name == "node" || name == "nodejs"
    }

    private static let usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    private func programFile(_ word: String, path: String?) -> TreePath? {
        let folders =
            word.contains("/")
            ? [""]
            : (path ?? Self.usualPath).split(separator: ":").map {
                $0 + "/"
            }
        return folders.lazy.compactMap { TreePath(normalizing: $0 + word) }.compactMap { tree.resolve($0) }
            .first { tree[$0]?.blob != nil }
    }

    private func isNode(_ path: TreePath) throws -> Bool {
        let name = String(decoding: path.name, as: UTF8.self)
        guard let elf = try elfFile(at: path) else { return false }
        return name.hasPrefix("node") || Self.nodeLibrary(of: elf) != nil
    }

    private static func nodeLibrary(of elf: ElfFile) -> [UInt8]? {
        elf.needed.first { $0.starts(with: Array("libnode.so".utf8)) }
    }

    /// How the Node of this program was built; nil where it cannot be told.
    func nodeBuild(of program: TreePath) throws -> NodeBuild? {
        try nodeBuilds.build(of: program) {
            guard let elf = try elfFile(at: program) else { return nil }
            var file = program
            if let library = Self.nodeLibrary(of: elf) {
                guard let found = libraryFile(library) else { return nil }
                file = found
            }
            guard let blob = tree[file]?.blob else { return nil }
            return try NodeBuild(file, blob: blob, read: read)
        }
    }

    /// A library in the folders where Debian has them.
    func libraryFile(_ name: [UInt8]) -> TreePath? {
        let triplets = [
            "amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu", "i386": "i386-linux-gnu",
            "armhf": "arm-linux-gnueabihf", "riscv64": "riscv64-linux-gnu", "ppc64el": "powerpc64le-linux-gnu",
            "s390x": "s390x-linux-gnu",
        ]
        let triplet = triplets[architecture].map { "/" + $0 } ?? ""
        guard !name.isEmpty, !name.contains(UInt8(ascii: "/")) else { return nil }
        return ["usr/local/lib", "usr/lib\(triplet)", "lib\(triplet)", "usr/lib", "lib"].lazy
            .compactMap { TreePath(normalizing: $0)?.appending(name) }.compactMap { self.tree.resolve($0) }
            .first { self.tree[$0]?.blob != nil }
    }
}
