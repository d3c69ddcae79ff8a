import Debian
import RootfsModel

/// An archive as it was at a moment, in the layout of the distributions' own snapshot services:
/// `BASE/archive/debian/20261120T000000Z` with `BASE/archive/debian-security/20261120T000000Z` beside it, and
/// `BASE/ubuntu/20261120T000000Z` for all pockets.
struct Snapshot: Hashable, Sendable {
    var base: String
    /// Seconds since 1970.
    var moment: Int64

    func address(of pocket: Pocket, in distribution: Distribution) -> String {
        let archive: String =
            switch distribution {
            case .debian: pocket == .security ? "archive/debian-security" : "archive/debian"
            case .ubuntu: "ubuntu"
            }
        return "\(base)/\(archive)/\(archiveStamp(moment))"
    }

    /// The base in an address: the address itself, or what stands before `/archive/debian/20261120T000000Z` or the
    /// beginning of it.
    static func base(in address: String, of distribution: Distribution) -> String {
        var parts = address.split(separator: "/", omittingEmptySubsequences: false)
        if let last = parts.last, isStamp(last) { parts.removeLast() }
        switch distribution {
        case .debian:
            if parts.count > 1, ["debian", "debian-security"].contains(parts[parts.count - 1]),
                parts[parts.count - 2] == "archive"
            {
                parts.removeLast()
            }
            if parts.last == "archive" { parts.removeLast() }
        case .ubuntu:
            if parts.last == "ubuntu" { parts.removeLast() }
        }
        return parts.joined(separator: "/")
    }

    /// The base of an address that is a snapshot's; nil for any other.
    static func base(ofSnapshot address: String, in distribution: Distribution) -> String? {
        guard let last = address.split(separator: "/").last, isStamp(last) else { return nil }
        let found = base(in: address, of: distribution)
        let archives = Pocket.allCases.map {
            Snapshot(base: found, moment: 0).address(of: $0, in: distribution).split(separator: "/").dropLast()
        }
        return archives.contains(address.split(separator: "/").dropLast()) ? found : nil
    }

    /// `20261120T000000Z`.
    private static func isStamp(_ text: Substring) -> Bool {
        text.wholeMatch(of: #/[0-9]{8}T[0-9]{6}Z/#) != nil
    }
}
