public import RootfsModel

/// A mistake that images were lost to, to be planted into a good one: the self-test of the gate that `boot` is.
public struct Fault: Sendable {
    /// What `--fault` takes: `wrong-path`.
    public let name: String
    /// One clause: `the service's program is not where its unit says`.
    public let summary: String
    /// The verdict of a boot, by its name there.
    public let verdict: String
    /// Texts that the console has to hold: together they name the cause. None where the fault silences the console.
    public let cause: [String]
    /// The finding of `check` that foresees it; nil where an image alone does not show it.
    public let finding: String?
    /// How long the machine is watched after all was ready, in seconds: some faults show late.
    public var soak = 5
    let plant: @Sendable (FaultyImage) throws(Failure) -> Planting

    /// What has to be changed of this image and its machine.
    ///
    /// - Throws: where the image has nothing that could be broken so: it says what is missing.
    public func planting(in image: FaultyImage) throws(Failure) -> Planting {
        do {
            return try plant(image)
        } catch {
            throw Failure("the fault \(name) cannot be planted: \(error.message)", hint: error.hint, status: .usage)
        }
    }

    /// Every fault, sorted by name.
    public static let all = (exec + files + unit + runtime + machine).sorted { $0.name < $1.name }

    /// - Throws: for a name that no fault has, with the nearest one that there is.
    public static func named(_ name: String) throws(Failure) -> Fault {
        if let fault = all.first(where: { $0.name == name }) { return fault }
        let nearest = nearestName(to: name, among: all.map(\.name))
        throw Failure(
            "there is no fault \(name)",
            hint: nearest.map { "did you mean \($0)?" } ?? "one of: \(all.map(\.name).joined(separator: ", "))",
            status: .usage)
    }
}

/// What a fault changes.
public struct Planting: Sendable {
    public var change = TreeChange()
    /// Kernel arguments that go, by name, and those that come behind the others.
    public var withoutArguments: Set<String> = []
    public var arguments: [String] = []
    /// Whether the fault shows on a processor of the least level alone, x86-64.
    public var needsOldProcessor = false

    /// The recipe's kernel arguments with the change.
    public func changed(_ arguments: [String]) -> [String] {
        arguments.filter { !withoutArguments.contains(String($0.prefix { $0 != "=" })) } + self.arguments
    }
}

/// The good image that a fault is planted into, with the service that it is for.
public struct FaultyImage: Sendable {
    public let tree: FileTree
    let service: String
    let moment: Timestamp
    private let read: @Sendable (Blob) throws -> [UInt8]

    /// - Parameters:
    ///   - service: a name of the recipe's; nil for the first that serves.
    ///   - services: the recipe's.
    ///   - moment: the time that planted files carry.
    ///   - read: gives all bytes of a file of the tree.
    public init(
        tree: FileTree, service: String?, services: [String], moment: Timestamp,
        read: @escaping @Sendable (Blob) throws -> [UInt8]
    ) throws(Failure) {
        if let service, !services.contains(service) {
            throw Failure(
                "the image has no service \(service)",
                hint: services.isEmpty ? "its recipe names none" : "it has \(services.joined(separator: ", "))",
                status: .usage)
        }
        guard let chosen = service ?? services.last else {
            throw Failure("the image has no service to break", hint: "its recipe names none", status: .usage)
        }
        self.tree = tree
        self.service = chosen
        self.moment = moment
        self.read = read
    }

    var unit: TreePath { TreePath(normalizing: "/etc/systemd/system/app-\(service).service") ?? .root }

    /// Settings for the service's unit, in a file that wins over all others.
    func settings(_ lines: [String], and puts: [FileNode] = []) throws(Failure) -> Planting {
        // A service that cannot live is given up soon.
        let lines = lines + ["Environment=SUPERVISOR_BACKOFF=200-400"]
        let text = "[Service]\n" + lines.map { $0 + "\n" }.joined()
        let drop = try file("/etc/systemd/system/app-\(service).service.d/99-fault.conf", Array(text.utf8), mode: 0o644)
        guard tree.resolvedNode(unit)?.blob != nil else {
            throw Failure("app-\(service).service is no unit of the image", hint: "this fault needs systemd")
        }
        return Planting(change: TreeChange(puts: [drop] + puts))
    }

    /// The service runs this instead of its own program.
    func command(_ words: String, _ more: [String] = [], and puts: [FileNode] = []) throws(Failure) -> Planting {
        try settings(["ExecStart=", "ExecStart=\(words)"] + more, and: puts)
    }

    /// Likewise a planted file, with other settings.
    func program(
        _ bytes: [UInt8], mode: UInt16 = 0o755, _ more: [String] = [], needsOldProcessor: Bool = false
    ) throws(Failure) -> Planting {
        let path = "/usr/local/bin/planted"
        var planting = try command(path, more, and: [try file(path, bytes, mode: mode)])
        planting.needsOldProcessor = needsOldProcessor
        return planting
    }

    func file(_ path: String, _ bytes: [UInt8], mode: UInt16) throws(Failure) -> FileNode {
        guard let path = TreePath(normalizing: path) else { throw Failure("\(path) is no path") }
        return FileNode(
            path: tree.placement(of: path), kind: .file(Blob(bytes), linkGroup: 0),
            metadata: Metadata(mode: mode, mtime: moment))
    }

    /// Removes what matches; none is a failure.
    ///
    /// - Parameter directory: where links may lead to it: `/lib` is `/usr/lib`.
    func removal(
        in directory: TreePath, of what: String, where matches: (FileNode) -> Bool
    ) throws(Failure) -> Planting {
        let place = tree.resolve(directory) ?? directory
        let found = tree.nodes.filter { $0.path.isWithin(place) && $0.path != place && matches($0) }.map(\.path)
        if found.isEmpty { throw Failure("the image has no \(what) in \(directory)") }
        return Planting(change: TreeChange(removals: found))
    }

    /// The dynamic loader's path by the image's architecture.
    func loader() throws(Failure) -> String {
        let path = "/lib64/ld-linux-x86-64.so.2"
        guard let place = TreePath(normalizing: path), tree.resolvedNode(place) != nil else {
            throw Failure("the image has no \(path)", hint: "planted programs are built for x86-64 and glibc")
        }
        return path
    }

    /// All bytes of a file, through links.
    func contents(_ path: TreePath) throws(Failure) -> [UInt8] {
        guard let blob = tree.resolvedNode(path)?.blob else { throw Failure("the image has no file \(path)") }
        do {
            return try read(blob)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure("cannot read \(path): \(error)")
        }
    }
}
