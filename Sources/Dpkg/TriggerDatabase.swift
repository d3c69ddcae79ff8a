internal import RootfsModel

/// A line of a package's control member `triggers` (deb-triggers(5)).
struct TriggerDirective: Hashable {
    enum Verb {
        case interest, activate
    }

    var verb: Verb
    /// A name, or a path with its leading slash.
    var name: String
    var awaits: Bool

    static func parse(_ bytes: [UInt8], label: String) throws(Failure) -> [TriggerDirective] {
        var result = [TriggerDirective]()
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }
            if words.isEmpty { continue }
            let verb: (Verb, Bool)? =
                switch words[0] {
                case "interest", "interest-await": (.interest, true)
                case "interest-noawait": (.interest, false)
                case "activate", "activate-await": (.activate, true)
                case "activate-noawait": (.activate, false)
                default: nil
                }
            guard let verb, words.count == 2 else { throw Failure("\(label): trigger directive `\(line)` is none") }
            result.append(TriggerDirective(verb: verb.0, name: String(words[1]), awaits: verb.1))
        }
        return result
    }
}

/// The directory /var/lib/dpkg/triggers.
///
///     File        `/path package[/noawait]` for every interest in a path
///     NAME        `package[/noawait]` for every interest in a name
///     Unincorp    `trigger awaiter …` for what was activated and no package knows of yet; `-` when nobody waits
struct TriggerDatabase {
    /// What lines a file has, in order, each once.
    private struct Lines {
        private(set) var all = [String]()
        private var known = Set<String>()

        init(_ lines: [String]) {
            for line in lines { add(line) }
        }

        /// Whether it is new.
        @discardableResult
        mutating func add(_ line: String) -> Bool {
            if known.insert(line).inserted {
                all.append(line)
                return true
            }
            return false
        }
    }

    private var fileInterests: Lines
    private var namedInterests = [String: Lines]()
    /// By trigger, who waits for it, and the triggers in their order.
    private var awaiters = [String: Lines]()
    private var unincorporated: Lines
    private var changed = Set<String>()
    /// The triggers that can be activated: an installed package is interested in them.
    private var activePaths = Set<[UInt8]>()
    private var activeNames = Set<String>()

    private static let directory: TreePath = "var/lib/dpkg/triggers"

    /// Reads what is known of path triggers and of these named ones. Only a package that is installed can be triggered:
    /// dpkg drops activations for one that is not configured yet.
    init(names: [String], installed: Set<String>, read: (TreePath) throws -> [UInt8]?) throws {
        func isInstalled(_ entry: some StringProtocol) -> Bool {
            installed.contains(String(entry.prefix { $0 != "/" }))
        }
        for name in Set(names) where !name.hasPrefix("/") {
            // A name with a slash inside could leave the directory.
            guard !name.contains("/"), let path = TreePath(normalizing: name), !path.isRoot else { continue }
            let lines = Self.lines(try read(Self.directory.appending(path)))
            namedInterests[name] = Lines(lines)
            if lines.contains(where: isInstalled) { activeNames.insert(name) }
        }
        fileInterests = Lines(
            Self.lines(try read(Self.directory.appending("File" as TreePath))).filter { $0.contains(" ") })
        for line in fileInterests.all {
            guard let blank = line.lastIndex(of: " "), isInstalled(line[line.index(after: blank)...]) else { continue }
            activePaths.insert(Array(line[..<blank].utf8))
        }
        unincorporated = Lines([])
        for line in Self.lines(try read(Self.directory.appending("Unincorp" as TreePath))) {
            let words = line.split(separator: " ").map(String.init)
            guard let trigger = words.first else { continue }
            unincorporated.add(trigger)
            for awaiter in words.dropFirst() { awaiters[trigger, default: Lines([])].add(awaiter) }
        }
    }

    /// Records what the unpacking of a package activates.
    mutating func activate(by package: PackageDatabase.NewPackage) {
        for directive in package.triggers where directive.verb == .activate {
            let isActive =
                directive.name.hasPrefix("/")
                ? activePaths.contains(Array(directive.name.utf8)) : activeNames.contains(directive.name)
            if isActive { note(directive.name, awaiter: directive.awaits ? package.databaseName : "-") }
        }
        if activePaths.isEmpty { return }
        var activated = Set<[UInt8]>()
        for line in package.list.split(separator: 10) {
            // The path itself and each directory above it: the time depends on its depth, not on the interests.
            var path = line[...]
            while !path.isEmpty {
                let bytes = Array(path)
                if activePaths.contains(bytes) { activated.insert(bytes) }
                guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { break }
                path = path[..<slash]
            }
        }
        for trigger in activated.map({ String(decoding: $0, as: UTF8.self) }).sorted() {
            note(trigger, awaiter: package.databaseName)
        }
    }

    mutating func addInterests(of package: PackageDatabase.NewPackage) {
        for directive in package.triggers where directive.verb == .interest {
            let entry = package.databaseName + (directive.awaits ? "" : "/noawait")
            if directive.name.hasPrefix("/") {
                if fileInterests.add("\(directive.name) \(entry)") { changed.insert("File") }
            } else if namedInterests[directive.name]?.add(entry) == true {
                changed.insert(directive.name)
            }
        }
    }

    /// The files that are not as they were read.
    func changedFiles() -> [PackageDatabase.File] {
        changed.sorted().map { name in
            let lines: [String] =
                switch name {
                case "File": fileInterests.all
                case "Unincorp":
                    unincorporated.all.map { ([$0] + (awaiters[$0]?.all ?? [])).joined(separator: " ") }
                default: namedInterests[name]?.all ?? []
                }
            return PackageDatabase.File(
                path: Self.directory.appending(Array(name.utf8)),
                bytes: Array(lines.map { $0 + "\n" }.joined().utf8), mode: 0o644)
        }
    }

    private mutating func note(_ trigger: String, awaiter: String) {
        changed.insert("Unincorp")
        unincorporated.add(trigger)
        awaiters[trigger, default: Lines([])].add(awaiter)
    }

    private static func lines(_ bytes: [UInt8]?) -> [String] {
        String(decoding: bytes ?? [], as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
