internal import Checks
internal import Ext4
internal import Kernels
internal import Recipes
internal import RootfsModel
public import Storage
public import SystemPackage

/// What a check takes besides what it checks.
public struct CheckSettings: Sendable {
    /// A directory with the kernel; nil: the one beside the image, or the recipe's.
    public var kernel: FilePath?
    /// `firecracker` or `qemu`.
    public var monitor: String
    /// One of `processors`, in whatever case; nil: the architecture's least.
    public var cpu: String?
    /// Debian's name of the architecture, where nothing says it.
    public var hostArchitecture: String
    /// A store to look for packages in that have what is missing, and to run programs in.
    public var store: Store?
    /// How the services' programs are run; nil: nothing is.
    public var run: RunSettings?

    public init(
        kernel: FilePath? = nil, monitor: String = "firecracker", cpu: String? = nil, hostArchitecture: String,
        store: Store? = nil
    ) {
        self.kernel = kernel
        self.monitor = monitor
        self.cpu = cpu
        self.hostArchitecture = hostArchitecture
        self.store = store
    }

    /// The monitors that `monitor` can name.
    public static let monitors = CheckSubject.Machine.Monitor.allCases.map(\.rawValue)
    /// The levels, templates and models that `cpu` can name.
    public static let processors = CheckSubject.Machine.processors
}

/// Checks an image or a directory: one that a build wrote, with its kernel and machine, or the root of a tree.
///
/// - Parameter warn: takes what has to be known besides.
/// - Throws: where it cannot be read, or is damaged, or its programs cannot be run as they are to be.
public func checkImage(
    at path: FilePath, _ settings: CheckSettings, warn: (String) -> Void = { _ in }
) async throws -> CheckReport {
    guard exists(path) else { throw Failure("there is no image \(path)") }
    let isBuild = isDirectory(path) && exists(path.appending(ImageRecord.fileName))
    if isDirectory(path) && !isBuild {
        let tree = try scanDirectory(path, digesting: false)
        if tree.nodes.count == 1 { throw Failure("\(path) is empty: there is nothing to check") }
        return try await checkTree(tree, named: path, record: nil, folder: nil, settings, suppressions: [])
    }
    let image = isBuild ? try imageOrListing(in: path) : path
    if image.extension == "listing" {
        throw Failure("\(path) has no image to check, only its listing", hint: "build again")
    }
    let reader = try Ext4Reader(image)
    let tree = try reader.tree(digesting: false)
    let folder = image.removingLastComponent()
    for sentence in strangeRecords(beside: image) { warn("\(path): \(sentence); it is left aside") }
    // Which image a record is of that cannot be read, another record does not say either.
    let isStrange = ImageRecord.paths(beside: image).contains { strangeness(of: $0, as: ImageRecord.self) != nil }
    let record = isStrange ? nil : try imageRecord(of: image)
    // What the recipe accepts holds for its image.
    let accepted = record == nil ? nil : checkReport(in: folder)
    var report = try await checkTree(
        tree, named: image, record: record, folder: record == nil ? nil : folder, settings,
        suppressions: accepted?.suppressionList ?? [])
    report.leftMounted = reader.leftMounted?.text
    return report
}

/// What the build in this folder found; nil where nothing says it.
func checkReport(in folder: FilePath) -> CheckReport? {
    (try? readFile(at: folder.appending(CheckReport.fileName))).flatMap { parseRecord(CheckReport.self, from: $0) }
}

/// What lies beside an image and says that it is of this one: after an injection its own, else its build's.
func imageRecord(of image: FilePath) throws -> ImageRecord? {
    for path in ImageRecord.paths(beside: image) {
        guard let record = parseRecord(ImageRecord.self, from: try readFile(at: path)) else {
            throw Failure("\(path) is not a record of this version", hint: "build again, or move the image elsewhere")
        }
        if path == ImageRecord.path(of: image) || image.lastComponent?.string == "\(record.name).ext4" { return record }
    }
    return nil
}

