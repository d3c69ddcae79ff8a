internal import RootfsModel

/// One thing that a result depends on, under the name that people know it by.
struct Input: Codable, Hashable, Sendable {
    /// `moment`, `package bash (amd64)`, `recipe image.free`; one of a kind among the inputs of a result.
    var name: String
    /// A short value as it is, a digest of a long one.
    var value: String

    init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

extension [Input] {
    /// Names what was made of these inputs.
    var digest: Digest {
        var hasher = DigestHasher()
        for input in self {
            hasher.update(field: input.name)
            hasher.update(field: input.value)
        }
        return hasher.finalized()
    }
}
