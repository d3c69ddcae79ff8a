public import Debian
public import RootfsModel

/// Every package version that some indexes offer for one architecture, and which of them is each name's candidate.
public struct Universe: Sendable {
    /// One index of one pocket.
    public struct Source: Sendable {
        /// The pocket's name, as the lock has it: `bookworm-security`.
        public var pocket: String
        public var index: PackageIndex
        /// apt_preferences(5): 500, or what the Release file says; negative or 0 is never a candidate.
        public var priority: Int

        public init(pocket: String, index: PackageIndex, priority: Int = 500) {
            self.pocket = pocket
            self.index = index
            self.priority = priority
        }
    }

    /// One version of one package.
    struct Version: Sendable {
        var name: Int32
        var source: Int32
        var stanza: Int32
        /// Another version of the same name; -1 at the end.
        var next: Int32 = -1
        /// In `relations`: where each kind begins; a kind ends where the next begins.
        var starts: SIMD8<Int32>
        var isEssential: Bool
        var rank: UInt8
    }

    /// One relation; its version stands in the index text of its package's source.
    struct Relation: Sendable {
        var name: Int32
        var versionStart: UInt32
        var versionCount: UInt16
        var comparison: VersionOperator
        var startsGroup: Bool
    }

    /// The kinds of relations that are kept, in the order of `Version.starts`.
    enum Kind: Int { case preDepends, depends, conflicts, breaks, recommends, suggests, provides, end }

    /// Who provides a name: a version, and the place of its relation (-1: itself, at its own version).
    struct Provider: Sendable {
        var version: Int32
        var relation: Int32
    }

    public let architecture: String
    public let sources: [Source]
    var names: NameTable
    var versions: [Version] = []
    var relations: [Relation] = []
    /// By name: the first of its versions; -1 for a name without any.
    var firstVersion: [Int32] = []
    /// By name: the version to take; -1 without one.
    var candidates: [Int32] = []
    /// By name: whether any version says Essential, or Protected or Important.
    var isEssential: [Bool] = []
    var isProtected: [Bool] = []
    /// By name: where its providers begin in `providers`; one more entry than names.
    var providerStarts: [Int32] = []
    var providers: [Provider] = []
    var excluded: Set<Int32> = []
    /// By name: what a pin holds it to.
    var held: [Int32: Hold] = [:]

    /// Reads the indexes in order; the order decides ties as apt's does.
    ///
    /// Fails on a relation that cannot be parsed. Every pin that no version matches, pins that contradict each other,
    /// and packages to exclude or pin that are not there are reported at once (`Failures`). Excluded names have no
    /// candidate.
    public init(architecture: String, sources: [Source], exclude: [Exclusion] = [], pins: [Pin] = []) throws {
        self.architecture = architecture
        self.sources = sources
        var loader = UniverseLoader(
            architecture: architecture, capacity: sources.reduce(0) { $0 + $1.index.count * 2 })
        for number in sources.indices { try loader.load(sources[number], number: Int32(number)) }
        names = loader.names
        versions = loader.versions
        relations = loader.relations
        firstVersion = loader.firstVersion
        isEssential = loader.isEssential
        isProtected = loader.isProtected
        collectProviders(loader.provisions)
        candidates = [Int32](repeating: -1, count: names.count)
        chooseCandidates()
        let mistakes = apply(pins) + apply(exclude)
        if mistakes.count == 1 { throw mistakes[0] }
        if !mistakes.isEmpty { throw Failures(mistakes) }
    }

    /// Highest priority, then highest version, then the first source.
    private mutating func chooseCandidates() {
        for version in versions.indices.reversed() {
            let name = Int(versions[version].name)
            let priority = sources[Int(versions[version].source)].priority
            if priority <= 0 { continue }
            let best = Int(candidates[name])
            if best >= 0 {
                let bestPriority = sources[Int(versions[best].source)].priority
                if priority < bestPriority { continue }
                if priority == bestPriority, compare(version, best) < 0 { continue }
            }
            candidates[name] = Int32(version)
        }
    }

    /// Counting sort of (name, provider) by name; each name's providers stay in the order of the sources.
    private mutating func collectProviders(_ provisions: [(name: Int32, provider: Provider)]) {
        providerStarts = [Int32](repeating: 0, count: names.count + 1)
        for provision in provisions { providerStarts[Int(provision.name) + 1] += 1 }
        for name in 0..<names.count { providerStarts[name + 1] += providerStarts[name] }
        var next = providerStarts
        providers = [Provider](repeating: Provider(version: -1, relation: -1), count: provisions.count)
        for provision in provisions {
            let name = Int(provision.name)
            providers[Int(next[name])] = provision.provider
            next[name] += 1
        }
    }
}

