internal import Booting
internal import Debian
internal import Ext4
internal import RootfsModel
internal import Storage
public import SystemPackage

/// What the disk of a stopped machine says of how its services died: what `autopsy --json` prints.
///
/// The form is stable: keys are added, never renamed.
public struct AutopsyReport: Encodable, Sendable {
    /// One death of the flight record.
    public struct Death: Encodable, Sendable {
        /// Counted over all services: the greatest is the newest.
        public var number: UInt64
        /// `Mon, 23 Nov 2026 16:33:38 UTC`, by the machine's clock.
        public var time: String
        /// The kernel's boot_id.
        public var boot: String
        /// Since boot.
        public var uptimeMilliseconds: Int64
        /// How long it ran; nil where no process was started.
        public var ranMilliseconds: Int64?
        public var pid: Int
        public var restart: Int
        public var command: [String]
        public var argumentsLeftOut: Int
        /// `exit status 127`, `signal SIGSEGV, core dumped`.
        public var ending: String
        public var meaning: String?
        /// systemd's word for it.
        public var result: String
        /// What failed before the program was reached, in systemd's words, and the system's for the cause.
        public var step: String?
        public var error: String?
        public var reason: String
        /// What it wrote last; nil where that was lost.
        public var lines: [String]?
        /// Those of `findings` that explain it, by index, the likeliest first.
        public var findings: [Int]
        /// Changed files that it ran or named, or that its first finding is about.
        public var changes: [String]
    }

    public struct Service: Encodable, Sendable {
        public var name: String
        /// The newest first.
        public var deaths: [Death]
        /// How many more were lost, since their places are half written or damaged.
        public var damagedSlots: Int
    }

    /// What the check says of the disk as it is.
    public struct Finding: Encodable, Sendable {
        public var finding: CheckReport.Entry
        /// Whether the build of the image found it too; nil where nobody knows.
        public var wasKnown: Bool?
        /// The numbers of the deaths that it explains.
        public var explains: [UInt64]
    }

    public var image: String
    /// What has to be known of it since it was not unmounted.
    public var leftMounted: String?
    /// Why there is no record of deaths; nil where there is one.
    public var recordProblem: String?
    public var services: [Service]
    /// The last lines of /var/log/app.log where there is no record.
    public var log: [String]
    /// What it was compared with; nil where nothing is known.
    public var golden: String?
    /// What was changed, programs and libraries first.
    public var changes: [AutopsyChange]
    /// Changes that every machine makes: how many there are of each kind.
    public var churn: [String: Int]
    public var findings: [Finding]
    /// Why nothing was checked.
    public var checkProblem: String?
    /// Paths that cannot be read, a sentence each.
    public var damage: [String]

    public var deathCount: Int { services.reduce(0) { $0 + $1.deaths.count + $1.damagedSlots } }
}

/// Reads the disk of a machine that is stopped, without changing it.
///
/// - Parameters:
///   - path: an image, or a directory that a build wrote.
///   - golden: what the disk began as: an image, a listing, a build's directory, or one with a tree; nil for the
///     listing beside the image, where there is one.
/// - Throws: where the image or the golden one cannot be read.
public func autopsy(
    of path: FilePath, golden: FilePath?, _ settings: CheckSettings, progress: ProgressSink
) async throws -> AutopsyReport {
    guard exists(path) else { throw Failure("there is no image \(path)") }
    let image = try ImageReference.image(at: path)
    let name = image.stem ?? "image"
    let reader = try Ext4Reader(image)
    let golden = try golden.map { path throws in try GoldenTree(at: path) } ?? GoldenTree(beside: image)
    progress(.started(recipe: name, stage: "autopsy"))
    let (tree, damage) = try reader.readableTree(digesting: golden != nil)
    var report = AutopsyReport(
        image: image.string, leftMounted: reader.leftMounted?.text, services: [], log: [],
        golden: golden?.path.string, changes: [], churn: [:], findings: [], damage: damage.map(\.message))
    if let golden { (report.changes, report.churn) = autopsyChanges(of: tree, since: golden.tree) }
    do {
        let record = try golden?.record ?? imageRecord(of: image)
        let folder = golden?.record != nil ? golden?.folder : record != nil ? image.removingLastComponent() : nil
        let known = folder.flatMap { checkReport(in: $0) }
        let check = try await checkTree(
            tree, named: image, record: record, folder: folder, settings, suppressions: known?.suppressionList ?? [])
        report.findings = check.findings.filter { !comesOfRunning($0) }.map { finding in
            let wasKnown = known.map { known in
                (known.findings + known.accepted).contains {
                    ($0.id, $0.service, $0.path, $0.message)
                        == (finding.id, finding.service, finding.path, finding.message)
                }
            }
            return .init(finding: finding, wasKnown: wasKnown, explains: [])
        }
    } catch let failure as Failure {
        report.checkProblem = failure.message
    }
    do {
        try report.addDeaths(from: FlightRecord(flightRecord(in: tree)))
    } catch let failure as Failure {
        report.recordProblem = failure.message
        report.log = lastLines(of: "var/log/app.log", in: tree, 20)
    }
    progress(.finished(recipe: name, stage: "autopsy", detail: report.summary))
    return report
}

