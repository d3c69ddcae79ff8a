import CExt2FS
import Glibc
public import RootfsModel
public import SystemPackage

/// An ext2, ext3 or ext4 image, open for reading. Not for several threads at once.
public final class Ext4Reader {
    private(set) var fs: ext2_filsys
    let path: String
    /// In bytes.
    let blockSize: Int
    private(set) var blocks: UInt64
    private(set) var inodeSize: Int
    /// The image with its journal in place, where something of it was not.
    private(set) var device: JournalDevice?
    /// nil for an image that was unmounted, or never mounted.
    public private(set) var leftMounted: LeftMounted?
    /// The blocks and names that a walk may still come upon: an image holds no more, a circle in it does.
    var blockBudget: UInt64 = 0
    var nameBudget: UInt64 = 0

    /// Opens an image file or device. One that was not unmounted is read as it is once its journal is in place; the file
    /// stays as it is. Throws where it is none, is cut off or is damaged.
    public init(_ path: FilePath) throws(Failure) {
        self.path = path.string
        let superblock = try Superblock(path)
        // Empty options: else the library takes what follows a question mark in the path for options.
        fs = try Self.open(path.string, "", ext4_unix_io_manager(), path)
        blockSize = superblock.blockSize
        blocks = superblock.blocks
        inodeSize = Self.inodeSize(of: fs)
        if ext2fs_has_feature_journal_needs_recovery(fs.pointee.`super`) != 0 {
            leftMounted = LeftMounted(replay: try replayJournal(path, superblock.fileSize))
        } else if ext2fs_has_feature_journal(fs.pointee.`super`) == 0,
            fs.pointee.`super`.pointee.s_state & UInt16(EXT2_VALID_FS) == 0
        {
            leftMounted = LeftMounted(replay: nil)
        }
    }

    deinit {
        ext2fs_free(fs)
    }

    private static func open(
        _ name: String, _ options: String?, _ manager: UnsafeMutablePointer<struct_io_manager>?, _ path: FilePath
    ) throws(Failure) -> ext2_filsys {
        var handle: ext2_filsys?
        let code = ext2fs_open2(name, options, EXT2_FLAG_64BITS, 0, 0, manager, &handle)
        try check(code, "cannot read the image \(path)")
        guard let handle, handle.pointee.`super` != nil else {
            throw Failure("cannot read the image \(path): the library gave none")
        }
        return handle
    }

    private static func inodeSize(of fs: ext2_filsys) -> Int {
        let superblock = fs.pointee.`super`.pointee
        return superblock.s_rev_level == 0 ? 128 : Int(superblock.s_inode_size)
    }

    /// Opens the image anew, with all that was committed in its place.
    private func replayJournal(_ path: FilePath, _ size: UInt64) throws(Failure) -> JournalReplay {
        let (copies, replay) = try Journal(of: self, size: size).replay()
        if copies.isEmpty { return replay }
        let device = try JournalDevice(path, blockSize: blockSize, copies: copies)
        var bytes = [UInt8](repeating: 0, count: 1024)
        try check(bytes.withUnsafeMutableBytes { device.read($0, at: 1024) }, "cannot read the image \(path)")
        let superblock = try Superblock(bytes, fileSize: device.size, path)
        guard superblock.blockSize == blockSize else { throw failure("its journal has a damaged superblock") }
        let replayed = try Self.open(device.name, nil, device.manager, path)
        ext2fs_free(fs)
        fs = replayed
        blocks = superblock.blocks
        inodeSize = Self.inodeSize(of: replayed)
        self.device = device
        return replay
    }

    /// What must be right before the library may look: it sizes its tables by these.
    private struct Superblock {
        var blockSize: Int
        var blocks: UInt64
        /// The file's, in bytes.
        var fileSize: UInt64

