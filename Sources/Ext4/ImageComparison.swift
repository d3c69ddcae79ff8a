import CExt2FS
import Glibc
public import RootfsModel
public import SystemPackage

/// One thing that two images have otherwise.
public struct ImageDifference: Hashable, Sendable {
    /// `superblock`, `group 3`, `/etc/motd`, `inode 12`, `free block 700`.
    public var place: String
    /// The path it belongs to, where it belongs to one.
    public var path: TreePath?
    /// `write time`, `mode`, `content at byte 17`.
    public var field: String
    public var left: String
    public var right: String
}

/// What two images have otherwise, each by its cause: a field by its name, a file by its path.
public struct ImageComparison {
    public private(set) var differences: [ImageDifference] = []
    /// How many more there are than are listed.
    public private(set) var more = 0
    /// Blocks of 4,096 bytes that differ.
    public private(set) var blocks: UInt64 = 0
    /// Those of them in which nothing differs that does not follow from the trees: checksums, the UUID, and, where
    /// the trees have other paths or sizes, where everything lies.
    public private(set) var consequences: UInt64 = 0
    /// The right image's tree.
    public let tree: FileTree

    private let limit: Int
    private let left: Ext4Reader
    private let right: Ext4Reader
    private let files: (left: ComparedFile, right: ComparedFile)
    /// Paths that the trees themselves tell of, with inode and content.
    private var told = Set<TreePath>()

    /// Compares two images, first their trees, then what else is in their blocks.
    ///
    /// - Parameter limit: how many differences are listed at most.
    /// - Throws: where one of them cannot be read.
    public init(_ left: FilePath, _ right: FilePath, limit: Int = 100) throws {
        self.limit = limit
        self.left = try Ext4Reader(left)
        self.right = try Ext4Reader(right)
        files = (try ComparedFile(left), try ComparedFile(right))
        for (reader, path) in [(self.left, left), (self.right, right)] where reader.blockSize != blockSize {
            throw Failure("cannot compare \(path): its blocks have \(reader.blockSize) bytes, not \(blockSize)")
        }
        let old = try self.left.tree(digesting: true)
        tree = try self.right.tree(digesting: true)
        let differences = tree.differences(from: old)
        for difference in differences { try addTreeDifference(difference, old) }
        try compareBlocks(hasOtherTree: !differences.isEmpty, isLaidOutAlike: differences.allSatisfy(\.keepsLayout))
    }

    private mutating func add(
        _ place: String, _ path: TreePath?, _ field: String, _ left: String, _ right: String
    ) {
        if differences.count >= limit {
            more += 1
            return
        }
        differences.append(ImageDifference(place: place, path: path, field: field, left: left, right: right))
    }

    // MARK: the trees

    private mutating func addTreeDifference(_ difference: TreeDifference, _ old: FileTree) throws {
        let path = difference.path
        told.insert(path)
        switch difference.kind {
        case .added: add(path.description, path, "path", "none", "there")
        case .missing: add(path.description, path, "path", "there", "none")
        case .changed(let fields):
            for field in fields where field.name != "content" {
                add(path.description, path, field.name, field.expected ?? "none", field.found ?? "none")
            }
            guard fields.contains(where: { $0.name == "content" }), let before = old[path]?.blob,
                let after = tree[path]?.blob
            else { return }
            let (offset, bytes) = try Self.firstDifference(before, after, of: path)
            add(path.description, path, "content from byte \(offset) on", bytes.0, bytes.1)
        }
    }

