import RootfsModel

extension ComparisonEngine {
    /// What no other section tells: by folder, what only metadata changed of, and what nothing explains.
    mutating func addRest() {
        var told = Set(result.configuration.map(\.path))
        // The accounts say what their tables have otherwise.
        if !result.accounts.isEmpty { told.formUnion(["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"]) }
        var alike = [String: [String]]()
        var order = [String]()
        for change in result.paths where change.isMetadataOnly && ![.package, .script].contains(change.cause.kind) {
            let what = change.fields.map(Self.text).joined(separator: ", ")
            let kind = change.isTimeOnly ? "time" : what
            if alike[kind] == nil { order.append(kind) }
            alike[kind, default: []].append(change.path)
            told.insert(change.path)
        }
        // A mode says more than a time.
        result.metadata = order.filter { $0 != "time" }.sorted().map {
            MetadataChange(what: $0, paths: alike[$0] ?? [])
        }
        if let times = alike["time"] { result.metadata.append(MetadataChange(what: "time", paths: times)) }
        result.notExplained = result.paths.filter { $0.cause.kind == .none }.map(\.path)
        addFolders(told)
    }

    private static func text(of field: PathChange.Field) -> String {
        field.name == "time" ? "time" : "\(field.name) \(field.old ?? "none") → \(field.new ?? "none")"
    }

    /// Packages' and scripts' changes are told with them.
    private mutating func addFolders(_ told: Set<String>) {
        var folders = [String: FolderChange]()
        for (index, change) in result.paths.enumerated() where !told.contains(change.path) {
            if [.package, .script].contains(change.cause.kind) { continue }
            if change.type == "directory", change.change == .changed || hasSameInside(index) { continue }
            let folder = shownPath(change.treePath.parent ?? .root)
            var entry =
                folders[folder]
                ?? FolderChange(folder: folder, added: 0, removed: 0, changed: 0, sizeDelta: 0, paths: [])
            switch change.change {
            case .added: entry.added += 1
            case .removed: entry.removed += 1
            case .changed: entry.changed += 1
            }
            let sizes = [old, new].map { Int64(clamping: $0.tree?[change.treePath]?.blob?.size ?? 0) }
            entry.sizeDelta += sizes[1] - sizes[0]
            entry.paths.append(change.path)
            folders[folder] = entry
        }
        result.folders = folders.values.sorted { $0.folder < $1.folder }
    }

    /// Whether something in a directory that came or went did so too: then that says all.
    private func hasSameInside(_ index: Int) -> Bool {
        let change = result.paths[index]
        // What is in it need not stand behind it at once: `a-b` sorts before `a/b`.
        return result.paths[(index + 1)...].lazy.prefix { $0.path.hasPrefix(change.path) }.contains {
            $0.treePath.isWithin(change.treePath) && $0.change == change.change
        }
    }

    /// Where only some paths are asked for, takes away what is not about one of them.
    mutating func keepPaths() {
        guard let includes = options.includes else { return }
        result.packages.removeAll { $0.files.sum == 0 }
        result.services.removeAll { $0.members.isEmpty }
        if !includes("etc/passwd") && !includes("etc/group") { result.accounts = [] }
        if !KernelChange.folders.contains(where: includes) { result.kernel = nil }
        result.sizes = nil
    }

    /// Takes away what was not asked for.
    mutating func keepSections() {
        guard let wanted = options.sections else { return }
        if !wanted.contains(.security) { result.security = [] }
        if !wanted.contains(.packages) { result.packages = [] }
        if !wanted.contains(.kernel) { result.kernel = nil }
        if !wanted.contains(.services) { result.services = [] }
        if !wanted.contains(.files) {
            result.accounts = []
            result.configuration = []
            result.patches = []
            result.folders = []
            result.metadata = []
            result.notExplained = []
            result.paths = []
            result.counts = Comparison.Counts()
        }
        if !wanted.contains(.files) && !wanted.contains(.packages) { result.sizes = nil }
    }
}

extension Comparison {
    /// Whether no section tells anything.
    var isEmpty: Bool {
        security.isEmpty && packages.isEmpty && kernel == nil && services.isEmpty && accounts.isEmpty && paths.isEmpty
    }
}

extension [PackageChange] {
    /// Adds how many of the packages' paths changed, and how large their files are.
    mutating func addFiles(_ paths: [PathChange], _ sizes: Sizes?) {
        var files = [String: PackageChange.Files]()
        for path in paths where path.cause.kind == .package {
            guard let name = path.cause.name else { continue }
            switch path.change {
            case .added: files[name, default: .init()].added += 1
            case .removed: files[name, default: .init()].removed += 1
            case .changed: files[name, default: .init()].changed += 1
            }
        }
        let parts = Dictionary(
            (sizes?.packages ?? []).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for index in indices {
            let name = self[index].name
            self[index].files = files[name] ?? .init()
            guard let part = parts[name] else { continue }
            self[index].oldSize = self[index].change == .added ? nil : part.old
            self[index].newSize = self[index].change == .removed ? nil : part.new
        }
    }
}