        init(_ path: FilePath) throws(Failure) {
            let descriptor = path.withPlatformString { Glibc.open($0, O_RDONLY | O_CLOEXEC) }
            if descriptor < 0 { throw Failure("cannot read the image \(path): \(errorText(errno))") }
            defer { close(descriptor) }
            let size = UInt64(max(0, lseek(descriptor, 0, SEEK_END)))
            var bytes = [UInt8](repeating: 0, count: 1024)
            let count = pread(descriptor, &bytes, bytes.count, 1024)
            if count < 0 { throw Failure("cannot read the image \(path): \(errorText(errno))") }
            try self.init(Array(bytes[..<count]), fileSize: size, path)
        }

        /// - Parameter bytes: 1,024, or fewer where the file ends.
        init(_ bytes: [UInt8], fileSize: UInt64, _ path: FilePath) throws(Failure) {
            func word(_ offset: Int) -> UInt64 {
                (0..<4).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64($1 * 8) }
            }
            guard bytes.count == 1024, word(0x38) & 0xffff == UInt64(EXT2_SUPER_MAGIC) else {
                throw Failure("cannot read the image \(path): it is no ext2, ext3 or ext4 file system")
            }
            let shift = word(0x18)
            let is64Bit = word(0x60) & UInt64(EXT4_FEATURE_INCOMPAT_64BIT) != 0
            blocks = word(0x04) | (is64Bit ? word(0x150) << 32 : 0)
            guard shift <= 6, blocks > 0, blocks < 1 << 47 else {
                throw Failure("cannot read the image \(path): its superblock is damaged")
            }
            blockSize = 1024 << Int(shift)
            self.fileSize = fileSize
            if blocks * UInt64(blockSize) > fileSize {
                throw Failure(
                    "cannot read the image \(path): it is cut off, \(fileSize) of \(blocks * UInt64(blockSize)) bytes are there"
                )
            }
        }
    }

    func failure(_ what: String) -> Failure { Failure("cannot read the image \(path): \(what)") }

    /// What the superblock says.
    public var information: Ext4Information {
        guard let pointer = fs.pointee.`super` else {
            return Ext4Information(
                label: "", uuid: [], blockSize: blockSize, blocks: blocks, freeBlocks: 0, inodes: 0, freeInodes: 0,
                features: [], moment: 0, isAsMade: false, journal: nil)
        }
        let superblock = pointer.pointee
        let label = withUnsafeBytes(of: superblock.s_volume_name) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        var journal: UInt64?
        if ext2fs_has_feature_journal(pointer) != 0, superblock.s_journal_inum != 0 {
            journal = try? inode(superblock.s_journal_inum).size
        }
        return Ext4Information(
            label: label, uuid: withUnsafeBytes(of: superblock.s_uuid) { Array($0) }, blockSize: blockSize,
            blocks: blocks,
            freeBlocks: ext2fs_free_blocks_count(pointer), inodes: UInt64(superblock.s_inodes_count),
            freeInodes: UInt64(superblock.s_free_inodes_count), features: Ext4Information.features(of: superblock),
            moment: Int64(superblock.s_mkfs_time) | Int64(superblock.s_mkfs_time_hi) << 32,
            isAsMade: superblock.s_mnt_count == 0 && superblock.s_mtime == 0
                && superblock.s_wtime == superblock.s_mkfs_time,
            journal: journal)
    }

    /// Everything that can be read of an image that may be damaged, and a failure for each path that is left out.
    ///
    /// - Throws: where not even its root can be read.
    public func readableTree(digesting: Bool) throws -> (tree: FileTree, damage: [Failure]) {
        var damage = [Failure]()
        let tree = try tree(digesting: digesting) { damage.append($1) }
        return (tree, damage)
    }

    /// Everything in the image as a tree; contents are extents of the image file. `digesting` reads all of them. A
    /// `lost+found` as the writer makes it, empty, is left out. Hard-link groups count from 1 in the order of paths.
    ///
    /// - Parameter onDamage: takes each path that cannot be read, and why; it is left out, a directory with all below
    ///   it. Without one the first of them is thrown.
    public func tree(digesting: Bool, onDamage: ((TreePath, Failure) -> Void)? = nil) throws -> FileTree {
        resetBudgets()
        var nodes = [FileNode]()
        var seen = Set<UInt32>([InodePlan.root])
        var linked = [UInt32: FileNode]()
        let root = try inode(InodePlan.root)
        nodes.append(try node(root, at: .root, digesting: false))
        guard root.isDirectory else { throw failure("its root is no directory") }
        var pending = [(TreePath.root, root)]
        while let (directory, inode) = pending.popLast() {
            try Task.checkCancellation()
            let names: [(name: [UInt8], inode: UInt32)]
            do {
                names = try self.names(in: inode, at: directory)
            } catch let failure as Failure {
                guard let onDamage else { throw failure }
                onDamage(directory, failure)
                continue
            }
            for (name, number) in names {
                let path = directory.appending(name)
                do {
                    if path.bytes.count > 1 << 16 { throw failure("\(directory) is nested too deep") }
                    if let known = linked[number] {
                        nodes.append(FileNode(path: path, kind: known.kind, metadata: known.metadata))
                        continue
                    }
                    let child = try self.inode(number)
                    let node = try node(child, at: path, digesting: digesting)
                    if child.isDirectory {
                        guard seen.insert(number).inserted else {
                            throw failure("the directory \(path) has two names: its directories run in a circle")
                        }
                        pending.append((path, child))
                    }
                    if child.links > 1 && node.blob != nil { linked[number] = node }
                    nodes.append(node)
                } catch let failure as Failure {
                    guard let onDamage else { throw failure }
                    onDamage(path, failure)
                }
            }
        }
        // The walk is over: what follows looks at the root once more.
        resetBudgets()
        let lostAndFound: TreePath = "lost+found"
        if let index = nodes.firstIndex(where: { $0.path == lostAndFound }) {
            do {
                if try isSpare(nodes[index]) { nodes.remove(at: index) }
            } catch let failure as Failure {
                guard let onDamage else { throw failure }
                onDamage(lostAndFound, failure)
            }
        }
        return try FileTree(nodes)
    }

    /// Whether a `lost+found` is the one that the writer adds.
    private func isSpare(_ node: FileNode) throws -> Bool {
        guard node.isDirectory, node.metadata.mode == 0o700, node.metadata.uid == 0,
            node.metadata.gid == 0, node.metadata.xattrs.isEmpty
        else { return false }
        guard try entry("lost+found".utf8, in: inode(InodePlan.root), at: .root) == InodePlan.lostAndFound else {
            return false
        }
        return try names(in: inode(InodePlan.lostAndFound), at: node.path).isEmpty
    }

    /// The node of one path, without following symbolic links; nil where there is none. Its link group is 0.
    public func node(at path: TreePath) throws -> FileNode? {
        resetBudgets()
        var current = try inode(InodePlan.root)
        var place = TreePath.root
        for component in path.components {
            guard current.isDirectory, let number = try entry(component, in: current, at: place) else { return nil }
            place = place.appending(component)
            current = try inode(number)
        }
        var node = try node(current, at: path, digesting: false)
        if case .file(let blob, _) = node.kind { node.kind = .file(blob, linkGroup: 0) }
        return node
    }

    /// The content of a regular file.
    public func readAll(_ path: TreePath) throws -> [UInt8] {
        guard let node = try node(at: path) else { throw failure("it has no \(path)") }
        guard let blob = node.blob else { throw failure("\(path) is no regular file") }
        if blob.size > 1 << 34 { throw failure("\(path) has \(blob.size) bytes, too many to take into memory") }
        let reader = try ContentReader(blob, of: path)
        var bytes = [UInt8](repeating: 0, count: Int(blob.size))
        try bytes.withUnsafeMutableBytes { try reader.read(into: $0, at: 0) }
        return bytes
    }

    func resetBudgets() {
        blockBudget = blocks
        // A name takes 12 bytes at least.
        nameBudget = blocks * UInt64(blockSize) / 12
    }
}
