internal import CLinux
internal import Glibc
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// A layer's tree as one plain directory, for file systems that overlayfs cannot write to: what is below is copied
/// (shared where the file system can), scripts work in it, and in the end only what they changed is left: the same
/// delta.
struct PlainTree {
    /// Tells a file from a changed one: every change of content, metadata or names sets the time of the inode.
    private struct Mark: Equatable {
        var inode: ino_t
        var seconds: Int
        var nanoseconds: Int

        init(_ status: stat) {
            inode = status.st_ino
            seconds = status.st_ctim.tv_sec
            nanoseconds = status.st_ctim.tv_nsec
        }
    }

    let path: FilePath
    /// What was copied here, as it was when it was done.
    private var marks: [TreePath: Mark] = [:]

    /// Fills an empty directory with a tree.
    init(at path: FilePath, of tree: FileTree) throws {
        self.path = path
        try add(tree.nodes.filter { !$0.path.isRoot })
    }

    /// Adds nodes under what scripts did so far: what they made, changed or removed stays so. Directories that are
    /// there get the metadata of theirs. In path order by kind: all directories come before what is in them.
    mutating func add(_ nodes: [FileNode]) throws {
        var tree = try TreeDirectory.open(path)
        var added = [TreePath]()
        var times = [(path: TreePath, time: Timestamp)]()
        var firstNames = [UInt32: TreePath]()
        for node in nodes {
            if Task.isCancelled { throw CancellationError() }
            let there = tree.status(node.path)
            if node.isDirectory {
                if let there {
                    times.append((node.path, time(of: there)))
                    guard Mark(there) == marks[node.path] else { continue }
                    try tree.setMetadata(node.path, node.metadata)
                    times[times.count - 1].time = node.metadata.mtime
                } else {
                    guard marks[node.path] == nil, isDirectory(node.path.parent, &tree) else { continue }
                    try tree.makeDirectory(node.path, node.metadata)
                    times.append((node.path, node.metadata.mtime))
                }
                added.append(node.path)
                continue
            }
            guard there == nil, marks[node.path] == nil, isDirectory(node.path.parent, &tree) else { continue }
            switch node.kind {
            case .file(let blob, let group):
                if group != 0, let first = firstNames[group] {
                    try tree.makeHardLink(node.path, to: first)
                } else {
                    firstNames[group] = node.path
                    try tree.writeFile(blob, to: node.path, node.metadata)
                }
            case .symbolicLink(let target): try tree.makeSymbolicLink(node.path, to: target, node.metadata)
            default: try tree.makeSpecial(node)
            }
            added.append(node.path)
        }
        for (path, time) in times { try tree.setTime(path, time) }
        var newest = timespec()
        for path in added {
            guard let status = tree.status(path) else { continue }
            marks[path] = Mark(status)
            newest = max(newest, status.st_ctim)
        }
        try awaitTick(after: newest)
    }

    /// Removes everything that is as it was, and leaves a whiteout where something is gone: an upper directory as
    /// overlayfs would have made it.
    consuming func leaveChanges() throws {
        var tree = try TreeDirectory.open(path)
        let nodes = try scanDirectory(path, digesting: false).nodes.filter { !$0.path.isRoot }
        let gone = Set(marks.keys).subtracting(nodes.map(\.path))
        var whiteouts = [TreePath]()
        var kept = Set<TreePath>()
        func keep(_ path: TreePath) {
            var ancestor: TreePath? = path
            while let path = ancestor, kept.insert(path).inserted { ancestor = path.parent }
        }
        // Not below what is gone itself, nor below a file that came in a directory's place.
        for path in gone where isDirectory(path.parent, &tree) {
            whiteouts.append(path)
            if let parent = path.parent { keep(parent) }
        }
        for node in nodes where tree.status(node.path).map(Mark.init) != marks[node.path] { keep(node.path) }
        for node in nodes.reversed() where !kept.contains(node.path) {
            if node.isDirectory { try tree.removeDirectory(node.path) } else { try tree.removeFile(node.path) }
        }
        for path in whiteouts.sorted() {
            try tree.makeSpecial(
                FileNode(path: path, kind: .characterDevice(major: 0, minor: 0), metadata: Metadata(mode: 0)))
        }
        for node in nodes.reversed() where node.isDirectory && kept.contains(node.path) {
            try tree.setTime(node.path, node.metadata.mtime)
        }
    }

    private func isDirectory(_ path: TreePath?, _ tree: inout TreeDirectory) -> Bool {
        guard let path, let status = tree.status(path) else { return false }
        return status.st_mode & S_IFMT == S_IFDIR
    }

    private func time(of status: stat) -> Timestamp {
        Timestamp(seconds: Int64(status.st_mtim.tv_sec), nanoseconds: UInt32(status.st_mtim.tv_nsec))
    }

    private func max(_ left: timespec, _ right: timespec) -> timespec {
        (left.tv_sec, left.tv_nsec) < (right.tv_sec, right.tv_nsec) ? right : left
    }

    /// Inodes get their times from a clock that ticks some hundred times a second, the file server's where there is
    /// one: a change must not get the time of a mark. A file beside the tree, changed until it has a later one, tells.
    private func awaitTick(after time: timespec) throws {
        let probe = FilePath(path.string + ".tick")
        defer { unlink(probe.string) }
        var status = stat()
        repeat {
            if Task.isCancelled { throw CancellationError() }
            usleep(1000)
            try writeFile([], to: probe)
            guard stat(probe.string, &status) == 0 else { throw systemFailure("read the time of", probe) }
        } while (status.st_ctim.tv_sec, status.st_ctim.tv_nsec) <= (time.tv_sec, time.tv_nsec)
    }
}