    /// Where two contents begin to differ, and up to 32 bytes of each from there on: hexadecimal and as text.
    private static func firstDifference(
        _ left: Blob, _ right: Blob, of path: TreePath
    ) throws -> (offset: UInt64, (String, String)) {
        let (first, second) = (try PieceReader(left, of: path), try PieceReader(right, of: path))
        let common = min(left.size, right.size)
        var offset: UInt64 = 0
        while offset < common {
            let count = min(1 << 20, common - offset)
            let bytes = (try first.bytes(at: offset, count), try second.bytes(at: offset, count))
            if let index = zip(bytes.0, bytes.1).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset {
                offset += UInt64(index)
                break
            }
            offset += count
        }
        let shown = (
            shownBytes(try first.bytes(at: offset, min(32, left.size - offset))),
            shownBytes(try second.bytes(at: offset, min(32, right.size - offset)))
        )
        return (offset, shown)
    }

    // MARK: the blocks

    private mutating func compareBlocks(hasOtherTree: Bool, isLaidOutAlike: Bool) throws {
        if files.left.size != files.right.size {
            if isLaidOutAlike { add("image", nil, "size in bytes", String(files.left.size), String(files.right.size)) }
        }
        let owners = (try BlockOwners(of: left), try BlockOwners(of: right))
        let end = min(files.left.size, files.right.size) / UInt64(blockSize)
        let segment = 256
        for first in stride(from: UInt64(0), to: end, by: segment) {
            try Task.checkCancellation()
            let count = Int(min(UInt64(segment), end - first)) * blockSize
            let bytes = (try files.left.bytes(at: first, count), try files.right.bytes(at: first, count))
            if bytes.0 == bytes.1 { continue }
            for index in 0..<count / blockSize {
                let range = index * blockSize..<(index + 1) * blockSize
                let pair = (bytes.0[range], bytes.1[range])
                if pair.0 == pair.1 { continue }
                blocks += 1
                let before = differences.count + more
                // Where other things lie in other places, no block can be compared with the one in its place.
                if isLaidOutAlike {
                    compare(first + UInt64(index), (Array(pair.0), Array(pair.1)), owners, hasOtherTree: hasOtherTree)
                }
                if differences.count + more == before && hasOtherTree { consequences += 1 }
            }
        }
    }

    /// Names what differs in one block; where the trees differ, only what does not follow from that.
    private mutating func compare(
        _ block: UInt64, _ bytes: ([UInt8], [UInt8]), _ owners: (BlockOwners, BlockOwners), hasOtherTree: Bool
    ) {
        guard block < left.blocks else {
            if !hasOtherTree { addBytes("hash tree, block \(block)", nil, bytes) }
            return
        }
        let run = owners.0.run(at: block, in: left)
        let other = owners.1.run(at: block, in: right)
        guard run.owner == other.owner, run.logical + (block - run.start) == other.logical + (block - other.start)
        else {
            // A directory's blocks are sorted by a hash whose seed is the content's: they may be more or fewer.
            if !hasOtherTree { add("block \(block)", nil, "what has it", "\(run.owner)", "\(other.owner)") }
            return
        }
        switch run.owner {
        case .superblock(let group):
            let start = group == 0 ? 1024 : 0
            let name = group == 0 ? "superblock" : "superblock's copy in group \(group)"
            addFields(
                DiskField.superblock, name, nil, (bytes.0[start..<start + 1024], bytes.1[start..<start + 1024]),
                hasOtherTree)
        case .groupDescriptors(let holder):
            let copy = holder == 0 ? "" : ", copy in group \(holder)"
            let size = left.fs.pointee.`super`.pointee.s_desc_size >= 64 ? 64 : 32
            for index in 0..<blockSize / size {
                let range = index * size..<(index + 1) * size
                let group = Int(block - run.start) * (blockSize / size) + index
                addFields(
                    DiskField.groupDescriptor, "descriptor of group \(group)\(copy)", nil,
                    (bytes.0[range], bytes.1[range]),
                    hasOtherTree)
            }
        case .inodeTable(let group):
            let perGroup = left.fs.pointee.`super`.pointee.s_inodes_per_group
            let size = left.inodeSize
            for index in 0..<blockSize / size {
                let range = index * size..<(index + 1) * size
                let position = Int(block - run.start) * (blockSize / size) + index
                let number = group * perGroup + UInt32(position) + 1
                let path = owners.0.paths[number]
                if let path, told.contains(path) { continue }
                addFields(
                    DiskField.inode, path.map { "inode \(number) of \($0)" } ?? "inode \(number)", path,
                    (bytes.0[range], bytes.1[range]), hasOtherTree)
            }
        case .blockBitmap(let group): addBytes("block bitmap of group \(group)", nil, bytes)
        case .inodeBitmap(let group): addBytes("inode bitmap of group \(group)", nil, bytes)
        case .directory(let path):
            // Names are sorted by a hash whose seed is the content's, and each block ends with a checksum.
            if !hasOtherTree { addBytes("directory \(path), block \(run.logical + block - run.start)", path, bytes) }
        case .content(let path): if !told.contains(path) { addBytes("content of \(path)", path, bytes) }
        case .attributes(let path): if !hasOtherTree { addBytes("attributes of \(path)", path, bytes) }
        case .mapping: if !hasOtherTree { addBytes("extent tree, block \(block)", nil, bytes) }
        case .journal: if !hasOtherTree { addBytes("journal, block \(run.logical + block - run.start)", nil, bytes) }
        case .free: addBytes("free block \(block)", nil, bytes)
        }
    }

