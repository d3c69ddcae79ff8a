internal import Pipeline
internal import RootfsModel

/// nightly.json: what a night decided and why. Keys are added, never renamed; moments are UTC, `2026-11-24T02:00:00Z`.
public struct NightRecord: Codable, Sendable {
    public enum Decision: String, Codable, Sendable {
        /// Nothing moved, and the outputs are what they were.
        case unchanged
        /// The new image has taken the place of the last good one.
        case accepted
        /// A gate is closed: the last good image stays.
        case refused
        /// There is no new image: it could not be made, or a gate not be asked.
        case failed
    }

    /// One condition, and how it came out.
    public struct Gate: Codable, Sendable, Equatable {
        public enum Outcome: String, Codable, Sendable {
            case passed, refused
            /// Nobody could say: there was no machine to boot it in, no room to build it twice. Closed as `refused` is.
            case unanswered
            /// Nothing could be asked, or another gate was closed before.
            case skipped
            /// The recipe does not ask for it.
            case off
        }

        /// As the recipe's key: `findings`, `boot`, `new-setuid`, `package-removed`, `size-growth`, `reproduced`,
        /// `unpinned`.
        public var name: String
        public var outcome: Outcome
        public var because: String
        /// What shows it, a line each.
        public var evidence: [String]

        public var isClosed: Bool { outcome == .refused || outcome == .unanswered }
    }

    /// Something of the lock that is another.
    public struct Move: Codable, Sendable, Equatable {
        /// `added`, `removed`, `upgraded`, `downgraded`, `rebuilt`, `moved`.
        public var kind: String
        public var name: String
        public var old: String?
        public var new: String?
        public var security: Bool
        /// Why it moved although it was not to.
        public var because: String?
        public var vulnerabilities: [String]
        public var changelog: [String]
    }

    /// What the image is and what it took.
    public struct Figures: Codable, Sendable, Equatable {
        public var imageHash: String
        public var contentHash: String
        /// Bytes of the image file.
        public var imageSize: UInt64
        /// Bytes of it that are in use.
        public var usedSize: UInt64
        public var packages: Int
        public var buildSeconds: Double
        /// From the machine's start until all was ready.
        public var bootSeconds: Double?
    }

    public struct Timing: Codable, Sendable, Equatable {
        /// `update`, `build`, `compare`, `boot`, `reproduce`.
        public var what: String
        public var seconds: Double
    }

    public struct Mistake: Codable, Sendable, Equatable {
        public var message: String
        public var notes: [String]
        public var hint: String?
    }

    public var format = 1
    /// The recipe's path and name.
    public var recipe: String
    public var name: String
    public var moment: String
    public var decision: Decision
    /// In one line.
    public var because: String
    /// The directory of this attempt, below `NAME.nights`; nil where none is kept.
    public var version: String?
    /// The hash of the image that it was compared with; nil where there was none.
    public var lastGood: String?
    /// Digests of the lock before and after; nil where there was, or is, none.
    public var oldLock: String?
    public var newLock: String?
    public var moved: [Move] = []
    /// What the archive has newer and the recipe does not let move without a person.
    public var waiting: [Move] = []
    /// Why outputs had to be made anew.
    public var stale: [String] = []
    public var gates: [Gate] = []
    /// Of the image that was made, or that is in place unchanged.
    public var figures: Figures?
    public var failures: [Mistake] = []
    public var notes: [String] = []
    public var timings: [Timing] = []
    /// Names all that the attempt was made of, and the policy.
    public var inputs: String?
    public var toolVersion: String

    init(recipe: String, name: String, seconds: Int64, toolVersion: String) {
        self.recipe = recipe
        self.name = name
        moment = momentText(seconds)
        decision = .failed
        because = ""
        self.toolVersion = toolVersion
    }

    /// Whether what is there now is as good as a night can make it.
    public var succeeded: Bool { decision == .unchanged || decision == .accepted }

    static let fileName = nightRecordName
}

extension NightRecord.Figures {
    /// nil where there is no image.
    init?(_ records: OutputRecords) {
        guard let image = records.image else { return nil }
        self.init(
            imageHash: image.imageHash, contentHash: image.contentHash, imageSize: image.imageSize,
            usedSize: image.imageSize - min(image.imageSize, image.imageFree), packages: image.packages.count,
            buildSeconds: records.buildSeconds, bootSeconds: records.boot?.times.ready)
    }
}

extension NightRecord.Move {
    init(_ change: LockResult.Change) {
        self.init(
            kind: change.kind, name: change.name, old: change.old, new: change.new, security: change.security,
            because: change.because, vulnerabilities: change.vulnerabilities, changelog: change.changelog)
    }

    /// `upgraded hello from 1 to 2 (security): CVE-…`.
    public var text: String {
        var text = "\(kind) \(name)"
        switch (old, new) {
        case (let old?, let new?): text += " from \(old) to \(new)"
        case (let one?, nil), (nil, let one?): text += " \(one)"
        case (nil, nil): break
        }
        if security { text += " (security)" }
        if !vulnerabilities.isEmpty { text += ": " + vulnerabilities.joined(separator: ", ") }
        return text
    }
}

/// Seconds since 1970 as `2026-11-20T12:00:00Z`.
func momentText(_ seconds: Int64) -> String { CivilDate(seconds).momentText }

/// The day of a moment as text, in days since 1970; nil for another text.
func dayNumber(_ moment: String) -> Int64? {
    let parts = moment.prefix(10).split(separator: "-").compactMap { Int($0) }
    guard parts.count == 3, (1...12).contains(parts[1]) else { return nil }
    return Int64(CivilDate.days(year: parts[0], month: parts[1], day: parts[2]))
}
