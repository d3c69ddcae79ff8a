public import RootfsModel

/// What two images have otherwise. Its encoded form is docs/diff.schema.json: stable, keys are added and never renamed.
///
/// Paths are absolute; a byte that is no UTF-8, a control character or a backslash stands as `\ooo`, in octal.
/// Sizes are bytes, times UTC seconds since 1970.
public struct Comparison: Encodable, Sendable {
    /// Of the encoded form.
    public static let formatVersion = 1

    public var format = Comparison.formatVersion
    public var old: Side
    public var new: Side
    /// Whether nothing that was compared is otherwise.
    public var isIdentical: Bool
    /// What could not be compared, and why.
    public var notCompared: [Obstacle] = []
    /// Paths that cannot be read on one side; neither they nor what is below them is compared.
    public var damaged: [Damage] = []
    public var counts = Counts()
    /// The gravest first.
    public var security: [SecurityChange] = []
    /// By name.
    public var packages: [PackageChange] = []
    public var kernel: KernelChange?
    /// By name.
    public var services: [ServiceChange] = []
    /// Users, then groups, by name.
    public var accounts: [AccountChange] = []
    /// Texts that configure something, by path.
    public var configuration: [FilePatch] = []
    /// Other texts, by path; only where patches of all were asked for.
    public var patches: [FilePatch] = []
    /// What no section above tells, by folder.
    public var folders: [FolderChange] = []
    /// nil where a side has no tree.
    public var sizes: Sizes?
    /// Paths whose kind and content are the same: what they have otherwise.
    public var metadata: [MetadataChange] = []
    /// Paths that changed without a cause; empty between two golden images.
    public var notExplained: [String] = []
    /// Every changed path, once, by path.
    public var paths: [PathChange] = []

    /// One without a difference.
    public init(old: Side, new: Side, isIdentical: Bool) {
        self.old = old
        self.new = new
        self.isIdentical = isIdentical
    }

    /// What one side is.
    public struct Side: Encodable, Sendable, Hashable {
        public enum Kind: String, Encodable, Sendable {
            case image, output, listing, lock, directory, tar
        }

        /// As the user named it.
        public var name: String
        public var kind: Kind
        /// The recipe's name.
        public var recipe: String?
        public var architecture: String?
        /// SHA-256 of the image file, as its build wrote it.
        public var imageHash: String?
        /// SHA-256 of the listing.
        public var contentHash: String?
        /// SOURCE_DATE_EPOCH.
        public var moment: Int64?
        /// The kernel's release.
        public var kernel: String?
        public var packages: Int?
        public var paths: Int?
        /// Of all files, hard links once.
        public var contentSize: UInt64?
        /// Of the image file.
        public var imageSize: UInt64?
        /// Free in the image's file system.
        public var imageFree: UInt64?
        public var toolVersion: String?

        public init(name: String, kind: Kind) {
            self.name = name
            self.kind = kind
        }
    }

    /// A part that could not be compared.
    public struct Obstacle: Encodable, Sendable, Hashable {
        /// `files`, `packages`, `changelogs`, `texts`, `kernel`, `services`, `accounts`, `causes`, `records`.
        public var what: String
        public var because: String

        public init(_ what: String, _ because: String) {
            self.what = what
            self.because = because
        }
    }

    /// A path that cannot be read.
    public struct Damage: Encodable, Sendable, Hashable {
        /// `old` or `new`.
        public var side: String
        public var path: String
        public var problem: String
    }

    /// How many paths changed. The sum of `causes` is `paths`, and so is added + removed + changed.
    public struct Counts: Encodable, Sendable, Hashable {
        public struct OfCause: Encodable, Sendable, Hashable {
            public var kind: Cause.Kind
            /// The package, overlay or rule; nil where the kind says all.
            public var name: String?
            public var paths: Int
        }

        public var paths = 0
        public var added = 0
        public var removed = 0
        public var changed = 0
        /// By kind, then by name.
        public var causes: [OfCause] = []
    }

