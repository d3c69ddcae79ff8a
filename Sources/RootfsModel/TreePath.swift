internal import Glibc

/// The path of a node below a tree's root, as bytes: no leading, trailing or doubled slash, no `.` or `..`
/// component, no NUL. The root itself is the empty path. Ordered by bytes, so a parent stands before what
/// is in it, as in `LC_ALL=C sort`.
public struct TreePath: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let bytes: [UInt8]

    public static let root = TreePath(trusted: [])
    static let slash = UInt8(ascii: "/")

    /// Bytes that are known to have the form above.
    init(trusted bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Brings a path into the form above: drops leading `/` and `./`, trailing and doubled slashes and `.`
    /// components. nil when it has a `..` component or a NUL: such a path could leave the tree.
    public init?(normalizing bytes: some Collection<UInt8>) {
        let result =
            bytes.withContiguousStorageIfAvailable(Self.normalized)
            ?? Array(bytes).withUnsafeBufferPointer(Self.normalized)
        guard let result else { return nil }
        self.bytes = result
    }

    /// Over bytes in memory: hundreds of thousands of paths are read from lists.
    private static func normalized(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        let dot = UInt8(ascii: ".")
        var result = [UInt8]()
        result.reserveCapacity(bytes.count)
        var start = 0
        while start < bytes.count {
            var end = start
            while end < bytes.count, bytes[end] != slash {
                if bytes[end] == 0 { return nil }
                end += 1
            }
            let component = UnsafeBufferPointer(rebasing: bytes[start..<end])
            start = end + 1
            if component.isEmpty || component.count == 1 && component[0] == dot { continue }
            if component.count == 2 && component[0] == dot && component[1] == dot { return nil }
            if !result.isEmpty { result.append(slash) }
            result.append(contentsOf: component)
        }
        return result
    }

    public init?(normalizing text: String) {
        self.init(normalizing: Array(text.utf8))
    }

    /// The path of the child with this name; the name holds no slash and is not empty, `.` or `..`.
    public func appending(_ name: some Collection<UInt8>) -> TreePath {
        precondition(!name.isEmpty && !name.contains(Self.slash), "a name is one component")
        if bytes.isEmpty { return TreePath(trusted: Array(name)) }
        var result = [UInt8]()
        result.reserveCapacity(bytes.count + 1 + name.count)
        result.append(contentsOf: bytes)
        result.append(Self.slash)
        result.append(contentsOf: name)
        return TreePath(trusted: result)
    }

    /// This path with another below it.
    public func appending(_ path: TreePath) -> TreePath {
        if bytes.isEmpty { return path }
        if path.isRoot { return self }
        return TreePath(trusted: bytes + [Self.slash] + path.bytes)
    }

    public var isRoot: Bool { bytes.isEmpty }

    /// The directory it is in; nil for the root.
    public var parent: TreePath? {
        if bytes.isEmpty { return nil }
        guard let index = bytes.lastIndex(of: Self.slash) else { return .root }
        return TreePath(trusted: Array(bytes[..<index]))
    }

    /// Whether this directory is the one it is in. Makes no path, as `parent` does.
    public func isChild(of directory: TreePath) -> Bool {
        let prefix = directory.bytes.count
        let start = prefix == 0 ? 0 : prefix + 1
        guard bytes.count > start, isWithin(directory) else { return false }
        return bytes.withUnsafeBytes { memchr($0.baseAddress.unsafelyUnwrapped + start, 0x2f, $0.count - start) == nil }
    }

    /// The last component; empty for the root.
    public var name: ArraySlice<UInt8> {
        guard let index = bytes.lastIndex(of: Self.slash) else { return bytes[...] }
        return bytes[(index + 1)...]
    }

    public var components: [ArraySlice<UInt8>] {
        bytes.split(separator: Self.slash)
    }

    /// Whether it is this directory or something below it.
    public func isWithin(_ directory: TreePath) -> Bool {
        if directory.bytes.isEmpty { return true }
        let count = directory.bytes.count
        guard bytes.count >= count, bytes.count == count || bytes[count] == Self.slash else { return false }
        return bytes.withUnsafeBytes { a in directory.bytes.withUnsafeBytes { b in isEqual(a, b, count) } }
    }

    /// The part below a directory that it is within; nil where it is not.
    public func relative(to directory: TreePath) -> TreePath? {
        guard isWithin(directory) else { return nil }
        if directory.isRoot { return self }
        return TreePath(trusted: Array(bytes.dropFirst(directory.bytes.count + 1)))
    }

    /// With a leading slash, for messages: bytes that are not UTF-8 show as U+FFFD.
    public var description: String { "/" + String(decoding: bytes, as: UTF8.self) }

    public static func < (left: TreePath, right: TreePath) -> Bool {
        left.bytes.withUnsafeBytes { a in
            right.bytes.withUnsafeBytes { b in
                guard let first = a.baseAddress, let second = b.baseAddress else { return a.count < b.count }
                let order = memcmp(first, second, min(a.count, b.count))
                return order == 0 ? a.count < b.count : order < 0
            }
        }
    }

    public static func == (left: TreePath, right: TreePath) -> Bool {
        left.bytes.withUnsafeBytes { a in
            right.bytes.withUnsafeBytes { b in
                a.count == b.count && isEqual(a, b, a.count)
            }
        }
    }

    public func hash(into hasher: inout Hasher) {
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    }
}

/// Whether the first bytes of both are the same; both have so many.
private func isEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer, _ count: Int) -> Bool {
    guard let first = left.baseAddress, let second = right.baseAddress else { return true }
    return first == second || memcmp(first, second, count) == 0
}

extension TreePath: ExpressibleByStringLiteral {
    /// A path written in the program; made anew each time, so what is compared with every node of a tree is kept in a
    /// constant. Stops the program when it has a `..`.
    public init(stringLiteral text: StaticString) {
        guard let path = TreePath(normalizing: text.description) else {
            preconditionFailure("not a path inside a tree: \(text)")
        }
        self = path
    }
}
