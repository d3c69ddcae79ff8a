import CExt2FS
import Glibc
import RootfsModel

/// An inode as it stands in an image.
struct DiskInode {
    var number: UInt32
    /// All its bytes, the part for attributes included.
    var bytes: [UInt8]

    func half(_ offset: Int) -> UInt16 { UInt16(bytes[offset]) | UInt16(bytes[offset + 1]) << 8 }
    func word(_ offset: Int) -> UInt32 { UInt32(half(offset)) | UInt32(half(offset + 2)) << 16 }

    var mode: UInt16 { half(0x00) }
    var type: UInt16 { mode & 0o170000 }
    var isDirectory: Bool { type == 0o040000 }
    var isFile: Bool { type == 0o100000 }
    var uid: UInt32 { UInt32(half(0x02)) | UInt32(half(0x78)) << 16 }
    var gid: UInt32 { UInt32(half(0x18)) | UInt32(half(0x7a)) << 16 }
    var links: UInt16 { half(0x1a) }
    var flags: UInt32 { word(0x20) }
    /// Directories of ext2 have another field in place of the upper half.
    var size: UInt64 { UInt64(word(0x04)) | (isFile ? UInt64(word(0x6c)) << 32 : 0) }
    var blockMap: ArraySlice<UInt8> { bytes[0x28..<0x64] }
    var attributeBlock: UInt64 { UInt64(word(0x68)) | UInt64(half(0x76)) << 32 }
    /// The bytes of fields beyond the first 128.
    var extraSize: Int { bytes.count >= 132 ? Int(half(0x80)) : 0 }
    var mtime: Timestamp {
        let hasExtra = extraSize >= 12 && bytes.count >= 0x8c
        return InodeTime.decode(seconds: word(0x10), extra: hasExtra ? word(0x88) : 0)
    }
    var hasInlineData: Bool { flags & UInt32(EXT4_INLINE_DATA_FL) != 0 }
    var hasExtents: Bool { flags & UInt32(EXT4_EXTENTS_FL) != 0 }
}

extension Ext4Reader {
    /// Reads an inode; the library verifies its checksum.
    func inode(_ number: UInt32) throws(Failure) -> DiskInode {
        let isReserved = number < 11 && number != InodePlan.root && number != 8
        guard number > 0, number <= fs.pointee.`super`.pointee.s_inodes_count, !isReserved else {
            throw failure("a name leads to inode \(number), which cannot be")
        }
        var bytes = [UInt8](repeating: 0, count: max(256, inodeSize))
        let code = bytes.withUnsafeMutableBytes { buffer in
            ext2fs_read_inode_full(
                fs, number, buffer.baseAddress?.assumingMemoryBound(to: ext2_inode.self), Int32(inodeSize))
        }
        try check(code, "cannot read inode \(number) of the image \(path)")
        return DiskInode(number: number, bytes: Array(bytes[..<inodeSize]))
    }

