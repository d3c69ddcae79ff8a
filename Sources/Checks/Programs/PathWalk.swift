internal import RootfsModel

/// How the kernel gets from a path to a node of the tree, and where it stops (path_resolution(7)).
struct PathWalk {
    enum Outcome: Hashable {
        case found(TreePath)
        /// The first component that is not there.
        case missing(TreePath)
        case loop(TreePath)
        /// A component that is no directory has something below it.
        case notDirectory(TreePath)
        /// A directory that the user may not pass through.
        case forbidden(TreePath)
    }

    private(set) var outcome = Outcome.found(.root)
    /// `/bin → usr/bin`: every link on the way.
    private(set) var links: [String] = []
    /// The last link on the way, where the path ends in nothing because of it.
    private(set) var lastLink: TreePath?

    /// Walks as this user; nil: nobody asks for permission. A relative path begins at the directory.
    init(_ text: String, from directory: TreePath = .root, as identity: Identity?, in tree: FileTree) {
        let slash = UInt8(ascii: "/")
        var pending = Array(text.utf8).split(separator: slash).reversed().map { Array($0) }
        var current = text.hasPrefix("/") ? TreePath.root : directory
        var linksLeft = 40
        while let component = pending.popLast() {
            if component.elementsEqual(".".utf8) { continue }
            if component.elementsEqual("..".utf8) {
                current = current.parent ?? .root
                continue
            }
            guard !component.contains(0) else {
                outcome = .missing(current)
                return
            }
            let next = current.appending(component)
            if let identity, let above = tree[current], above.isDirectory, !identity.may(1, above) {
                outcome = .forbidden(current)
                return
            }
            guard let node = tree[next] else {
                if let above = tree[current], !above.isDirectory {
                    outcome = .notDirectory(current)
                    return
                }
                outcome = .missing(next)
                return
            }
            if case .symbolicLink(let target) = node.kind {
                linksLeft -= 1
                if linksLeft == 0 {
                    outcome = .loop(next)
                    return
                }
                links.append("\(next) is a link to \(String(decoding: target, as: UTF8.self))")
                lastLink = next
                if target.first == slash { current = .root }
                pending += target.split(separator: slash).reversed().map { Array($0) }
                continue
            }
            current = next
            if !pending.isEmpty && !node.isDirectory {
                outcome = .notDirectory(next)
                return
            }
        }
        outcome = .found(current)
    }

    var found: TreePath? {
        if case .found(let path) = outcome { path } else { nil }
    }
}