    /// The parts of a comparison that can be asked for alone.
    public enum Section: String, CaseIterable, Sendable {
        case packages, files, services, security, kernel
    }
}

/// Why a path changed.
public struct Cause: Hashable, Encodable, Sendable {
    public enum Kind: String, CaseIterable, Encodable, Sendable {
        /// A package that came, went or has another version.
        case package
        /// The kernel, where no package of the image brings it.
        case kernel
        /// What maintainer scripts, triggers and dpkg itself make: `ld.so.cache`, `/var/lib/dpkg/status`.
        case script
        /// An overlay of the recipe.
        case overlay
        /// Another setting of the recipe: files, hostname, removals.
        case recipe
        /// A service of the recipe: its unit, and whether it is enabled.
        case service
        /// Users and groups.
        case account
        /// Times that follow the image's moment or what is in a directory.
        case time
        /// None was found.
        case none
    }

    public var kind: Kind
    /// The package, overlay or rule; nil where the kind says all.
    public var name: String?

    public init(_ kind: Kind, _ name: String? = nil) {
        self.kind = kind
        self.name = name
    }

    /// For people: `package libssl3`, `overlay overlays/web`, `not explained`.
    public var text: String {
        let word =
            switch kind {
            case .none: "not explained"
            case .time: "times"
            case .account: "accounts"
            default: kind.rawValue
            }
        return name.map { "\(word) \($0)" } ?? word
    }
}

/// One changed path.
public struct PathChange: Encodable, Sendable {
    public enum Kind: String, Encodable, Sendable { case added, removed, changed }

    /// One thing that the path has otherwise.
    public struct Field: Encodable, Sendable, Hashable {
        /// `type`, `mode`, `uid`, `gid`, `size`, `time`, `content`, `target`, `device`, `first of its names` (of a hard
        /// link), `xattr NAME`.
        public var name: String
        /// nil where there is none; of a content also where no digest was taken.
        public var old: String?
        public var new: String?
    }

    public var path: String
    public var change: Kind
    /// `file`, `directory`, `link`, …: what it is now, or was.
    public var type: String
    public var cause: Cause
    /// Of an added path all that it has, of a removed one a file's size.
    public var fields: [Field]
    /// The path's bytes.
    public let treePath: TreePath

    private enum CodingKeys: String, CodingKey { case path, change, type, cause, fields }

    /// Whether kind and content are as they were.
    public var isMetadataOnly: Bool {
        change == .changed
            && fields.allSatisfy {
                ["mode", "uid", "gid", "time", "first of its names"].contains($0.name) || $0.name.hasPrefix("xattr ")
            }
    }

    /// Whether only its time is otherwise.
    public var isTimeOnly: Bool { change == .changed && fields.allSatisfy { $0.name == "time" } }
}

/// A path for people and for JSON: absolute; what is no printable UTF-8 stands as `\ooo`.
public func shownPath(_ path: TreePath) -> String { "/" + shownText(path.bytes) }

/// Bytes as text: a byte that is no UTF-8, a control character or a backslash stands as `\ooo`.
public func shownText(_ bytes: some Collection<UInt8>) -> String {
    let isPlain = bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\\") }
    if isPlain { return String(decoding: bytes, as: UTF8.self) }
    var text = ""
    var rest = Array(bytes)[...]
    while let first = rest.first {
        var decoder = UTF8()
        var part = rest.makeIterator()
        if case .scalarValue(let scalar) = decoder.decode(&part), scalar.value >= 0x20, scalar.value != 0x7f,
            scalar != "\\"
        {
            text.unicodeScalars.append(scalar)
            rest = rest.dropFirst(String(scalar).utf8.count)
        } else {
            let digits = String(first, radix: 8)
            text += "\\" + String(repeating: "0", count: 3 - digits.count) + digits
            rest = rest.dropFirst()
        }
    }
    return text
}
