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
    private var fileInterests: [(path: String, package: String)] = []
    private var namedInterests = [String: [String]]()
    private var unincorporated: [(trigger: String, awaiters: [String])] = []
    private var changed = Set<String>()

    private static let directory: TreePath = "var/lib/dpkg/triggers"

    /// Reads what is known of path triggers and of these named ones.
    init(names: [String], read: (TreePath) throws -> [UInt8]?) throws {
        for name in names where !name.hasPrefix("/") {
            // A name with a slash inside could leave the directory.
            guard !name.contains("/"), let path = TreePath(normalizing: name), !path.isRoot else { continue }
            namedInterests[name] = Self.lines(try read(Self.directory.appending(path)))
        }
        for line in Self.lines(try read(Self.directory.appending("File" as TreePath))) {
            guard let blank = line.lastIndex(of: " ") else { continue }
            fileInterests.append((String(line[..<blank]), String(line[line.index(after: blank)...])))
        }
        for line in Self.lines(try read(Self.directory.appending("Unincorp" as TreePath))) {
            let words = line.split(separator: " ").map(String.init)
            if let trigger = words.first { unincorporated.append((trigger, Array(words.dropFirst()))) }
        }
    }

    /// Records what the unpacking of a package activates. Only a package that is installed can be triggered: dpkg
    /// drops activations for one that is not configured yet.
    mutating func activate(by package: PackageDatabase.NewPackage, installed: Set<String>) {
        for directive in package.triggers where directive.verb == .activate {
            let interested =
                directive.name.hasPrefix("/")
                ? fileInterests.filter { $0.path == directive.name }.map(\.package)
                : namedInterests[directive.name] ?? []
            if interested.contains(where: { installed.contains(Self.bareName($0)) }) {
                note(directive.name, awaiter: directive.awaits ? package.databaseName : "-")
            }
        }
        let relevant = Set(fileInterests.filter { installed.contains(Self.bareName($0.package)) }.map(\.path))
        if relevant.isEmpty { return }
        var activated = Set<String>()
        for line in package.list.split(separator: 10) {
            let path = String(decoding: line, as: UTF8.self)
            for trigger in relevant where path == trigger || path.hasPrefix(trigger + "/") { activated.insert(trigger) }
        }
        for trigger in activated.sorted() { note(trigger, awaiter: package.databaseName) }
    }

    mutating func addInterests(of package: PackageDatabase.NewPackage) {
        for directive in package.triggers where directive.verb == .interest {
            let entry = package.databaseName + (directive.awaits ? "" : "/noawait")
            if directive.name.hasPrefix("/") {
                if fileInterests.contains(where: { $0 == (directive.name, entry) }) { continue }
                fileInterests.append((directive.name, entry))
                changed.insert("File")
            } else if let entries = namedInterests[directive.name], !entries.contains(entry) {
                namedInterests[directive.name] = entries + [entry]
                changed.insert(directive.name)
            }
        }
    }

    /// The files that are not as they were read.
    func changedFiles() -> [PackageDatabase.File] {
        changed.sorted().map { name in
            let lines: [String] =
                switch name {
                case "File": fileInterests.map { "\($0.path) \($0.package)" }
                case "Unincorp": unincorporated.map { ([$0.trigger] + $0.awaiters).joined(separator: " ") }
                default: namedInterests[name] ?? []
                }
            return PackageDatabase.File(
                path: Self.directory.appending(Array(name.utf8)),
                bytes: Array(lines.map { $0 + "\n" }.joined().utf8), mode: 0o644)
        }
    }

    private mutating func note(_ trigger: String, awaiter: String) {
        changed.insert("Unincorp")
        if let index = unincorporated.firstIndex(where: { $0.trigger == trigger }) {
            if !unincorporated[index].awaiters.contains(awaiter) { unincorporated[index].awaiters.append(awaiter) }
        } else {
            unincorporated.append((trigger, [awaiter]))
        }
    }

    private static func bareName(_ entry: String) -> String {
        String(entry.prefix { $0 != "/" })
    }

    private static func lines(_ bytes: [UInt8]?) -> [String] {
        String(decoding: bytes ?? [], as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
