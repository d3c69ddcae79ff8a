public import RootfsModel
import Storage
public import SystemPackage

/// A distribution whose archive's layout and keyring are known.
public enum Distribution: String, Hashable, Sendable, CaseIterable {
    case debian, ubuntu

    /// What the Release file of a pocket says as `Origin`.
    func origin(of pocket: Pocket) -> String {
        self == .debian && pocket == .backports ? "Debian Backports" : origin
    }

    /// What its Release files say as `Origin`, but for Debian's backports.
    public var origin: String {
        switch self {
        case .debian: "Debian"
        case .ubuntu: "Ubuntu"
        }
    }

    /// The host's files of its archive keys, the best first.
    public var keyrings: [FilePath] {
        switch self {
        case .debian:
            ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"]
        case .ubuntu: ["/usr/share/keyrings/ubuntu-archive-keyring.gpg"]
        }
    }

    /// Names of suites, for suggestions: newer ones work as well.
    public var knownSuites: [String] {
        switch self {
        case .debian:
            [
                "bookworm", "trixie", "forky", "bullseye", "buster", "sid", "stable", "testing", "unstable",
                "oldstable",
                "oldoldstable", "experimental",
            ]
        case .ubuntu: ["noble", "jammy", "focal", "questing", "plucky", "resolute"]
        }
    }

    /// The package that brings them.
    public var keyringPackage: String {
        switch self {
        case .debian: "debian-archive-keyring"
        case .ubuntu: "ubuntu-keyring"
        }
    }

    /// The keyring to check its archive with: the recipe's if it names one, else the host's.
    public func keyring(recipe: FilePath?) throws(Failure) -> FilePath {
        if let recipe {
            if exists(recipe) { return recipe }
            throw Failure("cannot check the archive's signature: there is no keyring \(recipe.string)")
        }
        if let found = keyrings.first(where: { exists($0) }) { return found }
        throw Failure(
            "cannot check the archive's signature: there is no keyring \(keyrings[0].string)",
            hint: "apt-get install \(keyringPackage), or name a keyring in the recipe's archive.keyring")
    }
}

/// The parts of a distribution's suite that are archives' suites of their own.
public enum Pocket: String, Hashable, Sendable, CaseIterable, Comparable {
    case release, updates, security, backports

    /// The archive's name of this pocket of a suite: `bookworm-security`, and `buster/updates` as Debian called it
    /// until 10.
    public func suite(of suite: String, in distribution: Distribution) -> String {
        switch self {
        case .release: return suite
        case .security where distribution == .debian && ["jessie", "stretch", "buster"].contains(suite):
            return suite + "/updates"
        default: return "\(suite)-\(rawValue)"
        }
    }

    /// The suite that a pocket's name is of: `bookworm` of `bookworm-updates`.
    static func base(of name: String) -> String {
        for pocket in allCases where name.hasSuffix("-" + pocket.rawValue) {
            return String(name.dropLast(pocket.rawValue.count + 1))
        }
        return name
    }

    public static func < (left: Pocket, right: Pocket) -> Bool {
        allCases.firstIndex(of: left) ?? 0 < allCases.firstIndex(of: right) ?? 0
    }
}
