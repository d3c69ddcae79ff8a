public import RootfsModel

/// The Release file of one pocket of an archive: what InRelease says once its signature is verified and stripped.
public struct ReleaseFile: Hashable, Sendable {
    /// An index of the archive: what the SHA256 table says of it.
    public struct File: Hashable, Sendable {
        public var digest: Digest
        public var size: UInt64

        public init(digest: Digest, size: UInt64) {
            self.digest = digest
            self.size = size
        }
    }

    public var origin: String
    public var label: String
    public var suite: String
    public var codename: String
    public var version: String
    /// UTC seconds since 1970.
    public var date: Int64
    /// UTC seconds since 1970; nil where the Release file never expires.
    public var validUntil: Int64?
    public var acquireByHash: Bool
    public var notAutomatic: Bool
    public var butAutomaticUpgrades: Bool
    public var components: [String]
    public var architectures: [String]
    /// By path below the Release file's directory: `main/binary-amd64/Packages.xz`.
    public var files: [String: File]

    /// The priority that its packages have without pins: apt_preferences(5).
    public var defaultPriority: Int {
        notAutomatic ? (butAutomaticUpgrades ? 100 : 1) : 500
    }

    /// Parses the text. `file` names it in failures: several stanzas, no or bad Date, no SHA256 table, a bad line in
    /// it.
    public init(parsing bytes: [UInt8], file: String) throws(Failure) {
        let stanzas = try Stanza.parse(bytes, file: file)
        guard let stanza = stanzas.first, stanzas.count == 1 else {
            throw Failure("cannot parse \(file): expected one stanza, found \(stanzas.count)")
        }
        func date(_ name: String) throws(Failure) -> Int64? {
            guard let text = stanza[name] else { return nil }
            guard let seconds = parseArchiveDate(text) else {
                throw Failure("cannot parse \(name) of \(file): `\(text)` is no date in UTC")
            }
            return seconds
        }
        func words(_ name: String) -> [String] {
            (stanza[name] ?? "").split(whereSeparator: { $0.isWhitespace }).map(String.init)
        }
        guard let moment = try date("Date") else { throw Failure("cannot parse \(file): it has no Date field") }
        self.date = moment
        self.validUntil = try date("Valid-Until")
        self.origin = stanza["Origin"] ?? ""
        self.label = stanza["Label"] ?? ""
        self.suite = stanza["Suite"] ?? ""
        self.codename = stanza["Codename"] ?? ""
        self.version = stanza["Version"] ?? ""
        self.acquireByHash = stanza["Acquire-By-Hash"]?.lowercased() == "yes"
        self.notAutomatic = stanza["NotAutomatic"]?.lowercased() == "yes"
        self.butAutomaticUpgrades = stanza["ButAutomaticUpgrades"]?.lowercased() == "yes"
        // The security archive writes `updates/main`; what counts is the last part.
        self.components = words("Components").map { $0.split(separator: "/").last.map(String.init) ?? $0 }
        self.architectures = words("Architectures")
        guard stanza.field("SHA256") != nil else { throw Failure("cannot parse \(file): it has no SHA256 table") }
        var files = [String: File]()
        for line in stanza.lines("SHA256") {
            let columns = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard columns.count == 3, let digest = Digest(hex: columns[0]), let size = UInt64(columns[1]) else {
                throw Failure("cannot parse SHA256 of \(file): `\(line)` is no digest, size and path")
            }
            files[String(columns[2])] = File(digest: digest, size: size)
        }
        self.files = files
    }
}
