/// One package that moved.
public struct PackageChange: Encodable, Sendable, Hashable {
    public enum Kind: String, CaseIterable, Encodable, Sendable {
        case added, removed, upgraded, downgraded
        /// The same version with other files.
        case rebuilt
    }

    /// How many of its paths changed.
    public struct Files: Encodable, Sendable, Hashable {
        public var added = 0
        public var removed = 0
        public var changed = 0
        public var sum: Int { added + removed + changed }
    }

    public var name: String
    public var architecture: String
    /// The source package; several packages come from one.
    public var source: String
    public var change: Kind
    /// The version; nil where it came or went.
    public var old: String?
    public var new: String?
    /// The layer or role that it is for, where that is known.
    public var purpose: String?
    public var isFromSecurity: Bool
    /// Of its files on each side; nil where nobody knows.
    public var oldSize: UInt64?
    public var newSize: UInt64?
    public var files = Files()
    /// What the changelog says of the versions in between, newest first; for a downgrade what it takes back. nil where
    /// there is none at hand.
    public var changelog: [String]?
    /// The vulnerabilities that the changelog names: closed by an upgrade, open again after a downgrade.
    public var vulnerabilities: [String] = []

    /// How many bytes it grew by.
    public var sizeDelta: Int64? {
        if oldSize == nil && newSize == nil { return nil }
        return Int64(newSize ?? 0) - Int64(oldSize ?? 0)
    }
}

/// What the kernel has otherwise.
public struct KernelChange: Encodable, Sendable, Hashable {
    public struct Option: Encodable, Sendable, Hashable {
        /// `CONFIG_…`.
        public var name: String
        /// nil where it is not set.
        public var old: String?
        public var new: String?
    }

    public var oldRelease: String?
    public var newRelease: String?
    public var oldPackage: String?
    public var newPackage: String?
    /// Whether the kernel's file and the initrd are other bytes; nil where nobody knows.
    public var isOtherFile: Bool?
    public var isOtherInitrd: Bool?
    public var oldArguments: [String] = []
    public var newArguments: [String] = []
    /// nil where a side has no configuration.
    public var options: [Option]?
    /// Modules in the tree, by their names below `kernel/`; those that both releases have are compared by content.
    public var modulesAdded: [String] = []
    public var modulesRemoved: [String] = []
    public var modulesChanged = 0
}

/// What a service that starts by itself has otherwise.
public struct ServiceChange: Encodable, Sendable, Hashable {
    public enum Kind: String, CaseIterable, Encodable, Sendable {
        /// It starts by itself now, and did not.
        case enabled
        case disabled
        /// Its unit says something else.
        case changed
        /// Its unit is as it was, and a file that it needs is not.
        case affected
    }

    /// A changed file that it needs.
    public struct Member: Encodable, Sendable, Hashable {
        public var path: String
        /// `unit`, `program`, `library`, `script`, `module`, `plugin`, `environment`.
        public var role: String
        public var change: PathChange.Kind
        public var cause: Cause
    }

    public var name: String
    public var change: Kind
    public var oldCommand: [String]?
    public var newCommand: [String]?
    public var oldUser: String?
    public var newUser: String?
    /// By role, then by path.
    public var members: [Member] = []
}

/// A user or a group that is otherwise.
public struct AccountChange: Encodable, Sendable, Hashable {
    public enum Kind: String, Encodable, Sendable { case user, group }

    public var kind: Kind
    public var name: String
    public var change: PathChange.Kind
    /// `uid`, `gid`, `home`, `shell`, `members`, `password` (`locked`, `empty`, `set`; never the hash); of an added one
    /// all, of a removed one none.
    public var fields: [PathChange.Field]
}

/// A text before and after.
public struct FilePatch: Encodable, Sendable, Hashable {
    public var path: String
    public var change: PathChange.Kind
    public var cause: Cause
    /// A unified diff, without the lines that name the files; nil where there is none to show.
    public var patch: String?
    public var linesAdded: Int
    public var linesRemoved: Int
    /// Why there is no patch: `binary`, `too large`, `secret`, `not at hand`, `damaged`.
    public var omitted: String?
    public var oldSize: UInt64?
    public var newSize: UInt64?
}

/// What changed in one folder, besides what has a section of its own.
public struct FolderChange: Encodable, Sendable, Hashable {
    public var folder: String
    public var added: Int
    public var removed: Int
    public var changed: Int
    public var sizeDelta: Int64
    /// All of them.
    public var paths: [String]
}

/// Where the bytes are, on both sides. Each list's sums are the totals; hard links count once.
public struct Sizes: Encodable, Sendable, Hashable {
    public struct Part: Encodable, Sendable, Hashable {
        /// The package, or the folder; empty for what is in no package.
        public var name: String
        /// 0 where it is not there.
        public var old: UInt64
        public var new: UInt64
        public var delta: Int64 { Int64(new) - Int64(old) }
    }

    public var old: UInt64
    public var new: UInt64
    /// By name; nil where nobody knows what is whose.
    public var packages: [Part]?
    /// By path: folders at most two deep (five for a page), each with what is below it in no other folder of the list.
    public var folders: [Part]
}

/// Paths that have the same things otherwise, kind and content being the same.
public struct MetadataChange: Encodable, Sendable, Hashable {
    /// `mode 0644 → 0600`, `time`.
    public var what: String
    public var paths: [String]
}

/// Something that makes the image easier to attack, or that somebody has to look at for that.
public struct SecurityChange: Encodable, Sendable, Hashable {
    public enum Severity: Int, Comparable, CaseIterable, Encodable, Sendable {
        case high, medium, low

        public static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode("\(self)")
        }
    }

    /// `setuid`, `setgid`, `capability`, `owner`, `mode`, `world-writable`, `listening`, `user`, `shell`, `password`,
    /// `group`, `key`, `certificate`, `sudo`, `pam`, `sysctl`, `hardening`, `preload`, `archive`, `schedule`, `program`.
    public var kind: String
    public var severity: Severity
    /// A clause: `/usr/bin/x is setuid root`.
    public var message: String
    /// The path concerned; nil for an account.
    public var path: String?
    public var old: String?
    public var new: String?
    public var cause: Cause
}
