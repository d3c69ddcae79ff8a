import Debian
public import RootfsModel
public import SystemPackage

/// One place where a pocket may be.
public struct MirrorCandidate: Hashable, Sendable {
    /// The archive's address without slashes at its end; `dists/` and `pool/` are below it.
    public var uri: String
    /// Who named it, for messages: `--mirror`, `the recipe`, `/etc/apt/sources.list:3`.
    public var source: String
    /// What its Release file must say as Origin; nil where somebody chose the address for this very purpose.
    public var origin: String?
    /// The keyrings that the host's APT checks this very address with; empty: the request's.
    public var keyrings: [FilePath] = []
}

/// Where an archive's pockets are looked for.
///
/// The first of these that is there decides, alone: the address on the command line, the recipe's, the host's APT
/// sources. There is no default.
///
/// A chosen address is that of the suite and its updates. Its security pocket is looked for beside it where its
/// path ends in `/debian` (`…/debian-security`, Debian's layout), then at the same address (Ubuntu's layout, company
/// mirrors, merged archives); the first that has it is taken.
///
/// Of the host's sources, only those count whose suite is the very pocket, with a wanted component and not for other
/// architectures alone; and what they serve must say the distribution's Origin. A pocket that the host does not use
/// is derived from the address of its suite as above.
///
/// With a snapshot's moment the address is the base of a snapshot archive, and every pocket has one place: that
/// archive's at the moment. Of the host's sources the first counts that is in a snapshot archive, of any moment.
public struct Mirrors: Hashable, Sendable {
    public let distribution: Distribution
    public let suite: String
    private let chosen: MirrorCandidate?
    private let host: [HostSource]
    private let snapshot: Snapshot?
    /// The moment that every pocket is of; nil: as they are now.
    var moment: Int64? { snapshot?.moment }

    /// - Parameters:
    ///   - commandLine: `--mirror`: a URL or an absolute directory.
    ///   - recipe: the recipe's `archive.mirror`, likewise.
    ///   - host: what `/etc/apt` says.
    ///   - snapshot: the moment to take everything from, seconds since 1970.
    /// - Throws: when none of the three names an address, or one is no address.
    public init(
        distribution: Distribution, suite: String, components: [String], architecture: String, commandLine: String?,
        recipe: String?, host: HostSources, snapshot: Int64? = nil
    ) throws(Failure) {
        self.distribution = distribution
        self.suite = suite
        for (text, source) in [(commandLine, "--mirror"), (recipe, "the recipe's archive.mirror")] {
            guard let text else { continue }
            guard let uri = Self.address(text) else {
                throw Failure(
                    "\(source) is no archive's address: `\(text)`",
                    hint:
                        "an address is a directory, or begins with http://, https:// or file:///; it leads to the folder that holds dists/ and pool/"
                )
            }
            self.chosen = MirrorCandidate(uri: uri, source: source, origin: nil)
            self.host = []
            self.snapshot = snapshot.map {
                Snapshot(base: Snapshot.base(in: uri, of: distribution), moment: $0)
            }
            return
        }
        self.chosen = nil
        if let snapshot {
            let bases = host.sources.lazy.compactMap { Snapshot.base(ofSnapshot: $0.uri, in: distribution) }
            guard let base = bases.first else {
                throw Failure(
                    "no snapshot archive is known for \(distribution.origin) \(suite) at \(archiveDate(snapshot))",
                    notes: ["none of this host's APT sources is in one"],
                    hint: "name one with --mirror URI, or as archive.mirror in the recipe: what stands before "
                        + (distribution == .debian ? "/archive/debian/" : "/ubuntu/") + " in its addresses")
            }
            self.snapshot = Snapshot(base: base, moment: snapshot)
            self.host = []
            return
        }
        self.snapshot = nil
        self.host = host.sources.filter { source in
            (source.architectures.isEmpty || source.architectures.contains(architecture))
                && source.components.contains { components.contains($0) }
        }
        let wanted = Pocket.allCases.map { $0.suite(of: suite, in: distribution) }
        guard self.host.contains(where: { wanted.contains($0.suite) }) else {
            let near = nearestName(
                to: suite, among: host.sources.map { Pocket.base(of: $0.suite) } + distribution.knownSuites)
            throw Failure(
                "no mirror is known for \(distribution.origin) \(suite)",
                notes: host.problems
                    + (host.sources.isEmpty
                        ? ["this host has no APT sources"]
                        : [
                            "this host's APT sources are for \(Set(host.sources.map(\.suite)).sorted().joined(separator: ", "))"
                        ]),
                hint: near.flatMap { $0 == suite ? nil : "did you mean \($0)?" }
                    ?? "give one with --mirror URI, or as archive.mirror in the recipe, or add it to the host's APT sources"
            )
        }
    }

    /// Where a pocket is looked for, in this order; never empty.
    public func candidates(for pocket: Pocket) -> [MirrorCandidate] {
        if let snapshot {
            // Chosen for this very purpose: whatever fails here is not passed over.
            return [
                MirrorCandidate(
                    uri: snapshot.address(of: pocket, in: distribution), source: "archive.snapshot", origin: nil)
            ]
        }
        if let chosen {
            return derived(pocket, from: chosen)
        }
        var result = named(pocket)
        // The host's address of the suite itself stands for the pockets that it does not name, theirs for the suite.
        var basis = named(.release)
        if basis.isEmpty { basis = named(.updates) + named(.backports) + named(.security) }
        for candidate in basis { result += derived(pocket, from: candidate) }
        for index in result.indices { result[index].origin = distribution.origin(of: pocket) }
        var seen = Set<String>()
        return result.filter { seen.insert($0.uri).inserted }
    }

    private func named(_ pocket: Pocket) -> [MirrorCandidate] {
        let name = pocket.suite(of: suite, in: distribution)
        return host.filter { $0.suite == name }.map {
            MirrorCandidate(
                uri: $0.uri, source: "\($0.file):\($0.line)", origin: distribution.origin,
                keyrings: $0.signedBy.filter { $0.hasPrefix("/") }.map { FilePath($0) })
        }
    }

    /// The address that somebody chose, a URL or an absolute directory, in one form; nil for what is none.
    public static func address(_ text: String) -> String? {
        guard text.hasPrefix("/") else { return archiveAddress(text) }
        return archiveAddress(location(of: text, at: "file://"))
    }

    private func derived(_ pocket: Pocket, from basis: MirrorCandidate) -> [MirrorCandidate] {
        guard pocket == .security, distribution == .debian, basis.uri.hasSuffix("/debian") else { return [basis] }
        var beside = basis
        beside.uri += "-security"
        return [beside, basis]
    }
}
