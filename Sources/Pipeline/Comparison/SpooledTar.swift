internal import Glibc
internal import LibArchive
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// A tarball's tree, its contents one behind another in one file for as long as the directory lives. No digest is taken.
func spooledTree(
    _ path: FilePath, _ filter: ArchiveReader.Filter?, shown: FilePath, in directory: TemporaryDirectory
) throws -> FileTree {
    var reader = try ArchiveReader.open(path: path.string, format: .tar, filter: filter, label: shown.string)
    let spool = directory.path.appending("contents")
    let file = try OpenFile(creating: spool)
    var end: UInt64 = 0
    var nodes = MemberNodes(label: shown.string)
    while let member = try reader.next() {
        try Task.checkCancellation()
        let place = try nodes.place(of: member)
        guard let uid = UInt32(exactly: member.uid), let gid = UInt32(exactly: member.gid) else {
            throw Failure("\(shown): \(member.displayName) has an owner that cannot be")
        }
        let kind: NodeKind
        let metadata = Metadata(mode: member.mode, uid: uid, gid: gid, mtime: member.mtime, xattrs: member.xattrs)
        switch member.kind {
        case .directory: kind = .directory
        case .symbolicLink(let target): kind = .symbolicLink(target)
        case .file:
            let start = end
            var extents = [ContentExtent]()
            var size: UInt64 = 0
            try reader.readContent { block, offset in
                try writeAll(block, to: file.descriptor, path: spool)
                extents.append(ContentExtent(offset: offset, source: end, length: UInt64(block.count)))
                end += UInt64(block.count)
                size = offset + UInt64(block.count)
            }
            // A hole at the end has no block.
            if case .file(let claimed) = member.kind { size = max(size, claimed) }
            if let last = extents.last, extents.first?.offset == 0, last.offset + last.length == end - start {
                extents = [ContentExtent(offset: 0, source: start, length: end - start)]
            }
            kind = .file(Blob(size: size, digest: nil, source: .extents(file: spool.string, extents)), linkGroup: 0)
        case .hardLink(let target):
            try nodes.addLink(to: target, at: place, for: member)
            continue
        case .characterDevice(let major, let minor): kind = .characterDevice(major: major, minor: minor)
        case .blockDevice(let major, let minor): kind = .blockDevice(major: major, minor: minor)
        case .fifo: kind = .fifo
        case .other: throw Failure("\(shown): \(member.displayName) is of a kind that no file system has")
        }
        nodes.add(kind, metadata, at: place)
    }
    try reader.finish()
    return try nodes.tree()
}

/// Decompresses a file of zstd into another; blocks that are zero become holes.
func expand(_ path: FilePath, to destination: FilePath) throws {
    let source = try OpenFile(reading: path)
    var status = stat()
    guard fstat(source.descriptor, &status) == 0 else { throw systemFailure("read", path) }
    let size = Int(status.st_size)
    guard size > 0, let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, source.descriptor, 0), start != MAP_FAILED
    else {
        throw systemFailure("read", path)
    }
    defer { munmap(start, size) }
    let output = try OpenFile(creating: destination)
    var offset: off_t = 0
    let bytes = UnsafeBufferPointer(start: start.assumingMemoryBound(to: UInt8.self), count: size)
    try decompress(bytes, as: .zstd, name: path.string) { chunk throws(Failure) in
        if !chunk.isZero {
            guard lseek(output.descriptor, offset, SEEK_SET) >= 0 else { throw systemFailure("write", destination) }
            try writeAll(chunk, to: output.descriptor, path: destination)
        }
        offset += off_t(chunk.count)
    }
    guard ftruncate(output.descriptor, offset) == 0 else { throw systemFailure("write", destination) }
}
