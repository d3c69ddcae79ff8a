/// What a package's changelog (deb-changelog(5)) says of the versions after one up to another, newest first.
public struct Changelog: Hashable, Sendable {
    /// The items of the entries, each in one line, without those who wrote them.
    public var items: [String] = []
    /// The identifiers of vulnerabilities that the entries name, each once, in the order of their numbers.
    public var vulnerabilities: [String] = []

    /// Parses the text; lines that are no changelog's are passed over, for none is anybody's here to mend.
    public init(parsing bytes: [UInt8], after old: String, upTo new: String) {
        let (old, new) = (DebianVersion(old), DebianVersion(new))
        var isWanted = false
        var isInItem = false
        for line in bytes.split(separator: Byte.lineFeed, omittingEmptySubsequences: false) {
            if let first = line.first, !isBlank(first) {
                guard let version = Self.version(ofHeader: String(decoding: line, as: UTF8.self)) else { continue }
                if version <= old { break }
                isWanted = version <= new
                isInItem = false
            } else if isWanted, !line.starts(with: " -- ".utf8) {
                let text = String(decoding: line.drop(while: isBlank), as: UTF8.self)
                if text.isEmpty {
                    isInItem = false
                } else if isInItem, !["* ", "- ", "+ ", "["].contains(where: text.hasPrefix) {
                    items[items.count - 1] += " " + text
                } else {
                    items.append(text)
                    isInItem = true
                }
            }
        }
        vulnerabilities = Self.vulnerabilities(in: items)
    }

    /// `nodejs (18.19.0+dfsg-6) bookworm; urgency=medium`
    private static func version(ofHeader line: String) -> DebianVersion? {
        let words = line.split(separator: " ", maxSplits: 2)
        guard words.count > 1, words[1].hasPrefix("("), words[1].hasSuffix(")") else { return nil }
        return DebianVersion(String(words[1].dropFirst().dropLast()))
    }

    private static func vulnerabilities(in items: [String]) -> [String] {
        var found = Set<[Int]>()
        for item in items {
            for match in item.matches(of: #/CVE-([0-9]{4})-([0-9]{4,9})/#) {
                if let year = Int(match.1), let number = Int(match.2) { found.insert([year, number]) }
            }
        }
        return found.sorted { $0.lexicographicallyPrecedes($1) }.map { parts in
            let number = String(parts[1])
            return "CVE-\(parts[0])-" + String(repeating: "0", count: max(0, 4 - number.count)) + number
        }
    }
}
