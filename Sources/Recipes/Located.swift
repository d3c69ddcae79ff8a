public import RootfsModel

/// A value and the place in a recipe that says it; no place where the value is a default.
public struct Located<Value: Hashable & Sendable>: Hashable, Sendable {
    public var value: Value
    public var location: SourceLocation?

    public init(_ value: Value, at location: SourceLocation? = nil) {
        self.value = value
        self.location = location
    }
}

extension Located: CustomStringConvertible where Value: CustomStringConvertible {
    public var description: String { value.description }
}
