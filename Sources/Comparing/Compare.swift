public import RootfsModel

/// What to compare, and how much of it to tell.
public struct ComparisonOptions: Sendable {
    /// Whether a path is asked for; nil: all are.
    public var includes: (@Sendable (TreePath) -> Bool)?
    /// nil: all.
    public var sections: Set<Comparison.Section>?
    /// Whether texts outside of the configuration have patches too.
    public var patchesAll: Bool

    public init(
        sections: Set<Comparison.Section>? = nil, patchesAll: Bool = false,
        includes: (@Sendable (TreePath) -> Bool)? = nil
    ) {
        self.includes = includes
        self.sections = sections
        self.patchesAll = patchesAll
    }

    /// Whether a section is asked for.
    public func wants(_ section: Comparison.Section) -> Bool { sections?.contains(section) ?? true }

    /// How deep the folders are whose sizes are told.
    public var folderDepth = 2
}

/// Compares two sides.
///
/// - Parameter otherContent: the files, by path, that both sides have and whose contents differ; nil: as their digests
///   say.
public func compare(
    _ old: ComparedImage, _ new: ComparedImage, otherContent: Set<TreePath>? = nil,
    options: ComparisonOptions = ComparisonOptions()
) throws -> Comparison {
    var engine = ComparisonEngine(old, new, otherContent, options)
    return try engine.run()
}

struct ComparisonEngine {
    let old: ComparedImage
    let new: ComparedImage
    let options: ComparisonOptions
    var result: Comparison
    private var differences: [TreeDifference] = []

    init(_ old: ComparedImage, _ new: ComparedImage, _ otherContent: Set<TreePath>?, _ options: ComparisonOptions) {
        self.old = old
        self.new = new
        self.options = options
        result = Comparison(old: old.side, new: new.side, isIdentical: true)
        if let before = old.tree, let after = new.tree {
            differences = after.differences(
                from: before,
                hasOtherContent: { left, right in
                    otherContent?.contains(right.path) ?? (left.blob?.digest != right.blob?.digest)
                })
        }
    }

    mutating func run() throws -> Comparison {
        addDamage()
        addObstacles()
        let rebuilt = rebuiltPackages()
        var packages = packageChanges(from: old, to: new, rebuilt: rebuilt)
        let owners = (old: Ownership(old), new: Ownership(new))
        let accounts = try AccountTables.changes(from: old, to: new)
        result.kernel = KernelChange(from: old, to: new, differences)
        let attribution = Attribution(
            from: old, to: new, owners: owners, packages: packages, homes: accounts.homes,
            hasOtherKernel: result.kernel.map { $0.oldRelease != $0.newRelease || $0.isOtherFile == true } ?? false)
        addPaths(attribution)
        let sizes = Sizes(from: old, to: new, owners: owners, depth: options.folderDepth)
        packages.addFiles(result.paths, sizes)
        if options.wants(.packages) || options.wants(.security) {
            packages.addChangelogs(old, new, &result.notCompared)
        }
        result.packages = packages
        result.accounts = accounts.changes
        result.sizes = sizes
        addServices()
        keepPaths()
        try addTexts()
        result.security = try securityChanges(result, old, new)
        addRest()
        keepSections()
        result.isIdentical = result.isEmpty && result.damaged.isEmpty
        return result
    }

    // MARK: what cannot be compared

    private mutating func addDamage() {
        let sides = [("old", old), ("new", new)]
        for (name, side) in sides {
            result.damaged += side.damaged.map {
                Comparison.Damage(side: name, path: shownPath($0.path), problem: $0.problem)
            }
        }
        let damaged = sides.flatMap { $0.1.damaged.map(\.path) }
        if damaged.isEmpty { return }
        // What is below a path that one side cannot read is neither there nor missing.
        differences.removeAll { difference in damaged.contains { difference.path.isWithin($0) } }
    }