    /// An inode as a node. A file with several names gets its inode's number for a link group.
    func node(_ inode: DiskInode, at path: TreePath, digesting: Bool) throws -> FileNode {
        if inode.flags & UInt32(EXT4_ENCRYPT_FL) != 0 { throw failure("\(path) is encrypted") }
        let attributes = try attributes(of: inode, at: path)
        let metadata = Metadata(
            mode: inode.mode & 0o7777, uid: inode.uid, gid: inode.gid, mtime: inode.mtime,
            xattrs: attributes.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
        for (left, right) in zip(metadata.xattrs, metadata.xattrs.dropFirst()) where left.name == right.name {
            throw failure("\(path) has the attribute \(left.name) twice")
        }
        let kind: NodeKind
        switch inode.type {
        case 0o040000: kind = .directory
        case 0o100000:
            var blob = try blob(of: inode, at: path)
            if digesting { blob.digest = try digest(of: blob, at: path) }
            kind = .file(blob, linkGroup: inode.links > 1 ? inode.number : 0)
        case 0o120000: kind = .symbolicLink(try target(of: inode, at: path))
        case 0o020000:
            let device = Self.device(inode)
            kind = .characterDevice(major: device.major, minor: device.minor)
        case 0o060000:
            let device = Self.device(inode)
            kind = .blockDevice(major: device.major, minor: device.minor)
        case 0o010000: kind = .fifo
        case 0o140000: kind = .socket
        default: throw failure("\(path) has mode \(String(inode.mode, radix: 8)), which is no kind of file")
        }
        return FileNode(path: path, kind: kind, metadata: metadata)
    }

    private static func device(_ inode: DiskInode) -> (major: UInt32, minor: UInt32) {
        let old = inode.word(0x28)
        let new = inode.word(0x2c)
        if old != 0 { return (old >> 8 & 0xff, old & 0xff) }
        return (new >> 8 & 0xfff, new & 0xff | new >> 12 & 0xfff00)
    }

    private func blob(of inode: DiskInode, at path: TreePath) throws -> Blob {
        if inode.hasInlineData {
            let bytes = try inlineData(of: inode, at: path)
            return Blob(size: UInt64(bytes.count), digest: nil, source: .bytes(bytes))
        }
        let size = UInt64(blockSize)
        var extents = [ContentExtent]()
        var escaped = [UInt64]()
        func add(_ logical: UInt64, at physical: UInt64, _ count: UInt64) {
            let offset = logical * size
            let length = min(count * size, inode.size - offset)
            let source = physical * size
            if let last = extents.last, last.offset + last.length == offset, last.source + last.length == source {
                extents[extents.count - 1].length += length
            } else {
                extents.append(ContentExtent(offset: offset, source: source, length: length))
            }
        }
        for run in try runs(of: inode, at: path) {
            let logical = UInt64(run.logical)
            let count = inode.size > logical * size ? min(UInt64(run.count), (inode.size - 1) / size + 1 - logical) : 0
            if count == 0 { break }
            guard let device else {
                add(logical, at: run.physical, count)
                continue
            }
            // With its journal in place: some blocks stand in the journal.
            for index in 0..<count {
                let copy = device.copy(of: run.physical + index)
                add(logical + index, at: copy?.place ?? run.physical + index, 1)
                if copy?.isEscaped == true { escaped.append((logical + index) * size) }
            }
        }
        let blob = Blob(size: inode.size, digest: nil, source: .extents(file: self.path, extents))
        return escaped.isEmpty ? blob : try restoring(escaped, in: blob, at: path)
    }

    /// A content some blocks of which begin with the journal's magic number, which the journal itself has zeros for.
    private func restoring(_ escaped: [UInt64], in blob: Blob, at path: TreePath) throws(Failure) -> Blob {
        if blob.size > 1 << 28 {
            throw failure("\(path) has \(blob.size) bytes, and some stand escaped in the journal: too many to mend")
        }
        let reader = try ContentReader(blob, of: path)
        var bytes = [UInt8](repeating: 0, count: Int(blob.size))
        var failure: Failure?
        bytes.withUnsafeMutableBytes { buffer in
            do throws(Failure) { try reader.read(into: buffer, at: 0) } catch { failure = error }
            for offset in escaped {
                JournalDevice.restoreMagic(in: UnsafeMutableRawBufferPointer(rebasing: buffer[Int(offset)...]), from: 0)
            }
        }
        if let failure { throw failure }
        return Blob(size: blob.size, digest: nil, source: .bytes(bytes))
    }

    private func digest(of blob: Blob, at path: TreePath) throws -> Digest {
        if case .extents(_, let extents) = blob.source {
            let held = extents.reduce(0) { $0 + $1.length }
            // Hashing them would take minutes; more likely the size is damaged.
            if blob.size - held > 1 << 38 {
                throw failure(
                    "\(path) claims \(blob.size) bytes and holds \(held): no digest is taken of so many zeros")
            }
        }
        let reader = try ContentReader(blob, of: path)
        var hasher = DigestHasher()
        let chunk = 1 << 18
        try withUnsafeTemporaryAllocation(byteCount: chunk, alignment: 16) { buffer in
            for offset in stride(from: 0, to: blob.size, by: chunk) {
                try Task.checkCancellation()
                let part = UnsafeMutableRawBufferPointer(
                    rebasing: buffer[..<Int(min(UInt64(chunk), blob.size - offset))])
                try reader.read(into: part, at: offset)
                hasher.update(UnsafeRawBufferPointer(part))
            }
        }
        return hasher.finalized()
    }

    private func target(of inode: DiskInode, at path: TreePath) throws -> [UInt8] {
        guard inode.size > 0, inode.size < UInt64(blockSize) else {
            throw failure("the symbolic link \(path) claims a target of \(inode.size) bytes")
        }
        if inode.hasInlineData { return try inlineData(of: inode, at: path) }
        // As the library tells short links that stand in the inode.
        if inode.size < 60 && !inode.hasExtents { return Array(inode.blockMap.prefix(Int(inode.size))) }
        guard let run = try runs(of: inode, at: path).first, run.logical == 0 else {
            throw failure("the symbolic link \(path) has no target")
        }
        return Array(try block(run.physical, "the target of \(path)").prefix(Int(inode.size)))
    }

    /// Reads one block.
    func block(_ number: UInt64, _ what: @autoclosure () -> String) throws(Failure) -> [UInt8] {
        guard number < blocks else { throw failure("\(what()) is in block \(number), beyond the end") }
        var bytes = [UInt8](repeating: 0, count: blockSize)
        let code = bytes.withUnsafeMutableBytes { io_channel_read_blk64(fs.pointee.io, number, 1, $0.baseAddress) }
        if code != 0 { throw failure("\(what()): \(libraryMessage(code))") }
        return bytes
    }

    /// The names in a directory and their inodes, without `.` and `..`.
    func names(in inode: DiskInode, at path: TreePath) throws -> [(name: [UInt8], inode: UInt32)] {
        var result = [(name: [UInt8], inode: UInt32)]()
        if inode.hasInlineData {
            // Four bytes for the parent, then names; more names in the attribute.
            for part in [Array(inode.blockMap.dropFirst(4)), try inlineRest(of: inode, at: path)] {
                guard Self.parse(part, into: &result) else { throw damaged(path) }
            }
        } else {
            var next: UInt64 = 0
            var bytes = [UInt8](repeating: 0, count: blockSize)
            for run in try runs(of: inode, at: path) {
                guard UInt64(run.logical) == next else { throw failure("the directory \(path) has a hole") }
                next += UInt64(run.count)
                for index in 0..<UInt64(run.count) where (UInt64(run.logical) + index) * UInt64(blockSize) < inode.size
                {
                    let code = bytes.withUnsafeMutableBytes {
                        ext2fs_read_dir_block4(fs, run.physical + index, $0.baseAddress, 0, inode.number)
                    }
                    if code != 0 { throw failure("the directory \(path): \(libraryMessage(code))") }
                    guard Self.parse(bytes, into: &result) else { throw damaged(path) }
                }
            }
            if next * UInt64(blockSize) < inode.size { throw failure("the directory \(path) is cut off") }
        }
        guard UInt64(result.count) <= nameBudget else {
            throw failure("its directories have more names than it has room")
        }
        nameBudget -= UInt64(result.count)
        for (name, _) in result where name.contains(slash) || name.contains(0) {
            throw failure("the directory \(path) has a name with a slash or a NUL in it")
        }
        return result
    }

    private func damaged(_ path: TreePath) -> Failure { failure("the directory \(path) is damaged") }

    /// Reads the names in a block or an inline part; false where it is none.
    private static func parse(_ bytes: [UInt8], into result: inout [(name: [UInt8], inode: UInt32)]) -> Bool {
        var offset = 0
        while bytes.count - offset >= 8 {
            let inode = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[offset + $1]) << UInt32($1 * 8) }
            var length = Int(bytes[offset + 4]) | Int(bytes[offset + 5]) << 8
            // 64 KiB blocks have no 16-bit word for their size.
            if bytes.count == 65_536 && (length == 65_535 || length == 0) { length = 65_536 }
            let nameLength = Int(bytes[offset + 6])
            guard length >= 8, length % 4 == 0, offset + length <= bytes.count, nameLength + 8 <= length else {
                return false
            }
            if inode != 0 {
                let name = Array(bytes[offset + 8..<offset + 8 + nameLength])
                if name.isEmpty { return false }
                if !name.elementsEqual(".".utf8) && !name.elementsEqual("..".utf8) { result.append((name, inode)) }
            }
            offset += length
        }
        return true
    }

    /// The inode that a name in a directory leads to.
    func entry(_ name: some Collection<UInt8>, in inode: DiskInode, at path: TreePath) throws -> UInt32? {
        try names(in: inode, at: path).first { $0.name.elementsEqual(name) }?.inode
    }
}

private let slash = UInt8(ascii: "/")
