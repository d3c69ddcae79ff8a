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

/// Why something is stale, in the words of `explain` and build.json: an input with what it was and what it is, or a
/// thing with what is wrong with it.
public struct Reason: Codable, Hashable, Sendable {
    /// An input's name; a package, a file of the outputs, a stage.
    public var what: String
    /// The input's value in the previous build; nil where it had none of this name.
    public var old: String?
    /// nil where the input is no longer there.
    public var new: String?
    /// `not in the store`, `is gone`: for what is not an input.
    public var state: String?

    init(_ what: String, state: String) {
        self.what = what
        self.state = state
    }

    fileprivate init(_ input: String, old: String?, new: String?) {
        what = input
        self.old = old
        self.new = new
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

    /// What is not as it was: in the order of these inputs, then what is gone.
    func changes(since old: [Input]) -> [Reason] {
        let before = Dictionary(old.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        let now = Set(map(\.name))
        var reasons = compactMap { input in
            before[input.name] == input.value ? nil : Reason(input.name, old: before[input.name], new: input.value)
        }
        reasons += old.filter { !now.contains($0.name) }.map { Reason($0.name, old: $0.value, new: nil) }
        return reasons
    }
}
