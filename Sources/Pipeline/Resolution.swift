internal import Debian
internal import DebianArchive
internal import Recipes
internal import RootfsModel
internal import Solving
internal import Storage
internal import SystemPackage

/// From what a recipe asks for to a lock: against the archive as it is now.
struct Resolution {
    static let kernelRole = Lock.Purpose.role("kernel")
    static let initrdRole = Lock.Purpose.role("initrd")
    /// The static shell that an initrd is made with.
    static let initrdShell = "busybox-static"

    let recipe: Recipe
    let architecture: String
    let distribution: Distribution

    init(_ recipe: Recipe, hostArchitecture: String) {
        self.recipe = recipe
        self.architecture = recipe.archive.architecture?.value ?? hostArchitecture
        self.distribution = recipe.archive.distribution == .debian ? .debian : .ubuntu
    }

    /// The pockets with the names that the archive has for them, the suite itself first.
    var pockets: [(pocket: Pocket, suite: String)] {
        let named = recipe.archive.pockets.map { Pocket($0.value) }
        return Set(named).union([.release]).sorted().map {
            ($0, $0.suite(of: recipe.archive.suite.value, in: distribution))
        }
    }

    /// The recipe's layers with the Node package, as the solver takes them. The base layer, which every image has, is
    /// not among them.
    var layers: [LayerRequests] {
        var layers = recipe.layers.map { layer in
            LayerRequests(layer: layer.name.value, requests: layer.packages.map { Request($0) })
        }
        if case .package(let request)? = recipe.node {
            let node = Request(request)
            let isThere = layers.contains { $0.requests.contains { $0.name == node.name } }
            if let index = layers.firstIndex(where: { $0.layer == "node" }), !isThere {
                layers[index].requests.append(node)
            } else if !isThere {
                layers.append(LayerRequests(layer: "node", requests: [node]))
            }
        }
        return layers
    }

    /// What the lock has to hold.
    var wanted: Lock.Requests {
        var sets = layers.map { Lock.RequestSet(.layer($0.layer), $0.requests.map(\.description)) }
        if case .package(let request)? = recipe.kernel?.source {
            sets.append(Lock.RequestSet(Self.kernelRole, [request.value.description]))
        }
        if let kernel = recipe.kernel, kernel.initrd != .never {
            sets.append(Lock.RequestSet(Self.initrdRole, [Self.initrdShell]))
        }
        let components = recipe.archive.components.map(\.value)
        var archives = Dictionary(uniqueKeysWithValues: pockets.map { ($0.suite, components) })
        for extra in recipe.archive.extra { archives[extra.name.value] = extra.components.map(\.value) }
        return Lock.Requests(
            architecture: architecture, archives: archives, sets: sets,
            exclude: recipe.archive.exclude.map(\.value), pins: pins, priorities: priorities,
            snapshot: recipe.archive.snapshot?.value.seconds)
    }

    /// Pattern by package.
    private var pins: [String: String] {
        Dictionary(recipe.archive.pins.map { ($0.package.value, $0.version) }, uniquingKeysWith: { first, _ in first })
    }

    /// The priorities that the recipe gives archives, by name.
    private var priorities: [String: Int] {
        Dictionary(
            recipe.archive.extra.compactMap { extra in extra.pin.map { (extra.name.value, $0) } },
            uniquingKeysWith: { first, _ in first })
    }

    /// The mirrors that may have the archive. What is wrong with one is said at the place that names it; `--mirror` has
    /// none.
    func mirrors(_ settings: BuildSettings) throws(Failure) -> Mirrors {
        let named = try recipeMirror(recipe, settings)
        do throws(Failure) {
            return try Mirrors(
                distribution: distribution, suite: recipe.archive.suite.value,
                components: recipe.archive.components.map(\.value), architecture: architecture,
                commandLine: settings.mirror, recipe: named,
                host: HostSources(readingConfigurationAt: settings.aptDirectory),
                snapshot: recipe.archive.snapshot?.value.seconds)
        } catch {
            if settings.mirror != nil { throw error }
            let archive = recipe.archive
            throw Failure(
                error.message,
                at: archive.mirror?.location ?? archive.snapshot?.location ?? archive.suite.location,
                notes: error.notes, hint: error.hint, status: error.status)
        }
    }

