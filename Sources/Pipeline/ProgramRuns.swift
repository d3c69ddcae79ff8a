internal import Checks
internal import Glibc
internal import RootfsModel
internal import Sandboxing
internal import Storage
internal import SystemPackage

/// How programs are run by a check.
public struct RunSettings: Sendable {
    /// For how many seconds each.
    public var seconds: Int
    /// How many at once.
    public var jobs: Int

    public init(seconds: Int = 3, jobs: Int) {
        self.seconds = seconds
        self.jobs = jobs
    }
}

/// Starts what an image starts, each program alone for a moment, in a sandbox on a copy of the tree and on the machine's
/// processor as qemu-user imitates it.
struct ProgramRuns {
    /// What is started. Without `EmulatorEntry` no shell and no wrapper: their programs would run on the host's own
    /// processor.
    let starts: [ProgramStart]
    private let emulator: ProgramEmulator
    private let settings: RunSettings
    private let scratch: TemporaryDirectory
    /// Why overlayfs cannot be used: then all run in the same tree, one after the other.
    private let refusal: String?
    /// Where the image has the dynamic loader that `EmulatorEntry` stands in for; nil: programs that others start are not
    /// emulated.
    private let loader: TreePath?

    private static let loaderName: TreePath = "lib64/ld-linux-x86-64.so.2"
    private static let memory: UInt64 = 8 << 30

    /// Copies the tree, which is not written to, into a directory of the store.
    init(of subject: CheckSubject, _ starts: [ProgramStart], _ settings: RunSettings, store: Store) throws {
        emulator = try ProgramEmulator(for: subject)
        if case .unavailable(let failure) = Sandbox.availability() { throw failure }
        self.settings = settings
        scratch = try store.makeTemporaryDirectory("run")
        let work = scratch.path.appending("work")
        try makeDirectory(at: work)
        refusal = try Sandbox.refusalOfOverlays(in: work.string)
        let tree = try subject.tree.adding(starts)
        _ = try writeTree(tree.nodes, at: .root, to: scratch.path.appending("tree"))
        loader = subject.architecture == "amd64" && isAMD64 ? tree.resolve(Self.loaderName) : nil
        let isWhole = loader != nil
        self.starts = starts.filter { isWhole || !$0.startsOthers }
        for processor in [emulator.processor, .everything] { try install(processor, tree) }
    }

    /// qemu-user's name of the processor.
    var processor: String { emulator.processor.name }

    /// What `EmulatorEntry` needs.
    private func install(_ processor: EmulatedProcessor, _ tree: FileTree) throws {
        let folder = self.folder(processor)
        let top = folder.appending("top")
        for path in [folder, top, top.appending("lib64")] { try makeDirectory(at: path) }
        try writeFile(try readFile(at: emulator.path), to: folder.appending("qemu"), mode: 0o755)
        guard let blob = loader.flatMap({ tree[$0]?.blob }) else { return }
        let bytes = try blob.readAll()
        for path in [folder.appending("loader"), top.appending("\(Self.loaderName)")] {
            try writeFile(bytes, to: path, mode: 0o755)
        }
        try writeFile(
            EmulatorEntry.program(model: processor.model), to: entry(processor), mode: 0o755)
    }

    private func folder(_ processor: EmulatedProcessor) -> FilePath {
        scratch.path.appending("emulator-\(processor.name)")
    }

    private func entry(_ processor: EmulatedProcessor) -> FilePath {
        scratch.path.appending("entry-\(processor.name)")
    }

    /// What is to be said of the programs, in their order.
    func findings() async throws -> [Finding] {
        let jobs = refusal == nil ? max(1, settings.jobs) : 1
        return try await withThrowingTaskGroup(of: (Int, Finding?).self) { group in
            var found = [(Int, Finding?)]()
            for (index, start) in starts.enumerated() {
                if index >= jobs, let next = try await group.next() { found.append(next) }
                group.addTask { (index, try finding(of: start, number: index)) }
            }
            for try await next in group { found.append(next) }
            return found.sorted { $0.0 < $1.0 }.compactMap(\.1)
        }
    }

    private func finding(of start: ProgramStart, number: Int) throws -> Finding? {
        let end = try run(start, on: emulator.processor, number: number)
        let control = end.metIllegalInstruction ? try run(start, on: .everything, number: number) : nil
        return RunRule.finding(of: start, end, control: control, on: emulator.processor)
    }

    private func run(_ start: ProgramStart, on processor: EmulatedProcessor, number: Int) throws -> RunEnding {
        let own = scratch.path.appending("run-\(number)")
        try makeDirectory(at: own)
        defer { try? removeTree(at: own) }
        let tree = scratch.path.appending("tree").string
        let work = own.appending("work").string
        var sandbox = Sandbox(
            root: refusal == nil
                ? Sandbox.Root(lower: [tree], upper: own.appending("upper").string, work: work)
                : Sandbox.Root(tree: tree, work: work),
            hostname: "check",
            binds: [Sandbox.Bind(host: folder(processor).string, inside: EmulatorEntry.directory)])
        if let loader { sandbox.binds.append(.init(host: entry(processor).string, inside: "\(loader)")) }
        let directory = EmulatorEntry.directory
        var command = Command(
            arguments: [
                directory + "/qemu", "-cpu", processor.model, "-L", directory + "/top", "-0", start.words[0],
                "\(start.program)",
            ] + start.words.dropFirst(),
            environment: start.environment.sorted { $0.key < $1.key }, workingDirectory: "\(start.directory)")
        if start.uid != 0 || start.gid != 0 {
            command.user = Command.User(uid: start.uid, gid: start.gid, groups: start.groups)
        }
        command.timeLimit = .seconds(settings.seconds)
        command.memoryLimit = Self.memory
        // One that says much would push the emulator's word out of what is kept.
        var signals = Set<String>()
        let outcome = try sandbox.run(command) { line in
            if line.starts(with: RunEnding.emulatorsWord.utf8) { signals.insert(String(decoding: line, as: UTF8.self)) }
        }
        let kind: RunEnding.Kind =
            switch outcome.status {
            case .exited(let status): .exited(status)
            case .signaled(let signal): .signaled(signal)
            case .expired: .lived
            }
        return RunEnding(kind, lines: signals.sorted() + outcome.lastLines(200))
    }
}

extension FileTree {
    /// With the directories that the services' manager makes before it starts them.
    fileprivate func adding(_ starts: [ProgramStart]) throws -> FileTree {
        var added = [TreePath: FileNode]()
        for start in starts {
            for path in start.made where resolve(path) == nil {
                for step in path.andParents {
                    guard self[step] == nil, let place = resolve(step.parent ?? .root) ?? step.parent else { continue }
                    let whole = place.appending(step.name)
                    guard self[whole] == nil, added[whole] == nil else { continue }
                    added[whole] = FileNode(
                        path: whole, kind: .directory,
                        metadata: Metadata(mode: 0o755, uid: start.uid, gid: start.gid))
                }
            }
        }
        return added.isEmpty ? self : try FileTree(nodes + added.values)
    }
}

extension TreePath {
    /// The path and what it is in, but the root, outermost first.
    fileprivate var andParents: [TreePath] {
        var paths = [TreePath]()
        var path = self
        while !path.isRoot, let parent = path.parent {
            paths.append(path)
            path = parent
        }
        return paths.reversed()
    }
}

/// Whether this program was built for x86-64, whose programs alone the host's kernel starts.
private var isAMD64: Bool {
    #if arch(x86_64)
        true
    #else
        false
    #endif
}
