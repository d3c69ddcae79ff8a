internal import Debian
internal import RootfsModel
internal import Storage

/// What of the system below makes a package a case for dpkg itself.
struct SystemGuards {
    /// Whether any package is in the system.
    let hasPackages: Bool
    private let known: Set<String>
    private let contested: Set<TreePath>
    private let excludesPaths: Bool

    init(_ below: FileTree) throws {
        let status = try DatabaseFile.read("var/lib/dpkg/status", in: below) ?? []
        var known = Set<String>()
        for stanza in try Stanza.parse(status, file: "/var/lib/dpkg/status") {
            if let name = stanza["Package"] { known.insert("\(name):\(stanza["Architecture"] ?? "")") }
        }
        self.known = known
        hasPackages = !known.isEmpty

        var contested = Set<TreePath>()
        let diversions = try DatabaseFile.read("var/lib/dpkg/diversions", in: below) ?? []
        for (index, line) in diversions.split(separator: 10).enumerated() where index % 3 != 2 {
            if let path = TreePath(normalizing: line) { contested.insert(path) }
        }
        let overrides = try DatabaseFile.read("var/lib/dpkg/statoverride", in: below) ?? []
        for line in overrides.split(separator: 10) {
            let fields = line.split(separator: 32, maxSplits: 3)
            if fields.count == 4, let path = TreePath(normalizing: fields[3]) { contested.insert(path) }
        }
        self.contested = contested

        var excludesPaths = false
        let file: TreePath = "etc/dpkg/dpkg.cfg"
        let directory: TreePath = "etc/dpkg/dpkg.cfg.d"
        for node in below.nodes where node.path.isWithin(directory) || node.path == file {
            guard let text = try node.blob?.readAll() else { continue }
            excludesPaths =
                excludesPaths
                || String(decoding: text, as: UTF8.self).split(separator: "\n").contains {
                    let line = $0.drop { $0 == " " || $0 == "-" }
                    return line.hasPrefix("path-exclude") || line.hasPrefix("path-include")
                }
        }
        self.excludesPaths = excludesPaths
    }

    /// Why dpkg must unpack this package, whatever its paths; nil for nearly every package.
    func reason(for package: LayerPackage) throws -> String? {
        if let oddity = try package.payload.oddities().first { return oddity }
        if known.contains("\(package.stanza.name):\(package.stanza.architecture)") { return "it is installed already" }
        if excludesPaths { return "/etc/dpkg excludes paths" }
        let conffiles = try package.payload.controlMember("conffiles") ?? []
        if let conffile = try Conffile.parse(conffiles, label: package.payload.label).first(where: \.removeOnUpgrade) {
            return "its conffile \(conffile.path) is remove-on-upgrade"
        }
        let preinst = String(decoding: try package.payload.controlMember("preinst") ?? [], as: UTF8.self)
        for program in ["dpkg-divert", "dpkg-statoverride"] where Self.calls(program, in: preinst) {
            return "its preinst calls \(program)"
        }
        return nil
    }

    /// Whether a script has the word outside of a comment.
    private static func calls(_ program: String, in script: String) -> Bool {
        script.split(separator: "\n").contains { line in
            !line.drop { $0 == " " || $0 == "\t" }.hasPrefix("#") && line.contains(program)
        }
    }

    /// Why dpkg must unpack a package with this path.
    func reason(forPath path: TreePath, placedAt place: TreePath) -> String? {
        if contested.isEmpty { return nil }
        if contested.contains(path) || contested.contains(place) { return "\(path) is diverted or overridden" }
        return nil
    }
}

/// A file of dpkg's database in a tree.
enum DatabaseFile {
    static func read(_ path: TreePath, in tree: FileTree) throws(Failure) -> [UInt8]? {
        try tree[path]?.blob?.readAll()
    }
}