    private mutating func addFields(
        _ fields: [DiskField], _ place: String, _ path: TreePath?, _ bytes: (ArraySlice<UInt8>, ArraySlice<UInt8>),
        _ hasOtherTree: Bool
    ) {
        let found = DiskField.differing(fields, bytes.0, bytes.1)
        let causes = found.filter { !$0.isDerived }
        // A checksum alone is told only where nothing else differs.
        for field in causes.isEmpty && !hasOtherTree ? found : causes {
            add(place, path, field.name, field.text(of: bytes.0), field.text(of: bytes.1))
        }
    }

    private mutating func addBytes(_ place: String, _ path: TreePath?, _ bytes: ([UInt8], [UInt8])) {
        guard let first = zip(bytes.0, bytes.1).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset
        else { return }
        let range = first..<min(first + 32, blockSize)
        add(
            place, path, "bytes from \(first) on", shownBytes(bytes.0[range]), shownBytes(bytes.1[range]))
    }
}

extension TreeDifference {
    /// Whether everything else lies where it would without it.
    fileprivate var keepsLayout: Bool {
        guard case .changed(let fields) = kind else { return false }
        return fields.allSatisfy { ["mode", "uid", "gid", "time", "content"].contains($0.name) }
    }
}

/// A content, read in pieces.
private final class PieceReader {
    private let reader: ContentReader

    init(_ blob: Blob, of path: TreePath) throws(Failure) { reader = try ContentReader(blob, of: path) }

    func bytes(at offset: UInt64, _ count: UInt64) throws(Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(count))
        var failure: Failure?
        bytes.withUnsafeMutableBytes { buffer in
            do throws(Failure) { try reader.read(into: buffer, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }
}

/// An image file, read by blocks.
private final class ComparedFile {
    private let descriptor: Int32
    private let path: FilePath
    let size: UInt64

    init(_ path: FilePath) throws(Failure) {
        self.path = path
        descriptor = path.withPlatformString { open($0, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw Failure("cannot read the image \(path): \(errorText(errno))") }
        size = UInt64(max(0, lseek(descriptor, 0, SEEK_END)))
    }

    deinit { close(descriptor) }

    func bytes(at block: UInt64, _ count: Int) throws(Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes {
                pread(
                    descriptor, $0.baseAddress.map { $0 + done }, count - done,
                    off_t(block) * off_t(blockSize) + off_t(done))
            }
            if got < 0 && errno == EINTR { continue }
            if got <= 0 {
                throw Failure("cannot read the image \(path): \(got < 0 ? errorText(errno) : "it became shorter")")
            }
            done += got
        }
        return bytes
    }
}
