public import RootfsModel

public enum MultiArch: String, Hashable, Sendable {
    case no, same, foreign, allowed
}

/// One package: its stanza in an index, or the control file of its .deb (Policy chapter 5).
public struct PackageStanza: Hashable, Sendable {
    public let name: String
    public let version: DebianVersion
    public let architecture: String
    public let isEssential: Bool
    /// `Protected: yes`, or `Important: yes`, its name before.
    public let isProtected: Bool
    /// As written; empty without one.
    public let priority: String
    public let section: String?
    public let multiArch: MultiArch
    /// The source package's name; the package's own where the stanza has none.
    public let source: String
    public let sourceVersion: DebianVersion
    /// KiB, as the stanza has it.
    public let installedSize: UInt64?
    /// Of an index: path below the archive's root, size in bytes and digest of the .deb.
    public let filename: String?
    public let size: UInt64?
    public let sha256: Digest?
    public let preDepends: [DependencyGroup]
    public let depends: [DependencyGroup]
    public let recommends: [DependencyGroup]
    public let suggests: [DependencyGroup]
    public let enhances: [DependencyGroup]
    public let conflicts: [Relation]
    public let breaks: [Relation]
    public let replaces: [Relation]
    public let provides: [Relation]
    /// All fields, in the order of the text.
    public let stanza: Stanza
    /// The text it was parsed from, verbatim, up to and with the last line's line feed.
    public let raw: [UInt8]

    /// Parses one stanza's text. `file` names it in failures: no stanza or several, no Package, Version or
    /// Architecture, a relation or number that is none.
    public init(parsing bytes: [UInt8], file: String) throws(Failure) {
        let stanzas = try Stanza.parse(bytes, file: file)
        guard let stanza = stanzas.first, stanzas.count == 1 else {
            throw Failure("cannot parse \(file): expected one stanza, found \(stanzas.count)")
        }
        try self.init(stanza, raw: bytes, file: file)
    }

    init(_ stanza: Stanza, raw: [UInt8], file: String) throws(Failure) {
        func required(_ name: String) throws(Failure) -> String {
            guard let value = stanza[name], !value.isEmpty else {
                throw Failure("cannot parse \(file): the stanza at line \(stanza.line) has no \(name) field")
            }
            return value
        }
        let name = try required("Package")
        func groups(_ field: String) throws(Failure) -> [DependencyGroup] {
            guard let value = stanza[field] else { return [] }
            return try DependencyGroup.parse(value, context: "\(field) of \(name) in \(file)")
        }
        func relations(_ field: String) throws(Failure) -> [Relation] {
            try groups(field).flatMap(\.alternatives)
        }
        func number(_ field: String) throws(Failure) -> UInt64? {
            guard let value = stanza[field] else { return nil }
            guard let number = UInt64(value) else {
                throw Failure("cannot parse \(field) of \(name) in \(file): `\(value)` is no number")
            }
            return number
        }
        func isYes(_ field: String) -> Bool { stanza[field]?.lowercased() == "yes" }

        self.stanza = stanza
        self.raw = raw
        self.name = name
        self.version = DebianVersion(try required("Version"))
        self.architecture = try required("Architecture")
        self.isEssential = isYes("Essential")
        self.isProtected = isYes("Protected") || isYes("Important")
        self.priority = stanza["Priority"] ?? ""
        self.section = stanza["Section"]
        self.multiArch = stanza["Multi-Arch"].flatMap { MultiArch(rawValue: $0.lowercased()) } ?? .no
        let source = stanza["Source"].map(SourceName.init)
        self.source = source?.name ?? name
        self.sourceVersion = source?.version.map { DebianVersion($0) } ?? version
        self.installedSize = try number("Installed-Size")
        self.filename = stanza["Filename"]
        self.size = try number("Size")
        if let hex = stanza["SHA256"] {
            guard let digest = Digest(hex: hex) else {
                throw Failure("cannot parse SHA256 of \(name) in \(file): `\(hex)` is no digest")
            }
            self.sha256 = digest
        } else {
            self.sha256 = nil
        }
        self.preDepends = try groups("Pre-Depends")
        self.depends = try groups("Depends")
        self.recommends = try groups("Recommends")
        self.suggests = try groups("Suggests")
        self.enhances = try groups("Enhances")
        self.conflicts = try relations("Conflicts")
        self.breaks = try relations("Breaks")
        self.replaces = try relations("Replaces")
        self.provides = try relations("Provides")
    }
}

/// The Source field: `name` or `name (version)`.
public struct SourceName: Hashable, Sendable {
    public let name: String
    /// nil where it is the package's own.
    public let version: String?

    public init(_ text: String) {
        let parts = text.split(whereSeparator: { " ()\t".contains($0) })
        self.name = parts.first.map(String.init) ?? ""
        self.version = parts.count > 1 ? String(parts[1]) : nil
    }
}