    private mutating func addObstacles() {
        func add(_ what: String, _ because: String) { result.notCompared.append(.init(what, because)) }
        let names = [old, new].filter { $0.tree == nil }.map(\.side.name)
        if !names.isEmpty {
            add("files", "\(names.joined(separator: " and ")) says which packages there are, and no more")
        }
        let unread = [old, new].filter { $0.tree != nil && $0.read == nil }.map(\.side.name)
        if !unread.isEmpty {
            add("texts", "\(unread.joined(separator: " and ")) has no contents, only their digests")
        }
        let unpacked = [old, new].filter { $0.packages == nil }.map(\.side.name)
        if !unpacked.isEmpty { add("packages", "\(unpacked.joined(separator: " and ")) does not say which it has") }
        if names.isEmpty, unpacked.count == 2 || !unread.isEmpty && old.packageFiles.isEmpty && new.packageFiles.isEmpty
        {
            add("causes", "nobody knows whose a path is: that is in the images' own files")
        }
        result.notCompared += old.obstacles + new.obstacles.filter { !old.obstacles.contains($0) }
        if result.notCompared.isEmpty, old.inputs == nil || new.inputs == nil {
            let names = [old, new].filter { $0.inputs == nil && $0.recipeDigest == nil }.map(\.side.name)
            if !names.isEmpty, old.packages?.isEmpty == false {
                add("causes", "no build.json beside \(names.joined(separator: " and ")) says what the recipe was")
            }
        }
        if options.wants(.services), !differences.isEmpty, names.isEmpty, unread.isEmpty,
            old.services == nil || new.services == nil
        {
            add("services", "what they need could not be followed")
        }
    }

    // MARK: paths

    /// Packages of the same version whose own checksums are others.
    private func rebuiltPackages() -> Set<String> {
        let folder: TreePath = "var/lib/dpkg/info"
        var names = Set<String>()
        for difference in differences where difference.path.isChild(of: folder) {
            let file = String(decoding: difference.path.name, as: UTF8.self)
            guard file.hasSuffix(".md5sums"), case .changed(let fields) = difference.kind,
                fields.contains(where: { $0.name == "content" })
            else { continue }
            names.insert(String(file.dropLast(".md5sums".count).prefix { $0 != ":" }))
        }
        return names
    }

    private mutating func addPaths(_ attribution: Attribution) {
        let parents = Set(differences.filter { $0.kind == .added || $0.kind == .missing }.compactMap(\.path.parent))
        let names = (old.tree?.firstNames ?? [:], new.tree?.firstNames ?? [:])
        var changes = [PathChange]()
        for difference in differences {
            guard options.includes?(difference.path) ?? true,
                let node = new.tree?[difference.path] ?? old.tree?[difference.path]
            else { continue }
            let cause = attribution.cause(of: difference, hasOtherNames: parents.contains(difference.path))
            let (kind, fields): (PathChange.Kind, [TreeDifference.Field]) =
                switch difference.kind {
                case .added: (.added, node.fields(firstNames: names.1))
                case .missing: (.removed, (node.blob?.size).map { [.init("size", String($0), nil)] } ?? [])
                case .changed(let fields): (.changed, fields)
                }
            changes.append(
                PathChange(
                    path: shownPath(difference.path), change: kind, type: node.typeText, cause: cause,
                    fields: fields.map { .init(name: $0.name, old: $0.expected, new: $0.found) },
                    treePath: difference.path))
        }
        explainFolders(&changes)
        result.paths = changes
        count()
    }

    /// A folder that came or went is there for what is in it.
    private func explainFolders(_ changes: inout [PathChange]) {
        var inside = [TreePath: Cause]()
        for index in changes.indices.reversed() {
            let change = changes[index]
            if change.type == "directory", change.cause.kind == .none, change.change != .changed,
                let cause = inside[change.treePath]
            {
                changes[index].cause = cause
            }
            if changes[index].cause.kind != .none, let parent = change.treePath.parent {
                inside[parent] = changes[index].cause
            }
        }
    }

    private mutating func count() {
        result.counts.paths = result.paths.count
        var causes = [Cause: Int]()
        for change in result.paths {
            switch change.change {
            case .added: result.counts.added += 1
            case .removed: result.counts.removed += 1
            case .changed: result.counts.changed += 1
            }
            causes[change.cause, default: 0] += 1
        }
        let order = Dictionary(uniqueKeysWithValues: Cause.Kind.allCases.enumerated().map { ($1, $0) })
        result.counts.causes = causes.sorted {
            (order[$0.key.kind] ?? 0, $0.key.name ?? "") < (order[$1.key.kind] ?? 0, $1.key.name ?? "")
        }.map { .init(kind: $0.key.kind, name: $0.key.name, paths: $0.value) }
    }
}
