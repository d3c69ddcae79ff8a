import Glibc

/// Ids that a user may give out in namespaces of his own: subuid(5) and subgid(5).
struct SubordinateIDs: Hashable {
    /// Debian's packages use ids up to 65534, nobody; 0 is the user himself.
    static let needed: UInt64 = 65534

    var first: UInt64
    var count: UInt64

    /// The first range of a file's text that is large enough: lines of `user:first:count`, the user by name or number.
    static func granted(by text: String, to names: [String]) -> SubordinateIDs? {
        for entry in entries(text) where names.contains(entry.name) && entry.ids.count >= needed { return entry.ids }
        return nil
    }

    /// A range of 65536 ids behind all that these files give to anybody: two users with the same ids could change each
    /// other's files.
    static func free(besides texts: [String]) -> SubordinateIDs {
        let ends = texts.flatMap(entries).map { $0.ids.first &+ $0.ids.count }
        return SubordinateIDs(first: max(100_000, ends.max() ?? 0), count: 65536)
    }

    private static func entries(_ text: String) -> [(name: String, ids: SubordinateIDs)] {
        text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count == 3, let first = UInt64(fields[1]), let count = UInt64(fields[2]) else { return nil }
            return (String(fields[0]), SubordinateIDs(first: first, count: count))
        }
    }
}

/// The user who runs the program, and the ids that he may give out.
struct OrdinaryUser {
    var uid: UInt32
    var gid: UInt32
    var name: String
    var uids: SubordinateIDs?
    var gids: SubordinateIDs?
    /// What usermod could give him.
    var free: SubordinateIDs

    static func current() -> OrdinaryUser {
        let (uid, gid) = (geteuid(), getegid())
        let name = userName(uid)
        let texts = ["/etc/subuid", "/etc/subgid"].map { readSmallFile($0) ?? "" }
        let ranges = texts.map { SubordinateIDs.granted(by: $0, to: [name, String(uid)]) }
        return OrdinaryUser(
            uid: uid, gid: gid, name: name, uids: ranges[0], gids: ranges[1], free: SubordinateIDs.free(besides: texts))
    }

    private static func userName(_ uid: uid_t) -> String {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16 << 10) { buffer in
            guard let address = buffer.baseAddress, getpwuid_r(uid, &entry, address, buffer.count, &found) == 0,
                found != nil,
                let name = entry.pw_name
            else { return String(uid) }
            return String(cString: name)
        }
    }
}
