public import RootfsModel

/// A package asked for: `name[:architecture]`, with `=version` or `/suite` behind it.
public struct Request: Hashable, Sendable, CustomStringConvertible {
    public var name: String
    public var architecture: String?
    public var version: String?
    /// The pocket or archive to take it from, by the name of its `Universe.Source`.
    public var suite: String?
    /// Where somebody wrote it, for the failure that it may cause.
    public var location: SourceLocation?

    public init(
        _ name: String, architecture: String? = nil, version: String? = nil, suite: String? = nil,
        location: SourceLocation? = nil
    ) {
        self.name = name
        self.architecture = architecture
        self.version = version
        self.suite = suite
        self.location = location
    }

    /// Parses what a recipe or a command line says.
    public init(parsing text: String) throws(Failure) {
        // A version has no slash in it.
        let slash = text.firstIndex(of: "/")
        let left = text[..<(slash ?? text.endIndex)]
        let equals = left.firstIndex(of: "=")
        let subject = left[..<(equals ?? left.endIndex)]
        let colon = subject.firstIndex(of: ":")
        self.name = String(subject[..<(colon ?? subject.endIndex)])
        self.architecture = colon.map { String(subject[subject.index(after: $0)...]) }
        self.version = equals.map { String(left[left.index(after: $0)...]) }
        self.suite = slash.map { String(text[text.index(after: $0)...]) }
        let isName = name.utf8.first.map { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: ".") } ?? false
        let allowed = name.utf8.allSatisfy {
            ($0 >= 48 && $0 <= 57) || ($0 >= 97 && $0 <= 122) || "+-.".utf8.contains($0)
        }
        guard isName, allowed, architecture != "", version != "", suite != "", version == nil || suite == nil else {
            throw Failure(
                "`\(text)` is no package name", hint: "write name, name=version, name/suite or name:architecture")
        }
    }

    public var description: String {
        name + (architecture.map { ":" + $0 } ?? "") + (version.map { "=" + $0 } ?? "")
            + (suite.map { "/" + $0 } ?? "")
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