/// Whether a machine that ran has it of itself: it says nothing of a death.
private func comesOfRunning(_ finding: CheckReport.Entry) -> Bool {
    ["hygiene/", "suppress/"].contains { finding.id.hasPrefix($0) }
}

private func flightRecord(in tree: FileTree) throws -> [UInt8] {
    guard let node = tree[FlightRecord.path] else {
        throw Failure("it has no \(FlightRecord.path): no supervisor kept deaths in it")
    }
    guard let blob = node.blob, blob.size <= FlightRecord.sizeLimit else {
        throw Failure("\(FlightRecord.path) is no flight record")
    }
    return try blob.readAll()
}

/// The last lines of a text file; none where there is no such file.
private func lastLines(of path: TreePath, in tree: FileTree, _ count: Int) -> [String] {
    guard let blob = tree.resolvedNode(path)?.blob, let reader = try? BlobReader(blob) else { return [] }
    var bytes = [UInt8](repeating: 0, count: Int(min(blob.size, 65_536)))
    guard (try? fill(&bytes, from: reader, at: blob.size - UInt64(bytes.count))) != nil else { return [] }
    return printableLines(bytes, last: count)
}

extension AutopsyReport {
    /// `2 deaths of 1 service, 3 files changed`.
    public var summary: String {
        func count(_ number: Int, _ word: String) -> String { "\(number) \(word)\(number == 1 ? "" : "s")" }
        let dead = services.count { !$0.deaths.isEmpty || $0.damagedSlots > 0 }
        var parts = [
            deathCount == 0 ? "no death recorded" : "\(count(deathCount, "death")) of \(count(dead, "service"))"
        ]
        if golden != nil { parts.append("\(count(changes.count, "path")) changed") }
        return parts.joined(separator: ", ")
    }

    fileprivate mutating func addDeaths(from record: FlightRecord) {
        let causes = DeathCauses(findings: findings.map(\.finding), changes: changes.map(\.path))
        services = record.services.map { service in
            .init(
                name: service.name,
                deaths: service.deaths.map { Death($0, of: service.name, causes) },
                damagedSlots: service.damagedSlots)
        }
        for death in services.flatMap(\.deaths) {
            for index in death.findings { findings[index].explains.append(death.number) }
        }
    }
}

extension AutopsyReport.Death {
    fileprivate init(_ death: RecordedDeath, of service: String, _ causes: DeathCauses) {
        let lines = death.output == nil ? nil : death.lastLines(.max)
        let findings = causes.findings(for: death, of: service)
        self.init(
            number: death.number, time: archiveDate(death.time), boot: death.boot,
            uptimeMilliseconds: death.uptime.milliseconds,
            ranMilliseconds: death.started.map { (death.uptime - $0).milliseconds },
            pid: death.pid, restart: death.restart, command: death.arguments,
            argumentsLeftOut: death.argumentsLeftOut, ending: death.endingText, meaning: death.meaning,
            result: death.result, step: death.step,
            error: death.errorNumber > 0 ? errorText(death.errorNumber) : nil,
            reason: death.reason, lines: lines, findings: findings,
            changes: causes.changes(for: death, first: findings.first))
    }
}

extension Duration {
    fileprivate var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}

/// What a disk began as.
private struct GoldenTree {
    /// What says it.
    var path: FilePath
    var tree: FileTree
    /// The build that made it, and where it is; nil where nobody knows.
    var record: ImageRecord?
    var folder: FilePath?

    /// The listing beside an image; nil where there is none.
    init?(beside image: FilePath) throws {
        let listing = image.removingLastComponent().appending("\(image.stem ?? "").listing")
        guard exists(listing) else { return nil }
        try self.init(at: listing)
    }

    init(at path: FilePath) throws {
        guard exists(path) else { throw Failure("there is no golden image \(path)") }
        self.path = path
        if isDirectory(path) {
            guard exists(path.appending(ImageRecord.fileName)) else {
                tree = try scanDirectory(path, digesting: true)
                return
            }
            let image = try ImageReference.image(at: path)
            folder = path
            record = try imageRecord(of: image)
            let listing = path.appending("\(image.stem ?? "").listing")
            self.path = exists(listing) ? listing : image
        }
        if try Self.isListing(self.path) {
            tree = try Listing.parse(try readFile(at: self.path), name: self.path.string)
        } else {
            tree = try Ext4Reader(self.path).tree(digesting: true)
        }
    }

    private static func isListing(_ path: FilePath) throws -> Bool {
        let reader = try BlobReader(Blob(file: path))
        var bytes = [UInt8](repeating: 0, count: Int(min(6, try Blob(file: path).size)))
        try fill(&bytes, from: reader, at: 0)
        return bytes.elementsEqual("#mtree".utf8)
    }
}
