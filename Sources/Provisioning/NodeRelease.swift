internal import Recipes
internal import RootfsModel

/// A Node release laid into its directory: the one directory that the tarball begins with is stripped, all is
/// root's, and set-id bits and group or world write permission are left out.
func change(
    layingNode archive: Recipe.NodeArchive, _ release: FileTree, over tree: FileTree, moment: Timestamp
) throws -> TreeChange {
    let name = archive.file.value
    let location = archive.file.location
    let top = release.nodes.filter { $0.path.components.count == 1 }
    let hasTopDirectory = top.count == 1 && top[0].isDirectory && release["bin/node"] == nil
    let strip = hasTopDirectory ? top[0].path : .root
    let program = release[strip.appending(["bin", "node"].reduce(TreePath.root) { $0.appending($1.utf8) })]
    guard let program, program.blob != nil else {
        throw Failure(
            "\(name) is no Node release: it has no bin/node", at: location,
            notes: [
                "it begins with: "
                    + top.prefix(5).map { String(decoding: $0.path.bytes, as: UTF8.self) }
                    .joined(separator: ", ")
            ],
            hint: "take node-vX.Y.Z-linux-ARCH.tar.xz, not the source or headers")
    }
    guard program.metadata.mode & 0o111 != 0 else {
        throw Failure("\(name) is no Node release: its bin/node is not executable", at: location)
    }
    var nodes = [FileNode]()
    for node in release.nodes {
        guard let relative = node.path.relative(to: strip) else { continue }
        switch node.kind {
        case .directory, .file, .symbolicLink: break
        default:
            throw Failure(
                "\(name) holds \(node.kindName), which no Node release does: \(node.path)", at: location)
        }
        var copy = node
        copy.path = archive.into.value.appending(relative)
        let mode: UInt16 = node.linkTarget == nil ? node.metadata.mode & 0o755 : 0o777
        copy.metadata = Metadata(mode: node.isDirectory ? 0o755 : mode, mtime: moment)
        nodes.append(copy)
    }
    return try laying(nodes, over: tree, what: name, at: location)
}