    /// The address of one more archive.
    private func address(of extra: Recipe.ExtraArchive, _ settings: BuildSettings) throws(Failure) -> String {
        let named = try Pipeline.address(extra.url, of: recipe, settings)
        if let address = Mirrors.address(named) { return address }
        throw Failure("`\(named)` is no archive's address", at: extra.url.location)
    }

    /// Where the packages of each pocket and archive are looked for, by its name in the lock: addresses in the order to
    /// try.
    func locations(_ settings: BuildSettings) throws(Failure) -> [String: [String]] {
        let mirrors = try mirrors(settings)
        var locations = Dictionary(
            uniqueKeysWithValues: pockets.map { ($0.suite, mirrors.candidates(for: $0.pocket).map(\.uri)) })
        for extra in recipe.archive.extra { locations[extra.name.value] = [try address(of: extra, settings)] }
        return locations
    }

    /// The suites to read: the distribution's pockets, then the recipe's other archives in its order.
    private func suiteRequests(_ settings: BuildSettings) throws(Failure) -> [SuiteRequest] {
        var requests = try SuiteRequest.pockets(
            pockets.map(\.pocket), of: try mirrors(settings), components: recipe.archive.components.map(\.value),
            architecture: architecture,
            recipeKeyring: recipe.archive.keyring.map { FilePath(recipe.resolve($0.value)) })
        for index in requests.indices { requests[index].location = recipe.archive.snapshot?.location }
        for extra in recipe.archive.extra {
            try checkFile(extra.keyring, of: recipe, "keyring")
            requests.append(
                SuiteRequest.extra(
                    extra.name.value, at: try address(of: extra, settings), suite: extra.suite.value,
                    components: extra.components.map(\.value), architecture: architecture,
                    keyring: FilePath(recipe.resolve(extra.keyring.value)),
                    snapshot: extra.snapshot?.value == .fixed ? recipe.archive.snapshot?.value.seconds : nil,
                    location: extra.url.location))
        }
        return requests
    }

    /// Reads the archive and solves all layers in one request. A partial update holds what is not to move.
    func resolve(
        _ client: inout ArchiveClient, partial: inout PartialUpdate?, settings: BuildSettings, progress: RunningStage
    ) throws -> Lock {
        if let snapshot = recipe.archive.snapshot, snapshot.value.seconds > settings.now, !settings.offline {
            throw Failure(
                "archive.snapshot is in the future: this host's clock says \(archiveDate(settings.now))",
                at: snapshot.location, hint: "what an archive will be nobody knows; or the clock is wrong")
        }
        let suites = try client.fetchSuites(
            try suiteRequests(settings), now: settings.now,
            progress: { progress.advance($0.bytes, of: $0.totalBytes, .bytes) })
        let (priorities, named) = (priorities, wanted.archives)
        var sources = [Universe.Source]()
        for suite in suites {
            for index in suite.indexes {
                let text = try PackageIndex(parsing: try readFile(at: index.path), file: index.name)
                sources.append(
                    Universe.Source(
                        pocket: suite.name, index: text,
                        priority: priorities[suite.name] ?? suite.release.defaultPriority))
            }
        }
        try Task.checkCancellation()
        func makeUniverse() throws -> Universe {
            try Universe(
                architecture: architecture, sources: sources,
                exclude: recipe.archive.exclude.map { Exclusion($0.value, location: $0.location) },
                pins: recipe.archive.pins.map {
                    Pin(package: $0.package.value, pattern: $0.version, location: $0.package.location)
                })
        }
        var universe = try makeUniverse()
        if let kept = try partial?.sources(missingFrom: universe), !kept.isEmpty {
            sources += kept
            universe = try makeUniverse()
        }
        try partial?.hold(in: &universe, requests: layers.flatMap(\.requests))
        let solution = try universe.solve([baseLayer(universe)] + layers, present: partial?.present ?? [])
        var packages = try solution.packages.map { package throws(Failure) in
            try Lock.Package(package.stanza, pocket: package.pocket, purpose: .layer(package.layer))
        }
        packages += try companions(universe, &partial)
        let moment = suites.map(\.release.date).max() ?? 0
        guard Lock.moments.contains(moment) else {
            throw Failure("the archive is of \(archiveDate(moment)), which no ext4 file system can have as a time")
        }
        return Lock(
            recipe: recipe.name.value, architecture: architecture, moment: moment,
            snapshot: recipe.archive.snapshot?.value.seconds, exclude: recipe.archive.exclude.map(\.value), pins: pins,
            archives: suites.map { suite in
                Lock.Archive(
                    name: suite.name, origin: suite.release.origin, suite: suite.release.suite,
                    codename: suite.release.codename, components: named[suite.name] ?? [],
                    inRelease: suite.inReleaseDigest, date: suite.release.date, pin: priorities[suite.name])
            }, requests: wanted.sets, packages: packages)
    }

