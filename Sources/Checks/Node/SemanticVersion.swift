/// A version as npm has it (Semantic Versioning 2.0.0); what stands behind `+` means nothing.
struct SemanticVersion: Hashable, Comparable, CustomStringConvertible {
    var major: Int
    var minor: Int
    var patch: Int
    var prerelease: [String] = []

    init(_ major: Int, _ minor: Int, _ patch: Int, prerelease: [String] = []) {
        self.major = major
        self.minor = minor
        self.patch = patch
        self.prerelease = prerelease
    }

    /// `18.20.4`, with or without a `v`; nil for anything else.
    init?(_ text: String) {
        guard let partial = PartialVersion(text), let minor = partial.minor, let patch = partial.patch,
            let major = partial.major
        else { return nil }
        self.init(major, minor, patch, prerelease: partial.prerelease)
    }

    var description: String {
        "\(major).\(minor).\(patch)" + (prerelease.isEmpty ? "" : "-" + prerelease.joined(separator: "."))
    }

    static func < (left: SemanticVersion, right: SemanticVersion) -> Bool {
        let a = (left.major, left.minor, left.patch)
        let b = (right.major, right.minor, right.patch)
        if a != b { return a < b }
        if left.prerelease.isEmpty || right.prerelease.isEmpty {
            return !left.prerelease.isEmpty && right.prerelease.isEmpty
        }
        for (one, other) in zip(left.prerelease, right.prerelease) where one != other {
            switch (Int(one), Int(other)) {
            case (let one?, let other?): return one < other
            case (nil, nil): return one.utf8.lexicographicallyPrecedes(other.utf8)
            case (let number, _): return number != nil
            }
        }
        return left.prerelease.count < right.prerelease.count
    }
}

/// `1`, `1.2`, `1.x`, `*`: numbers that are not there are open.
private struct PartialVersion {
    var major: Int?
    var minor: Int?
    var patch: Int?
    var prerelease: [String] = []

    init?(_ text: String) {
        var rest = Substring(text)
        if rest.hasPrefix("v") || rest.hasPrefix("=") { rest = rest.drop { $0 == "v" || $0 == "=" } }
        rest = rest.prefix { $0 != "+" }
        if let dash = rest.firstIndex(of: "-") {
            prerelease = rest[rest.index(after: dash)...].split(separator: ".").map(String.init)
            rest = rest[..<dash]
        }
        let parts = rest.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 3 else { return nil }
        var numbers = [Int?]()
        for part in parts {
            if part.isEmpty && parts.count == 1 || ["x", "X", "*"].contains(part) {
                numbers.append(nil)
            } else {
                guard let number = Int(part), number >= 0, number < 1 << 40 else { return nil }
                numbers.append(number)
            }
        }
        numbers += [nil, nil, nil]
        major = numbers[0]
        minor = major == nil ? nil : numbers[1]
        patch = minor == nil ? nil : numbers[2]
    }

    /// The least version it means.
    var floor: SemanticVersion {
        SemanticVersion(major ?? 0, minor ?? 0, patch ?? 0, prerelease: prerelease)
    }

    /// The first version behind all that it means; nil where it means every one.
    var ceiling: SemanticVersion? {
        guard let major else { return nil }
        guard let minor else { return SemanticVersion(major + 1, 0, 0) }
        guard let patch else { return SemanticVersion(major, minor + 1, 0) }
        return SemanticVersion(major, minor, patch + 1)
    }
}

/// What `engines` may say: `>=18`, `^18.17 || >=20`, `14.x`, `1.2 - 1.4` (npm's node-semver, "Ranges").
struct VersionRange {
    private typealias Bound = @Sendable (SemanticVersion) -> Bool
    /// One of these, and all in it.
    private var alternatives: [[Bound]]

    /// nil where it is no range.
    init?(_ text: String) {
        alternatives = []
        for part in text.split(separator: "|", omittingEmptySubsequences: true).map(String.init) {
            guard let bounds = Self.bounds(part) else { return nil }
            alternatives.append(bounds)
        }
        if alternatives.isEmpty { alternatives = [[]] }
    }

    func contains(_ version: SemanticVersion) -> Bool {
        alternatives.contains { bounds in bounds.allSatisfy { $0(version) } }
    }

    private static func bounds(_ text: String) -> [Bound]? {
        var words = text.split(separator: " ").map(String.init)
        if words.count == 3, words[1] == "-" {
            guard let low = PartialVersion(words[0]), let high = PartialVersion(words[2]) else { return nil }
            return [{ $0 >= low.floor }] + upTo(high)
        }
        // `>= 18` is `>=18`.
        var index = 0
        while index + 1 < words.count {
            if words[index].allSatisfy({ "<>=~^".contains($0) }) {
                words[index] += words.remove(at: index + 1)
            }
            index += 1
        }
        var bounds = [Bound]()
        for word in words {
            let sign = String(word.prefix { "<>=~^".contains($0) })
            guard let version = PartialVersion(String(word.dropFirst(sign.count))),
                let more = comparator(sign, version)
            else { return nil }
            bounds += more
        }
        return bounds
    }

    private static func upTo(_ version: PartialVersion) -> [Bound] {
        if version.patch != nil { return [{ $0 <= version.floor }] }
        return version.ceiling.map { end in [{ $0 < end }] } ?? []
    }

    private static func below(_ end: SemanticVersion?) -> [Bound] { end.map { end in [{ $0 < end }] } ?? [] }

    private static func comparator(_ sign: String, _ version: PartialVersion) -> [Bound]? {
        let floor = version.floor
        switch sign {
        case "", "=":
            return version.patch != nil ? [{ $0 == floor }] : [{ $0 >= floor }] + below(version.ceiling)
        case ">=": return [{ $0 >= floor }]
        case "<": return [{ $0 < floor }]
        case "<=": return upTo(version)
        case ">":
            if version.patch != nil { return [{ $0 > floor }] }
            return version.ceiling.map { end in [{ $0 >= end }] } ?? [{ _ in false }]
        case "~", "~>":
            guard let major = version.major else { return [] }
            let end = version.minor.map { SemanticVersion(major, $0 + 1, 0) } ?? SemanticVersion(major + 1, 0, 0)
            return [{ $0 >= floor && $0 < end }]
        case "^":
            guard let major = version.major else { return [] }
            let end: SemanticVersion
            if major > 0 || version.minor == nil {
                end = SemanticVersion(major + 1, 0, 0)
            } else if let minor = version.minor, minor > 0 || version.patch == nil {
                end = SemanticVersion(0, minor + 1, 0)
            } else {
                end = SemanticVersion(0, 0, (version.patch ?? 0) + 1)
            }
            return [{ $0 >= floor && $0 < end }]
        default: return nil
        }
    }
}
