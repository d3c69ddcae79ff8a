public import RootfsModel

extension Lock {
    /// One line of what moved between two locks.
    public struct Change: Hashable, Sendable, CustomStringConvertible {
        public enum Kind: String, Sendable {
            case added, removed, upgraded, downgraded
            /// The same version with other content.
            case rebuilt
            /// The same package for another layer or role.
            case moved
        }

        public var kind: Kind
        public var name: String
        /// Version, or layer where it moved; a digest for a file. Empty for what was added.
        public var old: String
        public var new: String
        /// Whether the new version comes from a pocket of security fixes.
        public var isSecurity = false
        /// Why a package moved that was to stay.
        public var because: String?
        /// What the package's own changelog says of it, where that is at hand.
        public var changelog: Changelog?

        public init(_ kind: Kind, _ name: String, old: String, new: String) {
            self.kind = kind
            self.name = name
            self.old = old
            self.new = new
        }

        public var description: String {
            var text =
                switch kind {
                case .added: "added \(name) \(new)"
                case .removed: "removed \(name) \(old)"
                case .upgraded, .downgraded, .moved: "\(kind.rawValue) \(name) from \(old) to \(new)"
                case .rebuilt: "rebuilt \(name) \(new)"
                }
            if isSecurity { text += " (security)" }
            if let names = changelog?.vulnerabilities, !names.isEmpty { text += ": " + names.joined(separator: ", ") }
            return text
        }
    }

