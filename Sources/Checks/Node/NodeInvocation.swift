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

    /// The script's path, without links followed; nil where there is none or it cannot be told.
    var script: TreePath? {
        command.script.flatMap { script in
            script.hasPrefix("/") ? TreePath(normalizing: script) : NodeResolution.joined(folder, script)
        }
    }

    var location: SourceLocation? { serviceCommand.location ?? service.location }
}

extension CheckSubject {
    /// All commands of services that run Node, in order: as a program, through `#!`, behind `env` and the like.
    func nodeInvocations() throws -> [NodeInvocation] {
        try services.flatMap { service in
            try service.commands.compactMap { command in
                try nodeInvocation(command.words, of: service, command, depth: 0)
            }
        }
    }

    /// Programs that start the one behind them on their command line.
    private static let wrappers: Set<String> = [
        "env", "nice", "ionice", "exec", "dumb-init", "tini", "setpriv", "runuser", "chrt", "taskset", "timeout",
        "stdbuf", "gosu", "su-exec", "setsid", "nohup", "dbus-run-session", "xvfb-run", "chpst", "s6-setuidgid",
    ]

    private func nodeInvocation(
        _ words: [String], of service: Service, _ command: Service.Command, depth: Int
    ) throws -> NodeInvocation? {
        guard depth < 4, let first = words.first else { return nil }
        let name = first.split(separator: "/").last.map(String.init) ?? first
        if Self.wrappers.contains(name) {
            guard let index = words.dropFirst().firstIndex(where: { Self.isNodeName($0) }) else { return nil }
            return try nodeInvocation(Array(words[index...]), of: service, command, depth: depth + 1)
        }
        if ["sh", "bash", "dash"].contains(name), words.count == 3, words[1] == "-c" {
            guard !words[2].utf8.contains(where: { "$`;&|<>()'\"\\*?\n{}~#".utf8.contains($0) }) else { return nil }
            let inner = words[2].split(separator: " ").map(String.init)
            return try nodeInvocation(inner, of: service, command, depth: depth + 1)
        }
        guard let program = programFile(first, path: service.environment["PATH"]) else { return nil }
        if try isNode(program) {
            return NodeInvocation(
                service: service, serviceCommand: command, program: program,
                command: NodeCommand(words: Array(words.dropFirst()), options: service.environment["NODE_OPTIONS"]),
                environment: service.environment, folder: service.workingDirectory ?? .root)
        }
        guard let blob = tree[program]?.blob else { return nil }
        let head = try read(blob, 0..<min(256, blob.size))
        guard head.starts(with: Array("#!".utf8)) else { return nil }
        let line = String(decoding: head.dropFirst(2).prefix { $0 != 0x0A }, as: UTF8.self)
        let interpreter = line.split { $0 == " " || $0 == "\t" || $0 == "\r" }.map(String.init)
        guard interpreter.contains(where: Self.isNodeName) else { return nil }
        return try nodeInvocation(
            interpreter + [program.description] + words.dropFirst(), of: service, command, depth: depth + 1)
    }

    private static func isNodeName(_ word: String) -> Bool {
        let name = word.split(separator: "/").last ?? ""
        return name == "node" || name == "nodejs"
    }

    private func programFile(_ word: String, path: String?) -> TreePath? {
        let folders =
            word.contains("/")
            ? [""]
            : (path ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").split(separator: ":").map {
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
