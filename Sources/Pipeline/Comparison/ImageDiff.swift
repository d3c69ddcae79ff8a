public import Comparing
internal import Ext4
internal import RootfsModel
internal import Storage
internal import Synchronization
public import SystemPackage

/// What to compare with what.
public struct ComparisonRequest: Sendable {
    /// Each with the name that the user gave it.
    public var old: (path: FilePath, name: String)
    public var new: (path: FilePath, name: String)
    public var options: ComparisonOptions
    /// Whether everything is read, whatever records and listings say.
    public var isParanoid: Bool
    /// A folder for what must be decompressed.
    public var temporary: FilePath
    public var jobs: Int
    /// Debian's name of the architecture, where nothing says it.
    public var architecture: String

    public init(
        old: (path: FilePath, name: String), new: (path: FilePath, name: String),
        options: ComparisonOptions = ComparisonOptions(), isParanoid: Bool = false, temporary: FilePath, jobs: Int,
        architecture: String
    ) {
        self.old = old
        self.new = new
        self.options = options
        self.isParanoid = isParanoid
        self.temporary = temporary
        self.jobs = jobs
        self.architecture = architecture
    }
}

/// Compares two images, builds, listings, locks, directories or tarballs.
///
/// - Throws: where one of them cannot be read at all; single paths that cannot be read are in the result.
public func compareImages(_ request: ComparisonRequest) throws -> Comparison {
    var sides = try request.both { path, name in
        try OpenedSide(path, name: name, temporary: request.temporary)
    }
    if !request.isParanoid, let hash = sides.0.knownHash, hash == sides.1.knownHash {
        return Comparison(old: try sides.0.compared().side, new: try sides.1.compared().side, isIdentical: true)
    }
    (sides.0, sides.1) = try concurrently(request.jobs, sides) { side in
        var side = side
        try side.readTree(isParanoid: request.isParanoid)
        return side
    }
    var other: Set<TreePath>?
    var damaged = [(side: Int, path: TreePath, problem: String)]()
    if let old = sides.0.tree, let new = sides.1.tree {
        let contents = try ContentComparison(old, new, jobs: request.jobs, isParanoid: request.isParanoid)
        other = contents.other
        damaged = contents.damaged
    }
    let needsServices = request.options.wants(.services) && sides.0.tree != nil && sides.1.tree != nil
    var images = try concurrently(request.jobs, sides) { side in try side.compared() }
    for damage in damaged {
        if damage.side == 0 {
            images.0.damaged.append((damage.path, damage.problem))
        } else {
            images.1.damaged.append((damage.path, damage.problem))
        }
    }
    let differ = other?.isEmpty == false || images.0.tree?.nodes.count != images.1.tree?.nodes.count
    if needsServices, differ || images.0.tree?.looksLike(images.1.tree) == false {
        images = try concurrently(request.jobs, images) { image in
            var image = image
            // A tree that is damaged may have units that cannot be read: the rest is compared all the same.
            try? image.addServices(architecture: request.architecture)
            return image
        }
    }
    return try withExtendedLifetime(sides) {
        try compare(images.0, images.1, otherContent: other, options: request.options)
    }
}

extension ComparisonRequest {
    fileprivate func both<Value>(_ body: (FilePath, String) throws -> Value) rethrows -> (Value, Value) {
        (try body(old.path, old.name), try body(new.path, new.name))
    }
}

extension FileTree {
    /// Whether two trees have the same paths with the same metadata, whatever their contents are.
    fileprivate func looksLike(_ other: FileTree?) -> Bool {
        guard let other, nodes.count == other.nodes.count else { return false }
        return zip(nodes, other.nodes).allSatisfy {
            $0.path == $1.path && $0.metadata == $1.metadata && $0.linkTarget == $1.linkTarget
                && $0.typeText == $1.typeText
        }
    }
}

/// Does the same with both of two values, on two threads where there are.
private func concurrently<Value, Result>(
    _ jobs: Int, _ values: (Value, Value), _ body: (Value) throws -> Result
) throws -> (Result, Result) {
    if jobs < 2 { return (try body(values.0), try body(values.1)) }
    let next = Atomic(0)
    let guardian = Mutex(())
    var outcomes: (Swift.Result<Result, any Error>?, Swift.Result<Result, any Error>?)
    runConcurrently(2) {
        while true {
            let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
            if number > 1 { return }
            let outcome = Swift.Result { try body(number == 0 ? values.0 : values.1) }
            guardian.withLock { _ in
                if number == 0 { outcomes.0 = outcome } else { outcomes.1 = outcome }
            }
        }
    }
    guard let first = outcomes.0, let second = outcomes.1 else { throw CancellationError() }
    return (try first.get(), try second.get())
}
