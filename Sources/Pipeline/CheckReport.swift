internal import Checks
internal import Recipes
internal import RootfsModel

/// What a check came to: check.json, and what `check --json` prints. Equal images give equal reports.
///
/// The form is stable: keys are added, never renamed; a severity is `error`, `warning` or `note`, a verdict `ok`,
/// `warning` or `error`.
public struct CheckReport: Codable, Sendable {
    /// A place in a recipe, or in a file of the image.
    public struct Place: Codable, Sendable, Equatable {
        /// Relative to the recipe's root folder; absolute in an image.
        public var file: String
        public var isInImage: Bool
        /// From 1.
        public var line: Int
        public var column: Int
        /// The line's text.
        public var text: String
    }

    /// What brings a missing file.
    public struct Mending: Codable, Sendable, Equatable {
        public var package: String
        public var version: String
        /// The path of it that is missing.
        public var path: String
        /// Whether the image has this package, and lost the file.
        public var isInstalled: Bool
    }

    public struct Entry: Codable, Sendable {
        /// `rule/what`.
        public var id: String
        public var severity: String
        /// The service concerned; nil: the image as a whole.
        public var service: String?
        /// The path in the image.
        public var path: String?
        public var message: String
        /// The chain of reasoning.
        public var reasons: [String]
        public var remedy: String?
        /// The file that is missing, where one is.
        public var missing: String?
        /// Packages that have it, the image's own first.
        public var packages: [Mending]
        public var location: Place?
        /// Why it is accepted; nil for an open one.
        public var acceptedBecause: String?

        /// Whether it is about the recipe's service of this name, or the unit that runs it.
        func concerns(service name: String) -> Bool {
            service == name || service == "app-\(name).service"
        }
    }

    public struct ServiceEntry: Codable, Sendable {
        public var name: String
        /// `recipe`, `systemd`, `inittab`, `run` or `script`, with the path where there is one: `systemd /etc/…`.
        public var origin: String
        /// The words of its program: of what it runs, neither before nor after it.
        public var command: [String]
        public var user: String
        public var verdict: String
        public var location: Place?
    }

    public struct Machine: Codable, Sendable {
        public var monitor: String
        public var cpu: String?
        public var memoryMiB: UInt64
        public var readOnlyRoot: Bool
    }

    public struct Kernel: Codable, Sendable {
        public var release: String?
        /// Whether its configuration is known.
        public var hasConfiguration: Bool
        public var arguments: [String]
    }

    /// What was run for a moment.
    public struct Run: Codable, Sendable {
        /// qemu-user's name of the processor.
        public var processor: String
        public var seconds: Int
        /// How many programs were started.
        public var programs: Int
        var findings = [Finding]()

        enum CodingKeys: String, CodingKey { case processor, seconds, programs }
    }

    /// What was accepted beforehand.
    public struct Accepted: Codable, Sendable, Equatable {
        public var id: String
        public var path: String?
        public var because: String
    }

    /// The image, the directory or the recipe.
    public var subject: String
    /// What has to be known of an image that was not unmounted.
    public var leftMounted: String?
    public var architecture: String
    public var machine: Machine
    /// nil where none was given.
    public var kernel: Kernel?
    /// nil where nothing was run.
    public var run: Run?
    public var errors: Int
    public var warnings: Int
    public var notes: Int
    public var services: [ServiceEntry]
    /// The worst first.
    public var findings: [Entry]
    public var accepted: [Entry]
    public var suppressions: [Accepted]

    /// Whether nothing is in the way of the image.
    public var succeeded: Bool { errors == 0 }
}

extension CheckReport {
    static let fileName = "check.json"

