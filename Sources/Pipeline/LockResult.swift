internal import Debian

/// What `lock` prints.
public struct LockResult: Encodable, Sendable {
    /// One thing that moved.
    public struct Change: Encodable, Sendable {
        /// `added`, `removed`, `upgraded`, `downgraded`, `rebuilt`, `moved`.
        public var kind: String
        /// A package, or a file.
        public var name: String
        /// Version, or layer where it moved; a digest for a file.
        public var old: String?
        public var new: String?
        /// Whether the new version comes from a pocket of security fixes.
        public var security: Bool
        /// Why a package moved that was not named.
        public var because: String?
        /// The vulnerabilities that the changelog names between the two versions.
        public var vulnerabilities: [String]
        /// What the changelog says between the two versions, newest first; nothing where it is not at hand.
        public var changelog: [String]
        fileprivate var title: String

        private enum CodingKeys: CodingKey {
            case kind, name, old, new, security, because, vulnerabilities, changelog
        }

        /// `upgraded chromium from … to … (security): CVE-…`, and below it why and the top of the changelog.
        public var lines: [String] {
            let (most, width) = (4, 110)
            var lines = [title]
            if let because { lines.append("  because \(because)") }
            lines += changelog.prefix(most).map { "  " + ($0.count > width ? $0.prefix(width - 1) + "…" : $0) }
            if changelog.count > most { lines.append("  and \(changelog.count - most) more in its changelog") }
            return lines
        }

        init(_ change: Lock.Change) {
            kind = change.kind.rawValue
            name = change.name
            old = change.old.isEmpty ? nil : change.old
            new = change.new.isEmpty ? nil : change.new
            security = change.isSecurity
            because = change.because
            vulnerabilities = change.changelog?.vulnerabilities ?? []
            changelog = change.changelog?.items ?? []
            title = change.description
        }
    }

    public var recipe: String
    public var lockPath: String
    public var lockDigest: String
    public var packages: Int
    /// Security fixes first, then by name.
    public var changes: [Change]
}