    /// What moved since another lock: security fixes first, then packages by name, then files; nothing where only
    /// dates moved.
    public func changes(since old: Lock) -> [Change] {
        // A package can be locked for two purposes, in one version each.
        func byName(_ packages: [Package]) -> [String: [Package]] { Dictionary(grouping: packages, by: \.name) }
        let before = byName(old.packages)
        let after = byName(packages)
        var changes = [Change]()
        for name in Set(before.keys).union(after.keys).sorted() {
            var gone = before[name] ?? []
            var come = after[name] ?? []
            gone.removeAll { old in
                guard let same = come.firstIndex(of: old) else { return false }
                come.remove(at: same)
                return true
            }
            // What stays for the same purpose is compared with itself first.
            for package in gone {
                let partner = come.firstIndex { $0.purpose == package.purpose } ?? come.indices.first
                if let partner {
                    changes += Self.changes(from: package, to: come.remove(at: partner))
                } else {
                    changes.append(Change(.removed, name, old: package.version, new: ""))
                }
            }
            for package in come {
                var change = Change(.added, name, old: "", new: package.version)
                // A kernel's next version is a package of another name.
                if case .role = package.purpose { change.isSecurity = package.isFromSecurity }
                changes.append(change)
            }
        }
        let filesBefore = Dictionary(old.files.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let filesAfter = Dictionary(files.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for name in Set(filesBefore.keys).union(filesAfter.keys).sorted() {
            switch (filesBefore[name], filesAfter[name]) {
            case (let was?, let now?) where was != now:
                changes.append(Change(.rebuilt, name, old: was.sha256.description, new: now.sha256.description))
            case (let was?, nil): changes.append(Change(.removed, name, old: was.sha256.description, new: ""))
            case (nil, let now?): changes.append(Change(.added, name, old: "", new: now.sha256.description))
            default: break
            }
        }
        return changes.filter(\.isSecurity) + changes.filter { !$0.isSecurity }
    }

    private static func changes(from old: Package, to new: Package) -> [Change] {
        var changes = [Change]()
        let was = DebianVersion(old.version)
        let now = DebianVersion(new.version)
        if was < now {
            var change = Change(.upgraded, new.name, old: old.version, new: new.version)
            change.isSecurity = new.isFromSecurity
            changes.append(change)
        } else if now < was {
            changes.append(Change(.downgraded, new.name, old: old.version, new: new.version))
        } else if old.sha256 != new.sha256 {
            changes.append(Change(.rebuilt, new.name, old: old.version, new: new.version))
        }
        if old.purpose != new.purpose {
            changes.append(Change(.moved, new.name, old: old.purpose.description, new: new.purpose.description))
        }
        return changes
    }

    /// What a recipe asks its lock for.
    public struct Requests: Hashable, Sendable {
        public var architecture: String
        /// The components wanted of each pocket, by the pocket's name.
        public var archives: [String: [String]]
        public var sets: [RequestSet]
        public var exclude: [String]
        public var pins: [String: String]
        /// The priorities that archives are given, by name.
        public var priorities: [String: Int]
        /// The moment to take the distribution's archive from.
        public var snapshot: Int64?
        /// Names of files that are locked too.
        public var files: [String]

        public init(
            architecture: String, archives: [String: [String]], sets: [RequestSet], exclude: [String] = [],
            pins: [String: String] = [:], priorities: [String: Int] = [:], snapshot: Int64? = nil, files: [String] = []
        ) {
            self.architecture = architecture
            self.archives = archives
            self.sets = sets
            self.exclude = exclude
            self.pins = pins
            self.priorities = priorities
            self.snapshot = snapshot
            self.files = files
        }
    }

    /// The failure that says what the recipe asks for and the lock lacks, or has too many of; nil where they agree.
    /// `recipe` is the recipe's path, for the command that helps; the order of the names in a layer does not count.
    public func missingRequests(for wanted: Requests, recipe: String) -> Failure? {
        var notes = [String]()
        func compare(_ what: String, _ wanted: [String], _ locked: [String]) {
            let missing = Set(wanted).subtracting(locked).sorted()
            let extra = Set(locked).subtracting(wanted).sorted()
            if !missing.isEmpty { notes.append("\(what): the lock lacks \(missing.joined(separator: ", "))") }
            if !extra.isEmpty {
                notes.append(
                    "\(what): the lock has \(extra.joined(separator: ", ")), which the recipe does not ask for")
            }
        }
        if wanted.architecture != architecture {
            notes.append("architecture: the lock is for \(architecture), the recipe for \(wanted.architecture)")
        }
        compare(
            "archives", wanted.archives.flatMap { name, components in components.map { "\(name) \($0)" } },
            archives.flatMap { archive in archive.components.map { "\(archive.name) \($0)" } })
        for set in wanted.sets {
            if let locked = requests.first(where: { $0.purpose == set.purpose }) {
                compare("\(set.purpose)", set.names, locked.names)
            } else {
                notes.append("the lock lacks \(set.purpose)")
            }
        }
        for set in requests where !wanted.sets.contains(where: { $0.purpose == set.purpose }) {
            notes.append("the lock has \(set.purpose), which the recipe does not")
        }
        // A package belongs to the first layer that needs it: their order counts where they are the same.
        let locked = requests.map(\.purpose.description)
        let asked = wanted.sets.map(\.purpose.description)
        if locked != asked, locked.sorted() == asked.sorted() {
            notes.append(
                "order: the lock has \(locked.joined(separator: ", ")), the recipe \(asked.joined(separator: ", "))")
        }
        compare("exclude", wanted.exclude, exclude)
        compare("pins", wanted.pins.map { "\($0.key) \($0.value)" }, pins.map { "\($0.key) \($0.value)" })
        compare(
            "priorities", wanted.priorities.map { "\($0.key) \($0.value)" },
            archives.compactMap { archive in archive.pin.map { "\(archive.name) \($0)" } })
        compare("snapshot", wanted.snapshot.map { [archiveDate($0)] } ?? [], snapshot.map { [archiveDate($0)] } ?? [])
        compare("files", wanted.files, files.map(\.name))
        if notes.isEmpty { return nil }
        return Failure(
            "the recipe \(recipe) does not ask for what its lock holds", notes: notes,
            hint: "run rootfs-build lock --update \(recipe)")
    }
}

extension Lock.Package {
    /// Whether its pocket is one of security fixes: `bookworm-security`, `buster/updates`.
    public var isFromSecurity: Bool { pocket.hasSuffix("-security") || pocket.hasSuffix("/updates") }
}
