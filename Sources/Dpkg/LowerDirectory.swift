internal import CLinux
internal import Glibc
internal import RootfsModel
internal import Storage
public import SystemPackage

extension Placement {
    /// Makes the layer's lower directory at a path that does not exist yet, on the store's file system: the
    /// directories, and hard links to the payloads' files. It must never be written to but through overlayfs.
    public func makeLowerDirectory(of packages: [LayerPackage], at path: FilePath) throws {
        try makeDirectory(at: path)
        var tree = try TreeDirectory.open(path)
        for directory in directories { try tree.makeDirectory(directory.path, directory.metadata) }
        var index = 0
        while index < links.count {
            if Task.isCancelled { throw CancellationError() }
            let package = links[index].package
            var payload = try TreeDirectory.open(packages[package].payload.treeDirectory)
            while index < links.count, links[index].package == package {
                let link = links[index]
                index += 1
                let source = try payload.enter(link.source.parent ?? .root)
                let code = try tree.link(from: source, link.source.name, to: link.node.path)
                switch code {
                case 0: continue
                // The file has as many names as the file system allows.
                case EMLINK: try tree.copy(link.node)
                default: throw tree.failure("link", link.node.path, code: code)
                }
            }
        }
        // Every name made in a directory changes its time.
        for directory in directories { try tree.setTime(directory.path, directory.metadata.mtime) }
    }
}

extension TreeDirectory {
    /// Writes a file or symbolic link from a node's content.
    mutating func copy(_ node: FileNode) throws(Failure) {
        switch node.kind {
        case .file(let blob, _): try write(try blob.readAll(), to: node.path, node.metadata)
        case .symbolicLink(let target): try makeSymbolicLink(node.path, to: target, node.metadata)
        case .directory: try makeDirectory(node.path, node.metadata)
        default: throw Failure("cannot copy \(node.path): it is a device or pipe")
        }
    }
}
