public import RootfsModel

/// A package asked for: `name[:architecture][=version]`.
public struct Request: Hashable, Sendable, CustomStringConvertible {
    public var name: String
    public var architecture: String?
    public var version: String?
    /// Where somebody wrote it, for the failure that it may cause.
    public var location: SourceLocation?

    public init(
        _ name: String, architecture: String? = nil, version: String? = nil, location: SourceLocation? = nil
    ) {
        self.name = name
        self.architecture = architecture
        self.version = version
        self.location = location
    }

    /// Parses what a recipe or a command line says.
    public init(parsing text: String) throws(Failure) {
        let equals = text.firstIndex(of: "=")
        let subject = text[..<(equals ?? text.endIndex)]
        let colon = subject.firstIndex(of: ":")
        self.name = String(subject[..<(colon ?? subject.endIndex)])
        self.architecture = colon.map { String(subject[subject.index(after: $0)...]) }
        self.version = equals.map { String(text[text.index(after: $0)...]) }
        let isName = name.utf8.first.map { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: ".") } ?? false
        let allowed = name.utf8.allSatisfy {
            ($0 >= 48 && $0 <= 57) || ($0 >= 97 && $0 <= 122) || "+-.".utf8.contains($0)
        }
        guard isName, allowed, architecture != "", version != "" else {
            throw Failure("`\(text)` is no package name", hint: "write name, name=version or name:architecture")
        }
    }

    public var description: String {
        name + (architecture.map { ":" + $0 } ?? "") + (version.map { "=" + $0 } ?? "")
    }
}

/// The requests of one layer; the base set is the layer `base`.
public struct LayerRequests: Hashable, Sendable {
    public static let base = "base"

    public var layer: String
    public var requests: [Request]

    public init(layer: String, requests: [Request]) {
        self.layer = layer
        self.requests = requests
    }
}

/// A recipe's pin: the versions of this package that match the pattern (`18.*`, `*` for any run of characters), and of
/// the packages made from the same source those of the same source version.
public struct Pin: Hashable, Sendable {
    public var package: String
    public var pattern: String

    public init(package: String, pattern: String) {
        self.package = package
        self.pattern = pattern
    }

    func matches(_ version: String) -> Bool {
        Self.matches(Array(pattern.utf8), Array(version.utf8))
    }

    /// `*` is any run of bytes, everything else itself. Linear but for one place to go back to.
    private static func matches(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
        var p = 0
        var t = 0
        var star: (pattern: Int, text: Int)?
        while t < text.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                star = (p, t)
                p += 1
            } else if p < pattern.count, pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let last = star {
                star = (last.pattern, last.text + 1)
                p = last.pattern + 1
                t = last.text + 1
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