    /// What the base layer asks for beyond the Essential and required packages.
    static let baseAdditions = ["apt", mergedUsr]
    private static let mergedUsr = "usr-is-merged"

    /// Essential and required packages and apt. The tree is made with a merged /usr, so the small package that says so
    /// stands in for the one that would convert it, where the archive has it.
    private func baseLayer(_ universe: Universe) throws -> LayerRequests {
        var requests = universe.baseRequests(withApt: true)
        if try universe.candidate(Self.mergedUsr) != nil { requests.append(Request(Self.mergedUsr)) }
        return LayerRequests(layer: LayerRequests.base, requests: requests)
    }

    /// What is fetched but not installed: the kernel's package and the initrd's shell.
    private func companions(_ universe: Universe, _ partial: inout PartialUpdate?) throws -> [Lock.Package] {
        var packages = [Lock.Package]()
        if let kernel = try partial?.companion(for: Self.kernelRole, in: universe) {
            packages.append(kernel)
        } else if case .package(let request)? = recipe.kernel?.source {
            let (stanza, pocket) = try kernelPackage(universe, request)
            packages.append(try Lock.Package(stanza, pocket: pocket, purpose: Self.kernelRole))
        }
        if let shell = try partial?.companion(for: Self.initrdRole, in: universe) {
            packages.append(shell)
        } else if let kernel = recipe.kernel, kernel.initrd != .never {
            // A kernel whose drivers are built in needs none, which shows only later: it may be excluded then.
            let isExcluded = kernel.initrd == .auto && recipe.archive.exclude.contains { $0.value == Self.initrdShell }
            if !isExcluded, let (stanza, pocket) = try universe.offer(Request(Self.initrdShell)) {
                packages.append(try Lock.Package(stanza, pocket: pocket, purpose: Self.initrdRole))
            }
        }
        return packages
    }

    /// The package that holds the kernel: the one asked for, or the one that a metapackage leads to.
    private func kernelPackage(_ universe: Universe, _ request: Located<Recipe.PackageRequest>) throws
        -> (stanza: PackageStanza, pocket: String)
    {
        guard var found = try universe.offer(Request(request)) else {
            let near = nearestName(
                to: request.value.name, among: universe.candidateNames.filter { $0.hasPrefix("linux-image") })
            throw Failure(
                "no package \(request.value) for the kernel", at: request.location,
                hint: near.map { "did you mean \($0)?" })
        }
        // linux-image-cloud-amd64 → linux-image-6.1.0-56-cloud-amd64; the unsigned one has its files in itself.
        for _ in 0..<4 {
            let next = found.stanza.depends.flatMap(\.alternatives).filter { $0.name.hasPrefix("linux-image-") }
            guard let first = next.first else { break }
            // By the relation's version too: a pinned metapackage is of one build.
            guard let package = try next.compactMap({ try universe.offer($0) }).first else {
                let isExcluded = recipe.archive.exclude.contains { $0.value == first.name }
                throw Failure(
                    "\(found.stanza.name) \(found.stanza.version) leads to the kernel \(first), which "
                        + (isExcluded ? "the recipe excludes" : "the archive does not have"),
                    at: request.location, hint: isExcluded ? nil : "ask for a version that it has, or for none")
            }
            found = package
        }
        return found
    }
}

extension Pocket {
    fileprivate init(_ pocket: Recipe.Pocket) {
        switch pocket {
        case .updates: self = .updates
        case .security: self = .security
        case .backports: self = .backports
        }
    }
}

extension Request {
    fileprivate init(_ request: Located<Recipe.PackageRequest>) {
        let package = request.value
        self.init(
            package.name, architecture: package.architecture, version: package.version, suite: package.suite,
            location: request.location)
    }
}
