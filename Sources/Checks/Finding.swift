public import RootfsModel

/// How bad a finding is.
public enum Severity: String, CaseIterable, Hashable, Comparable, Sendable {
    /// Worth knowing; nothing has to be done.
    case note
    /// May fail, depending on what cannot be seen in the image.
    case warning
    /// Will fail, or must not be in an image. Fails a build.
    case error

    public static func < (left: Severity, right: Severity) -> Bool {
        let order = allCases
        return order.firstIndex(of: left).map { place in order[place...].dropFirst().contains(right) } ?? false
    }
}

/// What a rule says of a tree.
public struct Finding: Hashable, Sendable {
    /// Stable, `rule/what`: `exec/missing`. Recipes suppress by it.
    public var id: String
    public var severity: Severity
    /// The service concerned, by its name; nil for the image as a whole.
    public var service: String?
    /// The path in the image that it is about.
    public var path: TreePath?
    /// What is wrong, as a clause without a full stop.
    public var message: String
    /// The chain of reasoning, a line each, from what the service says to what is wrong.
    public var reasons: [String]
    /// What to do about it.
    public var remedy: String?
    /// The file that is missing, where one is: what a package must bring to mend it.
    public var missing: TreePath?
    /// Where to change it: a line of the recipe, or of a file in the image.
    public var location: SourceLocation?

    public init(
        _ id: String, _ severity: Severity, _ message: String, service: String? = nil, path: TreePath? = nil,
        reasons: [String] = [], remedy: String? = nil, missing: TreePath? = nil, location: SourceLocation? = nil
    ) {
        self.id = id
        self.severity = severity
        self.service = service
        self.path = path
        self.message = message
        self.reasons = reasons
        self.remedy = remedy
        self.missing = missing
        self.location = location
    }
}
