internal import CLinux
internal import Glibc
public import RootfsModel
public import SystemPackage

/// Writes a node and all below it to a new path of the host. `nodes` are in path order, `top` is the first one's path.
///
/// Modes, times and hard links are kept. Without root, everything is the user's own and what only root can make is left
/// out: devices, and attributes outside the user class. Gives how many paths were left out.
public func writeTree(_ nodes: [FileNode], at top: TreePath, to destination: FilePath) throws -> Int {
    let parent = destination.removingLastComponent()
    guard let last = destination.lastComponent, let name = TreePath(normalizing: last.string) else {
        throw Failure("\(destination) is no place for a copy", hint: "name a path that does not exist yet")
    }
    var directory = try TreeDirectory.open(parent.isEmpty ? "." : parent)
    let isRoot = geteuid() == 0
    var firstNames = [UInt32: TreePath]()
    var directories = [FileNode]()
    var leftOut = 0
    for node in nodes {
        try Task.checkCancellation()
        guard let relative = node.path.relative(to: top) else { continue }
        var node = node
        node.path = name.appending(relative)
        if !isRoot {
            node.metadata.uid = geteuid()
            node.metadata.gid = getegid()
            node.metadata.xattrs.removeAll { !$0.name.hasPrefix("user.") }
        }
        switch node.kind {
        case .directory:
            // Its own mode and time come last: making what is in it needs the one and changes the other.
            try directory.makeDirectory(
                node.path, Metadata(mode: 0o700, uid: node.metadata.uid, gid: node.metadata.gid))
            directories.append(node)
        case .file(let blob, let group):
            if group != 0, let first = firstNames[group] {
                try directory.makeHardLink(node.path, to: first)
                continue
            }
            firstNames[group] = node.path
            try directory.writeFile(blob, to: node.path, node.metadata)
        case .symbolicLink(let target): try directory.makeSymbolicLink(node.path, to: target, node.metadata)
        case .characterDevice where !isRoot, .blockDevice where !isRoot: leftOut += 1
        default: try directory.makeSpecial(node)
        }
    }
    for node in directories.reversed() { try directory.setMetadata(node.path, node.metadata) }
    return leftOut
}

extension TreeDirectory {
    /// Writes a new file from a blob: sharing the blocks of the file that has it, where the file system can (btrfs,
    /// xfs), else in pieces; runs of zeros of a whole piece become holes.
    public mutating func writeFile(_ blob: Blob, to path: TreePath, _ metadata: Metadata) throws(Failure) {
        let descriptor = try createFile(path)
        defer { close(descriptor) }
        if Self.shareBlocks(of: blob, with: descriptor) { return try finish(descriptor, path, metadata) }
        let reader = try BlobReader(blob)
        var buffer = [UInt8](repeating: 0, count: Int(min(blob.size, 1 << 20)))
        var offset: UInt64 = 0
        var code: Int32 = 0
        var failed: Failure?
        while offset < blob.size {
            let count = Int(min(UInt64(buffer.count), blob.size - offset))
            buffer.withUnsafeMutableBytes { raw in
                let piece = UnsafeMutableRawBufferPointer(rebasing: raw[..<count])
                do throws(Failure) {
                    try reader.read(into: piece, at: offset)
                    if piece.allSatisfy({ $0 == 0 }) {
                        if lseek(descriptor, off_t(count), SEEK_CUR) < 0 { code = errno }
                    } else {
                        code = writeWhole(UnsafeRawBufferPointer(piece), to: descriptor)
                    }
                } catch { failed = error }
            }
            if let failed { throw failed }
            if code != 0 { throw failure("write", path, code: code) }
            offset += UInt64(count)
        }
        guard ftruncate(descriptor, off_t(blob.size)) == 0 else { throw failure("write", path) }
        try finish(descriptor, path, metadata)
    }
    /// False where the blob is no whole file, or where file systems do not share.
    private static func shareBlocks(of blob: Blob, with descriptor: Int32) -> Bool {
        guard case .file(let directory, let path) = blob.source,
            let file = try? OpenFile(reading: hostPath(directory, path))
        else { return false }
        var status = stat()
        return fstat(file.descriptor, &status) == 0 && UInt64(status.st_size) == blob.size
            && clone_file(descriptor, file.descriptor) == 0
    }
}
