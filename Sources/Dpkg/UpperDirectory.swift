internal import CLinux
internal import Glibc
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// A layer's upper directory between two runs of the sandbox: overlayfs' view of the files in it is kept.
///
/// A directory made here hides the one below, so it gets that one's metadata.
struct UpperDirectory: ~Copyable {
    private var tree: TreeDirectory
    /// The tree below: every lower directory together.
    private let below: FileTree

    /// Opens it; not to be kept over a run of the sandbox, whose scripts may move directories.
    static func open(_ path: FilePath, below: FileTree) throws(Failure) -> UpperDirectory {
        UpperDirectory(tree: try TreeDirectory.open(path), below: below)
    }

    private init(tree: consuming TreeDirectory, below: FileTree) {
        self.tree = tree
        self.below = below
    }

    /// The bytes of a file as the sandbox sees it; nil where it sees none.
    mutating func read(_ path: TreePath) throws -> [UInt8]? {
        if let status = tree.status(path) {
            guard status.st_mode & S_IFMT == S_IFREG else { return nil }
            let source = ContentSource.file(directory: tree.path.string, path: path)
            return try Blob(size: UInt64(status.st_size), digest: nil, source: source).readAll()
        }
        return try below[path]?.blob?.readAll()
    }

    /// Whether the sandbox sees anything at a path.
    mutating func has(_ path: TreePath) -> Bool {
        if let status = tree.status(path) { return !Self.isWhiteout(status) }
        return below[path] != nil
    }

    /// Whether it has anything at a path itself, be it a whiteout.
    mutating func hasOwn(_ path: TreePath) -> Bool { tree.status(path) != nil }

    /// Makes and removes files so that the times of all directories above them stay what they were.
    mutating func keepingTimes(
        ofParents paths: [TreePath], _ body: (inout UpperDirectory) throws -> Void
    ) throws {
        var times = [TreePath: Timestamp]()
        for path in paths {
            var ancestor = path.parent
            while let path = ancestor, !path.isRoot, times[path] == nil {
                if let status = tree.status(path) {
                    times[path] = Timestamp(
                        seconds: Int64(status.st_mtim.tv_sec), nanoseconds: UInt32(status.st_mtim.tv_nsec))
                } else {
                    times[path] = below[path]?.metadata.mtime
                }
                ancestor = path.parent
            }
        }
        try body(&self)
        for (path, time) in times where tree.status(path) != nil { try tree.setTime(path, time) }
    }

    /// Lets what is below a directory be seen in it. overlayfs hides it in every directory that a script makes where
    /// there was none, because it does not reckon with layers that are added later.
    mutating func showBelow(_ path: TreePath) throws {
        guard let status = tree.status(path), status.st_mode & S_IFMT == S_IFDIR else { return }
        let directory = try tree.enter(path)
        for name in ["trusted.overlay.opaque", "user.overlay.opaque"] {
            // Outside of the first user namespace the first one is refused, and is not there.
            guard fremovexattr(directory, name) == 0 || [ENODATA, EOPNOTSUPP, EPERM].contains(errno) else {
                throw tree.failure("remove \(name) of", path)
            }
        }
    }

    /// Writes a file, in place of one that is there.
    mutating func write(_ bytes: [UInt8], to path: TreePath, _ metadata: Metadata) throws {
        try makeParents(of: path)
        try tree.removeFile(path)
        try tree.write(bytes, to: path, metadata)
    }

    mutating func put(_ node: FileNode) throws {
        try makeParents(of: node.path)
        try tree.copy(node)
    }

    mutating func link(_ path: TreePath, to target: TreePath) throws {
        try makeParents(of: path)
        try tree.makeHardLink(path, to: target)
    }

    mutating func makeDirectory(_ path: TreePath, _ metadata: Metadata) throws {
        try makeParents(of: path)
        if let status = tree.status(path) {
            if status.st_mode & S_IFMT == S_IFDIR { return }
            // A whiteout, or what a script left.
            try tree.removeFile(path)
        }
        try tree.makeDirectory(path, metadata)
    }

    /// Makes a directory of the tree below visible here with another time.
    mutating func setTime(ofDirectory path: TreePath, _ time: Timestamp) throws {
        try makeParents(of: path)
        if tree.status(path) == nil, let node = below[path], node.isDirectory {
            try tree.makeDirectory(path, node.metadata)
        }
        try tree.setTime(path, time)
    }

    /// Removes a file that was written here.
    mutating func remove(_ path: TreePath) throws {
        try tree.removeFile(path)
    }

    /// Removes a directory that was made here, with the files in it.
    mutating func removeDirectory(_ path: TreePath) throws {
        try removeTree(at: hostPath(tree.path.string, path))
    }

    private mutating func makeParents(of path: TreePath) throws {
        guard let parent = path.parent, !parent.isRoot else { return }
        if let status = tree.status(parent) {
            guard status.st_mode & S_IFMT == S_IFDIR else {
                throw Failure("cannot write \(path): \(parent) is no directory in the tree")
            }
            return
        }
        try makeParents(of: parent)
        var metadata = Metadata(mode: 0o755)
        if let node = below[parent] {
            guard node.isDirectory else {
                throw Failure("cannot write \(path): \(parent) is no directory in the tree")
            }
            metadata = node.metadata
        }
        try tree.makeDirectory(parent, metadata)
    }

    /// Sets every time that is later than the moment to the moment.
    mutating func clampTimes(to moment: Timestamp) throws {
        for node in try scanDirectory(tree.path, digesting: false).nodes where moment < node.metadata.mtime {
            try tree.setTime(node.path, moment)
        }
    }

    private static func isWhiteout(_ status: stat) -> Bool {
        status.st_mode & S_IFMT == S_IFCHR && status.st_rdev == 0
    }
}
