import Checks
import RootfsModel

/// A tree of a test, a path at a time.
struct PlantedTree {
    private var nodes: [TreePath: FileNode] = [:]

    mutating func file(_ path: String, _ bytes: [UInt8], mode: UInt16 = 0o644) {
        add(path, .file(Blob(bytes), linkGroup: 0), mode)
    }

    mutating func file(_ path: String, _ text: String = "x", mode: UInt16 = 0o644) {
        file(path, Array(text.utf8), mode: mode)
    }

    mutating func link(_ path: String, to target: String) { add(path, .symbolicLink(Array(target.utf8)), 0o777) }

    mutating func remove(_ path: String) {
        guard let path = TreePath(normalizing: path) else { return }
        nodes = nodes.filter { !$0.key.isWithin(path) }
    }

    private mutating func add(_ path: String, _ kind: NodeKind, _ mode: UInt16) {
        guard let path = TreePath(normalizing: path) else { return }
        nodes[path] = FileNode(path: path, kind: kind, metadata: Metadata(mode: mode))
    }

    var tree: FileTree {
        get throws { try FileTree(nodes.values.sorted { $0.path < $1.path }) }
    }
}