    /// Applies all rules.
    ///
    /// - Parameters:
    ///   - recipe: where it comes from one, for what is said of places in it.
    ///   - run: what came of running its programs, where they were.
    init(
        of subject: CheckSubject, named name: String, suppressions: [Suppression], recipe: Recipe? = nil,
        run: Run? = nil
    ) throws {
        let all = try check(subject) + (run?.findings ?? [])
        let sorted = Severity.allCases.reversed().flatMap { severity in all.filter { $0.severity == severity } }
        let (open, accepted) = suppress(sorted, by: suppressions)
        func place(_ location: SourceLocation?) -> Place? {
            location.map { Place($0, in: recipe) }
        }
        func entry(_ finding: Finding, because: String? = nil) -> Entry {
            Entry(
                id: finding.id, severity: finding.severity.rawValue, service: finding.service,
                path: finding.path?.description, message: finding.message, reasons: finding.reasons,
                remedy: finding.remedy, missing: finding.missing?.description, packages: [],
                location: place(finding.location), acceptedBecause: because)
        }
        func count(_ severity: Severity) -> Int { open.count { $0.severity == severity } }
        self.subject = name
        architecture = subject.architecture
        machine = Machine(
            monitor: subject.machine.monitor.rawValue, cpu: subject.machine.cpu,
            memoryMiB: subject.machine.memory >> 20, readOnlyRoot: subject.machine.hasReadOnlyRoot)
        kernel = subject.kernel.map {
            Kernel(release: $0.release, hasConfiguration: $0.options != nil, arguments: $0.arguments)
        }
        self.run = run
        errors = count(.error)
        warnings = count(.warning)
        notes = count(.note)
        services = subject.services.map { service in
            let worst = open.lazy.filter { $0.service == service.name }.map(\.severity).max()
            return ServiceEntry(
                name: service.name, origin: service.origin.text, command: service.program?.words ?? [],
                user: service.user, verdict: worst.flatMap { $0 == .note ? nil : $0.rawValue } ?? "ok",
                location: place(service.location))
        }
        findings = open.map { entry($0) }
        self.accepted = accepted.map { entry($0.finding, because: $0.by.because) }
        self.suppressions = suppressions.map {
            Accepted(id: $0.id, path: $0.path?.description, because: $0.because)
        }
    }

    /// Adds the packages that have what is missing.
    mutating func findPackages(by search: PackageSearch) throws {
        for index in findings.indices {
            guard let path = findings[index].missing.flatMap({ TreePath(normalizing: $0) }) else { continue }
            findings[index].packages = try search.packages(with: path)
        }
    }

    /// What was accepted beforehand, as a check takes it.
    var suppressionList: [Suppression] {
        suppressions.map {
            Suppression(id: $0.id, path: $0.path.flatMap { TreePath(normalizing: $0) }, because: $0.because)
        }
    }

    /// The open errors, as what a build ends with.
    var failures: [Failure] {
        findings.filter { $0.severity == Severity.error.rawValue }.map { entry in
            let place = entry.location.map {
                SourceLocation(
                    file: $0.file, line: $0.line, column: $0.column,
                    length: max(1, $0.text.count - $0.column + 1), text: $0.text)
            }
            return Failure(
                "\(entry.id): \(entry.subject)\(entry.message)", at: place,
                notes: entry.reasons + entry.packages.map(\.text), hint: entry.remedy)
        }
    }

    /// `1 error, 2 warnings`.
    public var summary: String {
        let counts = [(errors, "error"), (warnings, "warning"), (notes, "note")].filter { $0.0 > 0 }.map {
            $0.0 == 1 ? "1 \($0.1)" : "\($0.0) \($0.1)s"
        }
        return counts.isEmpty ? "nothing found" : counts.joined(separator: ", ")
    }
}

extension CheckReport.Entry {
    /// `service web: `, or nothing.
    public var subject: String { service.map { "service \($0): " } ?? "" }
}

extension CheckReport.Mending {
    /// As a sentence for people.
    public var text: String {
        isInstalled
            ? "the package \(package) \(version), which the image has, brings \(path): something took it out"
            : "the package \(package) \(version) brings \(path)"
    }
}

extension CheckReport.Place {
    init(_ location: SourceLocation, in recipe: Recipe?) {
        let isInImage = recipe?.sources.contains { $0.path == location.file } != true
        var file = location.file
        if let root = recipe?.root, !isInImage, file.hasPrefix(root + "/") { file.removeFirst(root.count + 1) }
        self.init(
            file: file, isInImage: isInImage, line: location.line, column: location.column, text: location.text)
    }
}

extension Service {
    /// The command that is the service itself.
    fileprivate var program: Command? {
        commands.last { ["ExecStart", "command"].contains($0.role) } ?? commands.last
    }
}

extension Service.Origin {
    fileprivate var text: String {
        switch self {
        case .recipe: "recipe"
        case .systemd(let path): "systemd \(path)"
        case .inittab: "inittab"
        case .runFolder(let path): "run \(path)"
        case .script(let path): "script \(path)"
        }
    }
}