// Reading what was loaded.
extension Universe {
    /// The candidate of a name, as a value; nil where there is none.
    public func candidate(_ name: String) throws(Failure) -> PackageStanza? {
        guard let number = names.number(of: name), candidates[Int(number)] >= 0 else { return nil }
        return try stanza(of: Int(candidates[Int(number)]))
    }

    /// The candidate that satisfies a relation, as a value: the package of that name, or apt's choice of its providers.
    public func candidate(satisfying relation: Debian.Relation) throws(Failure) -> PackageStanza? {
        guard let name = names.number(of: relation.name) else { return nil }
        var best: Int32?
        for index in Int(providerStarts[Int(name)])..<Int(providerStarts[Int(name) + 1]) {
            let provider = providers[index]
            let package = versions[Int(provider.version)].name
            guard candidates[Int(package)] == provider.version, satisfies(provider, relation) else { continue }
            if let known = best, !isBetter(package, known, wanted: name, among: candidates) { continue }
            best = package
        }
        guard let best else { return nil }
        return try stanza(of: Int(candidates[Int(best)]))
    }

    private func satisfies(_ provider: Provider, _ relation: Debian.Relation) -> Bool {
        if relation.comparison == .any { return true }
        let version: String
        if provider.relation < 0 {
            version = versionText(Int(provider.version))
        } else {
            let provided = relations[Int(provider.relation)]
            guard provided.comparison == .equal else { return false }
            let start = Int(provided.versionStart)
            let bytes = sources[Int(versions[Int(provider.version)].source)].index.bytes
            version = String(decoding: bytes[start..<start + Int(provided.versionCount)], as: UTF8.self)
        }
        return relation.matches(name: relation.name, version: DebianVersion(version))
    }

    /// All names that have a candidate, in the order of the sources.
    public var candidateNames: [String] {
        candidates.indices.filter { candidates[$0] >= 0 }.map { names[Int32($0)] }
    }

    func stanza(of version: Int) throws(Failure) -> PackageStanza {
        try sources[Int(versions[version].source)].index.package(at: Int(versions[version].stanza))
    }

    func text(of field: PackageIndex.Field, in version: Int) -> String {
        sources[Int(versions[version].source)].index.text(of: field, in: Int(versions[version].stanza))
    }

    func versionText(_ version: Int) -> String { text(of: .version, in: version) }

    /// The name of the pocket that a version comes from.
    func pocket(of version: Int) -> String { sources[Int(versions[version].source)].pocket }

    /// All versions of a name, in the order of the sources.
    func versionList(of name: Int32) -> [Int] {
        var list = [Int]()
        var next = firstVersion[Int(name)]
        while next >= 0 {
            list.append(Int(next))
            next = versions[Int(next)].next
        }
        return list.reversed()
    }

    func compare(_ left: Int, _ right: Int) -> Int {
        withVersionBytes(left) { a in withVersionBytes(right) { b in compareVersions(a, b) } }
    }

    func withVersionBytes<Result>(_ version: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let index = sources[Int(versions[version].source)].index
        return withBytes(index, index.range(of: .version, in: Int(versions[version].stanza)), body)
    }

    private func withBytes<Result>(
        _ index: PackageIndex, _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        index.bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    func relationRange(_ version: Int, from first: Kind, to end: Kind) -> Range<Int> {
        let starts = versions[version].starts
        return Int(starts[first.rawValue])..<Int(starts[end.rawValue])
    }

    /// Whether the candidate of `name` satisfies a relation, by its own name or through a Provides. `owner` is the
    /// version whose relation it is: the relation's version stands in its index.
    func holds(_ relation: Relation, owner: Int, provider: Provider) -> Bool {
        if relation.comparison == .any { return true }
        let index = sources[Int(versions[owner].source)].index
        let start = Int(relation.versionStart)
        return withBytes(index, start..<start + Int(relation.versionCount)) { wanted in
            if provider.relation < 0 {
                return withVersionBytes(Int(provider.version)) {
                    relation.comparison.holds(compareVersions($0, wanted))
                }
            }
            let provided = relations[Int(provider.relation)]
            guard provided.comparison == .equal else { return false }
            let providerIndex = sources[Int(versions[Int(provider.version)].source)].index
            let from = Int(provided.versionStart)
            return withBytes(providerIndex, from..<from + Int(provided.versionCount)) {
                relation.comparison.holds(compareVersions($0, wanted))
            }
        }
    }
}