/// Checks a tree that was read already.
///
/// - Parameters:
///   - record: the image's build's; nil for one of somebody else.
///   - folder: where that build's kernel is; nil where nobody knows.
func checkTree(
    _ tree: FileTree, named name: FilePath, record: ImageRecord?, folder: FilePath?, _ settings: CheckSettings,
    suppressions: [Suppression]
) async throws -> CheckReport {
    let architecture =
        try record?.architecture ?? debianArchitecture(of: tree, read: readPart) ?? settings.hostArchitecture
    var machine = settings.machine
    if let record {
        machine.memory = UInt64(record.boot.memoryMiB) << 20
        machine.hasReadOnlyRoot = record.verity != nil
    }
    var kernel: CheckSubject.Kernel?
    if let directory = settings.kernel {
        kernel = try CheckSubject.Kernel(in: directory, architecture: architecture, record: nil)
    } else if let folder, record?.kernel != nil {
        kernel = try CheckSubject.Kernel(in: folder, architecture: architecture, record: record)
    }
    let subject = try CheckSubject(
        tree: tree, architecture: architecture, recipe: nil, kernel: kernel, machine: machine)
    var report = try CheckReport(
        of: subject, named: name.string, suppressions: suppressions,
        run: try await CheckReport.Run(subject, settings.run, store: settings.store))
    try report.findPackages(by: PackageSearch(of: tree, store: settings.store))
    return report
}

extension CheckReport.Run {
    /// Runs the programs of a subject, where that is asked for.
    init?(_ subject: CheckSubject, _ settings: RunSettings?, store: Store?) async throws {
        guard let settings else { return nil }
        guard let store else { throw Failure("there is no store to run programs in", hint: "name one with --cache") }
        let starts = try subject.programStarts()
        let runs = try ProgramRuns(of: subject, starts, settings, store: store)
        self.init(processor: runs.processor, seconds: settings.seconds, programs: runs.starts.count)
        findings = try await withTaskExecutorPreference(ThreadExecutor()) { try await runs.findings() }
    }
}

extension CheckSettings {
    var machine: CheckSubject.Machine {
        CheckSubject.Machine(monitor: .init(rawValue: monitor) ?? .firecracker, cpu: cpu)
    }
}

extension CheckSubject {
    /// A tree, with the services that it starts. Where it comes from a recipe, a recipe's service has the recipe's name
    /// and place, and all that its unit says.
    init(tree: FileTree, architecture: String, recipe: Recipe?, kernel: Kernel?, machine: Machine) throws {
        var found = try discoverServices(in: tree, arguments: kernel?.arguments ?? [], read: readPart)
        var services = [Service]()
        for own in recipe?.services ?? [] {
            let index = found.firstIndex { $0.name == "app-\(own.name.value).service" }
            services.append(index.map { Service(found.remove(at: $0), of: own) } ?? Service(own))
        }
        self.init(
            tree: tree, architecture: architecture, services: services + found, kernel: kernel, machine: machine,
            read: readPart)
    }
}

/// Some bytes of a file, fewer at its end.
@Sendable private func readPart(of blob: Blob, _ range: Range<UInt64>) throws -> [UInt8] {
    let range = range.clamped(to: 0..<blob.size)
    if case .bytes(let bytes) = blob.source { return Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)]) }
    if range.isEmpty { return [] }
    let reader = try BlobReader(blob)
    var failure: Failure?
    let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
        do throws(Failure) {
            try reader.read(into: UnsafeMutableRawBufferPointer(buffer), at: range.lowerBound)
            count = range.count
        } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
}

extension Service {
    /// What a unit says, with the name and the places of the recipe's service that it was made from.
    fileprivate init(_ unit: Service, of service: Recipe.Service) {
        self = unit
        name = service.name.value
        location = service.name.location
        for index in commands.indices where ["ExecStart", "command"].contains(commands[index].role) {
            commands[index].location = service.command.first?.location ?? service.name.location
        }
    }

    /// The recipe's service as it says it, where no unit of the image says more.
    fileprivate init(_ service: Recipe.Service) {
        self.init(
            name: service.name.value, origin: .recipe,
            commands: [
                Command(
                    role: "command", words: service.command.map(\.value),
                    location: service.command.first?.location ?? service.name.location)
            ],
            environment: Dictionary(
                service.environment.map { ($0.name, $0.value) }, uniquingKeysWith: { _, last in last }),
            user: service.user.value, output: .journal, errors: .journal, location: service.name.location)
    }
}
