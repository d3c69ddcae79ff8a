internal import RootfsModel

/// Foreign nodes laid over a tree so that nothing goes by accident: a directory that is there keeps its owner
/// and mode unless `insisting` holds its path, a file never replaces a directory, a directory never a file.
/// Puts are moved to where the tree's directory links lead.
func laying(
    _ nodes: [FileNode], over tree: FileTree, insisting: Set<TreePath> = [], what: String,
    at location: SourceLocation?
) throws -> TreeChange {
    var mistakes = [Failure]()
    // Whether what is put at a path is a directory.
    var puts = [TreePath: Bool]()
    var result = [FileNode]()
    var places = Places(in: tree)
    // Neighbours are mostly in the same directory, whose ancestors are looked at once.
    var checked: TreePath?
    for wanted in nodes {
        // A link to a directory takes the place of a directory, as dpkg does it.
        guard var node = places.place(wanted) else { continue }
        let wantedPath = wanted.path
        if node.isDirectory, let other = tree[node.path], other.isDirectory {
            if !insisting.contains(wantedPath) { continue }
            node.metadata.xattrs = other.metadata.xattrs
        }
        do throws(Failure) {
            if checked.map({ node.path.isChild(of: $0) }) != true {
                try checkAncestors(of: node.path, in: tree, what: what, at: location)
                checked = node.path.parent
            }
            if let other = tree[node.path], other.isDirectory != node.isDirectory {
                let kinds = node.isDirectory ? ("a directory", other.kindName) : (node.kindName, "a directory")
                throw Failure(
                    "\(what) has \(kinds.0) where the image has \(kinds.1): \(node.path)", at: location,
                    hint: "take it out of the image first, with remove:, or give what is laid over it another name")
            }
            if let isDirectory = puts[node.path] {
                if node.isDirectory && isDirectory { continue }
                throw Failure("\(what) has \(node.path) twice, under names that lead to the same place", at: location)
            }
        } catch {
            mistakes.append(error)
            continue
        }
        puts[node.path] = node.isDirectory
        result.append(node)
    }
    if !mistakes.isEmpty { throw mistakes.count == 1 ? mistakes[0] : Failures(mistakes) }
    return TreeChange(puts: result)
}

extension FileNode {
    /// What it is, for messages.
    var kindName: String {
        switch kind {
        case .directory: "a directory"
        case .file: "a file"
        case .symbolicLink(let target): "a symbolic link to \(String(decoding: target, as: UTF8.self))"
        case .characterDevice, .blockDevice: "a device node"
        case .fifo: "a named pipe"
        case .socket: "a socket"
        }
    }
}
