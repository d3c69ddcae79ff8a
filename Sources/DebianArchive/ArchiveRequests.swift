public import Debian
public import RootfsModel
public import SystemPackage

/// One suite of one signed archive, as it is wanted: a pocket of the distribution or another archive.
public struct SuiteRequest: Hashable, Sendable {
    /// Its name below `dists/`: `bookworm-security`.
    public var suite: String
    public var candidates: [MirrorCandidate]
    public var components: [String]
    public var architecture: String
    /// One good signature of one of their keys is needed, from a candidate without keyrings of its own.
    public var keyrings: [FilePath]
    /// What a lock and messages call it: the suite's name, or that of one more archive.
    public var name: String
    /// The moment that it may not be later than and at which it has to be valid, seconds since 1970; nil: as it is now.
    public var snapshot: Int64?
    /// One more archive that the recipe names, not a pocket of the distribution.
    public var isExtra = false
    /// Where the recipe names it, for what is wrong with it.
    public var location: SourceLocation?

    public init(
        suite: String, candidates: [MirrorCandidate], components: [String], architecture: String, keyrings: [FilePath]
    ) {
        self.name = suite
        self.suite = suite
        self.candidates = candidates
        self.components = components
        self.architecture = architecture
        self.keyrings = keyrings
    }

    /// The requests for a distribution's suite and its pockets, the suite itself first.
    ///
    /// A keyring that the recipe names counts alone. Without one, an address of the host's sources is checked with its
    /// own Signed-By, any other with the distribution's keyring.
    public static func pockets(
        _ pockets: [Pocket], of mirrors: Mirrors, components: [String], architecture: String, recipeKeyring: FilePath?
    ) throws(Failure) -> [SuiteRequest] {
        try Set(pockets).union([.release]).sorted().map { pocket throws(Failure) in
            var candidates = mirrors.candidates(for: pocket)
            if recipeKeyring != nil {
                for index in candidates.indices { candidates[index].keyrings = [] }
            }
            let needsKeyring = candidates.contains { $0.keyrings.isEmpty }
            var request = SuiteRequest(
                suite: pocket.suite(of: mirrors.suite, in: mirrors.distribution), candidates: candidates,
                components: components, architecture: architecture,
                keyrings: needsKeyring ? [try mirrors.distribution.keyring(recipe: recipeKeyring)] : [])
            request.snapshot = mirrors.moment
            return request
        }
    }

    /// The request for one more archive: one address, checked with its own keyring alone.
    ///
    /// - Parameters:
    ///   - name: what a lock and messages call it.
    ///   - address: in the form of `Mirrors.address`.
    ///   - snapshot: as `snapshot` of the request.
    public static func extra(
        _ name: String, at address: String, suite: String, components: [String], architecture: String,
        keyring: FilePath, snapshot: Int64?, location: SourceLocation?
    ) -> SuiteRequest {
        let candidate = MirrorCandidate(uri: address, source: "archive.extra", origin: nil)
        var request = SuiteRequest(
            suite: suite, candidates: [candidate], components: components, architecture: architecture,
            keyrings: [keyring])
        request.name = name
        request.snapshot = snapshot
        request.isExtra = true
        request.location = location
        return request
    }

    /// A failure of one more archive, with its name and its place; what helps is then in the recipe.
    func owning(_ failure: Failure) -> Failure {
        guard isExtra else { return failure }
        var failure = failure
        failure.message = "the archive \(name): \(failure.message)"
        failure.location = location
        if failure.hint?.hasPrefix("did you mean") != true && failure.hint != SuiteRequest.clockHint {
            let network = failure.hint?.hasPrefix("check the network") == true ? "the network, and " : ""
            failure.hint = "check \(network)what archive.extra says of \(name): its url, suite, components and keyring"
        }
        return failure
    }

    static let clockHint = "set this host's clock"
}

/// The index of one component for one architecture.
public struct FetchedIndex: Hashable, Sendable {
    public var component: String
    /// The wanted one, or `all` where the archive keeps those apart.
    public var architecture: String
    /// Of the uncompressed text; `path` is its file in the store.
    public var digest: Digest
    public var path: FilePath
    /// What failures call it: its URL.
    public var name: String
}

/// A suite that was found, believed and read.
public struct FetchedSuite: Hashable, Sendable {
    /// The request's name.
    public var name: String
    public var suite: String
    /// Where its packages are, in the order to try: the mirror that gave the indexes first.
    public var mirrors: [String]
    public var release: ReleaseFile
    /// Of the InRelease file with its signature.
    public var inReleaseDigest: Digest
    /// Fingerprints of the keys that signed it.
    public var signers: [String]
    /// By component in the order of the request, then by architecture.
    public var indexes: [FetchedIndex]
}

/// A file known by its digest, and where it may be.
public struct PinnedFile: Hashable, Sendable {
    /// What it is, for messages: `chromium 120.0 (amd64)`.
    public var what: String
    /// URLs, in the order to try.
    public var locations: [String]
    public var digest: Digest
    public var size: UInt64?

    public init(what: String, locations: [String], digest: Digest, size: UInt64?) {
        self.what = what
        self.locations = locations
        self.digest = digest
        self.size = size
    }

    /// A package of an archive: `poolPath` is the index's Filename, `mirrors` are the archive's addresses.
    public init(package what: String, poolPath: String, mirrors: [String], digest: Digest, size: UInt64) {
        self.init(
            what: what, locations: mirrors.map { location(of: poolPath, at: $0) }, digest: digest, size: size)
    }

    /// A file of this host.
    public init(what: String, file: FilePath, digest: Digest, size: UInt64? = nil) {
        self.init(what: what, locations: [location(of: file.string, at: "file://")], digest: digest, size: size)
    }
}

/// The URL of a path below an archive's address. What a URL cannot hold is percent-encoded, and the plus sign, which
/// some servers take for a blank.
public func location(of path: String, at mirror: String) -> String {
    var result = mirror + "/"
    for byte in path.utf8.drop(while: { $0 == UInt8(ascii: "/") }) {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"), UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "@"):
            result.unicodeScalars.append(Unicode.Scalar(byte))
        default:
            let digits = Array("0123456789ABCDEF")
            result += ["%", digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return result
}
