import RootfsModel

/// The versions of images, the newest first: what each is, and what it has otherwise than the one before it of the same
/// recipe. Its encoded form is stable: keys are added and never renamed.
public struct VersionLog: Encodable, Sendable {
    /// How the order comes about.
    public static let order = "newest first: by moment, then by when it was built, then by name"

    /// One image, as far as it is known.
    public struct Version: Encodable, Sendable {
        /// As the user named it, or the folder's name below what he named.
        public var name: String
        /// The recipe's name.
        public var recipe: String?
        /// SOURCE_DATE_EPOCH; of an image without a record when its file system was made.
        public var moment: Int64?
        /// When its build wrote it, in UTC seconds since 1970.
        public var built: Int64?
        public var contentHash: String?
        public var imageHash: String?
        /// The image file's bytes, and those in use in its file system.
        public var imageSize: UInt64?
        public var used: UInt64?
        /// Release or package.
        public var kernel: String?
        /// nil where nobody knows.
        public var packages: Int?
        /// Whether the last boot of this image was good, and its verdict; nil where it was not booted.
        public var proven: Bool?
        public var verdict: String?
        /// What has to be known besides.
        public var notes: [String] = []
        /// nil for the first of its recipe.
        public var since: Step?

        public init(name: String) { self.name = name }
    }

    /// From one version to the next.
    public struct Step: Encodable, Sendable {
        /// The version before.
        public var before: String
        public var added = 0
        public var removed = 0
        public var upgraded = 0
        public var downgraded = 0
        /// nil where one of the two does not say its packages.
        public var packages: [PackageChange]?
        /// The vulnerabilities that the changelogs name: closed by upgrades, open again after downgrades.
        public var closes: [String] = []
        public var opens: [String] = []
        /// Whether any changelog of those that moved was at hand.
        public var hasChangelogs = false
        public var usedDelta: Int64?
        /// The kernel before, where it was another.
        public var kernelBefore: String?
    }

    /// What was to be an image and is none, or cannot be read.
    public struct Problem: Encodable, Sendable, Hashable {
        public var name: String
        public var problem: String

        public init(name: String, problem: String) {
            self.name = name
            self.problem = problem
        }
    }

    public var format = 1
    public var order = VersionLog.order
    public var versions: [Version] = []
    /// By name.
    public var problems: [Problem] = []

    /// Puts versions into their order and compares each with the one before it.
    ///
    /// - Parameters:
    ///   - images: each with its packages, where they are known.
    ///   - detail: adds to an image where its changelogs are; called for those of which packages moved.
    public init(
        _ images: [(version: Version, image: ComparedImage)], problems: [Problem],
        detail: (ComparedImage, _ name: String) -> ComparedImage
    ) {
        let sorted = images.sorted { Self.isOlder($1.version, than: $0.version) }
        var detailed = [Int: ComparedImage]()
        for (index, (version, image)) in sorted.enumerated() {
            var version = version
            let earlier = sorted[(index + 1)...].firstIndex { $0.version.recipe == version.recipe }
            if let earlier {
                var pair = [index: image, earlier: sorted[earlier].image]
                if packageChanges(from: sorted[earlier].image, to: image, rebuilt: []).contains(where: \.isOtherVersion)
                {
                    for number in [index, earlier] {
                        let known = detailed[number] ?? detail(sorted[number].image, sorted[number].version.name)
                        detailed[number] = known
                        pair[number] = known
                    }
                }
                version.since = Step(
                    from: sorted[earlier].version, pair[earlier] ?? sorted[earlier].image, to: version,
                    pair[index] ?? image)
            }
            detailed[index] = nil
            versions.append(version)
        }
        self.problems = problems.sorted { $0.name < $1.name }
    }

    private static func isOlder(_ left: Version, than right: Version) -> Bool {
        (left.moment ?? .min, left.built ?? .min, left.name) < (right.moment ?? .min, right.built ?? .min, right.name)
    }
}

extension VersionLog.Step {
    fileprivate init(
        from old: VersionLog.Version, _ before: ComparedImage, to new: VersionLog.Version, _ after: ComparedImage
    ) {
        self.before = old.name
        if let was = old.used, let now = new.used { usedDelta = Int64(now) - Int64(was) }
        if old.kernel != new.kernel { kernelBefore = old.kernel }
        guard before.packages != nil, after.packages != nil else { return }
        var changes = packageChanges(from: before, to: after, rebuilt: [])
        var unread = [Comparison.Obstacle]()
        changes.addChangelogs(before, after, &unread)
        added = changes.count { $0.change == .added }
        removed = changes.count { $0.change == .removed }
        upgraded = changes.count { $0.change == .upgraded }
        downgraded = changes.count { $0.change == .downgraded }
        closes = changes.vulnerabilities(.upgraded)
        opens = changes.vulnerabilities(.downgraded)
        hasChangelogs = changes.contains { $0.changelog != nil }
        packages = changes
    }
}

extension PackageChange {
    /// Whether it has another version, of which a changelog can say something.
    fileprivate var isOtherVersion: Bool { change == .upgraded || change == .downgraded }
}

// MARK: text

extension VersionLog {
    /// A line a version, in columns.
    public func text() -> String {
        let hasSeveralRecipes = Set(versions.map(\.recipe)).count > 1
        let rows = versions.map { version -> [String] in
            [
                version.moment.map(dateText) ?? "-", version.built.map { "built \(minuteText($0))" } ?? "-",
                version.contentHash.map(Self.short) ?? "-", version.name,
                hasSeveralRecipes ? version.recipe ?? "-" : "", version.packageText, version.sizeText,
                version.proven == true ? "proven" : version.verdict ?? "not booted",
            ]
        }
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        var lines = zip(versions, rows).map { version, row in
            let cells = zip(row, widths).filter { $1 > 0 }.map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            var line = (cells + version.remarks).joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
        lines += problems.map { "not listed: \($0.name): \($0.problem)" }
        return lines.map { $0 + "\n" }.joined()
    }

    /// The first twelve digits of a digest.
    private static func short(_ digest: String) -> String {
        String((digest.split(separator: ":").last ?? "").prefix(12))
    }
}

extension VersionLog.Version {
    fileprivate var packageText: String {
        guard let since, since.packages != nil else { return packages.map { counted($0, "package") } ?? "-" }
        return "+\(since.added) -\(since.removed) ~\(since.upgraded + since.downgraded)"
    }

    fileprivate var sizeText: String {
        guard let used else { return "-" }
        return byteText(used) + (since?.usedDelta.map { " (\(deltaText($0)))" } ?? "")
    }

    /// What has no column.
    fileprivate var remarks: [String] {
        var remarks = [String]()
        if let since {
            if !since.closes.isEmpty { remarks.append("closes " + Self.shortened(since.closes)) }
            if !since.opens.isEmpty { remarks.append("opens again " + Self.shortened(since.opens)) }
            if since.upgraded > 0, !since.hasChangelogs { remarks.append("no changelogs at hand") }
            if let before = since.kernelBefore { remarks.append("kernel \(before) → \(kernel ?? "none")") }
        }
        return remarks + notes
    }

    private static func shortened(_ names: [String]) -> String {
        names.prefix(3).joined(separator: ", ") + (names.count > 3 ? " and \(names.count - 3) more" : "")
    }
}
