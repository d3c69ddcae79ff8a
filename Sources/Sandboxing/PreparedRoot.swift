import CSandbox
import Glibc
import RootfsModel

/// The directories of a root, checked and made ready for one mount, and locked against a second.
struct PreparedRoot: ~Copyable {
    /// Canonical paths, topmost first; the last one holds the mount points. nil for a plain directory.
    let lower: [String]?
    let upper: String
    let work: String
    private let lock: Int32
    private let mountPoints: MountPoints

    /// overlayfs stacks at most 500 lower layers; one is ours.
    static let lowerLimit = 499

    static func prepare(_ root: Sandbox.Root, binds: [Sandbox.Bind]) throws(Failure) -> PreparedRoot {
        let layers = root.lower ?? []
        guard layers.count <= lowerLimit else {
            throw Failure("cannot stack \(layers.count) layers: overlayfs takes \(lowerLimit)")
        }
        var lower = [String]()
        for directory in layers { lower.append(try canonicalDirectory(directory, "layer")) }
        try makeDirectory(root.upper)
        try makeDirectory(root.work)
        let upper = try canonicalDirectory(root.upper, "upper directory")
        let work = try canonicalDirectory(root.work, "work directory")

        let lock = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard lock >= 0 else { throw systemFailure("cannot open \(work)") }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(lock)
            if code == EWOULDBLOCK {
                throw Failure("cannot use \(root.upper): another sandbox is running on it")
            }
            throw Failure("cannot lock \(work): \(errorText(code))")
        }
        var mountPoints = MountPoints(in: root.lower == nil ? upper : work + "/mountpoints")
        do throws(Failure) {
            if root.lower != nil { try clean(upper: upper, work: work) }
            try mountPoints.make(for: binds)
        } catch {
            mountPoints.remove()
            flock(lock, LOCK_UN)
            close(lock)
            throw error
        }
        if root.lower == nil {
            return PreparedRoot(lower: nil, upper: upper, work: work, lock: lock, mountPoints: mountPoints)
        }
        return PreparedRoot(
            lower: lower + [work + "/mountpoints"], upper: upper, work: work + "/overlay", lock: lock,
            mountPoints: mountPoints)
    }

    deinit {
        if lower == nil { mountPoints.remove() }
        // Unlocked by name: a child that another thread is just starting may hold a copy of the descriptor for a
        // moment.
        flock(lock, LOCK_UN)
        close(lock)
    }

    /// What the last mount left that would hinder this one. The index stays: it knows which names of a file with
    /// several were written to.
    private static func clean(upper: String, work: String) throws(Failure) {
        try makeDirectory(work + "/overlay")
        // Marks a volatile mount as not ended properly, which without a crash of the machine means nothing.
        try removeTree(work + "/overlay/work")
        try removeTree(work + "/mountpoints")
        try makeDirectory(work + "/mountpoints")
        // With an index, overlayfs insists on the same topmost layer; ours may get another on top.
        guard UserNamespace.current == .initial else { return }
        let name = "trusted.overlay.origin"
        let code = csandbox_remove_attribute(upper, name)
        guard code == 0 else { throw Failure("cannot remove \(name) of \(upper): \(errorText(code))") }
    }
}

/// The files and directories that mounts need: in a layer below all others, so that none has to be made in the tree, or
/// in a plain tree, where what was made is taken away again.
private struct MountPoints {
    private let directory: String
    private var made: [String] = []
    /// Directories in which something was made, with their times until then, outermost first.
    private var changed: [(path: String, times: [timespec])] = []

    init(in directory: String) { self.directory = directory }

    mutating func make(for binds: [Sandbox.Bind]) throws(Failure) {
        for name in ["proc", "sys", "dev"] { try make(directory: directory + "/" + name) }
        for bind in binds {
            var information = stat()
            guard stat(bind.host, &information) == 0 else { throw systemFailure("cannot bind \(bind.host)") }
            let components = bind.inside.split(separator: "/")
            guard bind.inside.hasPrefix("/"), !components.isEmpty, !components.contains(".."), !components.contains(".")
            else {
                throw Failure("cannot bind \(bind.host) at \"\(bind.inside)\": not an absolute path")
            }
            var path = directory
            for component in components.dropLast() {
                path += "/" + component
                try make(directory: path)
            }
            path += "/" + components[components.count - 1]
            if information.st_mode & S_IFMT == S_IFDIR {
                try make(directory: path)
            } else if !isThere(path) {
                rememberParent(of: path)
                let file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0o644)
                guard file >= 0 else { throw systemFailure("cannot make \(path)") }
                close(file)
                made.append(path)
            }
        }
    }

    /// Takes away what was made, and gives the directories their times back. What a command filled stays.
    func remove() {
        for path in made.reversed() where unlink(path) != 0 { rmdir(path) }
        for (path, times) in changed.reversed() { utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) }
    }

    private mutating func make(directory path: String) throws(Failure) {
        if isThere(path) { return }
        rememberParent(of: path)
        try makeDirectory(path)
        made.append(path)
    }

    private func isThere(_ path: String) -> Bool {
        var information = stat()
        return lstat(path, &information) == 0
    }

    private mutating func rememberParent(of path: String) {
        let parent = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        var information = stat()
        guard !made.contains(parent), !changed.contains(where: { $0.path == parent }), lstat(parent, &information) == 0
        else { return }
        changed.append((parent, [information.st_atim, information.st_mtim]))
    }
}

/// The failure of the system call just made.
func systemFailure(_ what: String) -> Failure {
    Failure("\(what): \(errorText(errno))")
}

func canonicalPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
}

private func canonicalDirectory(_ path: String, _ role: String) throws(Failure) -> String {
    guard let canonical = canonicalPath(path) else { throw systemFailure("cannot use \(role) \(path)") }
    var information = stat()
    guard stat(canonical, &information) == 0 else { throw systemFailure("cannot use \(role) \(path)") }
    guard information.st_mode & S_IFMT == S_IFDIR else { throw Failure("cannot use \(role) \(path): not a directory") }
    return canonical
}

private func makeDirectory(_ path: String) throws(Failure) {
    if mkdir(path, 0o755) == 0 {
        // The mode is part of the tree, the caller's umask is not.
        guard chmod(path, 0o755) == 0 else { throw systemFailure("cannot set the mode of \(path)") }
        return
    }
    guard errno == EEXIST else { throw systemFailure("cannot make \(path)") }
}

/// Removes a directory with all in it; one that does not exist is no failure.
func removeTree(_ path: String) throws(Failure) {
    if unlink(path) == 0 || errno == ENOENT { return }
    guard errno == EISDIR || errno == EPERM else { throw systemFailure("cannot remove \(path)") }
    // overlayfs makes its own directories without any permission.
    chmod(path, 0o700)
    guard let directory = opendir(path) else { throw systemFailure("cannot open \(path)") }
    var names = [String]()
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != "." && name != ".." { names.append(name) }
    }
    closedir(directory)
    for name in names { try removeTree(path + "/" + name) }
    guard rmdir(path) == 0 else { throw systemFailure("cannot remove \(path)") }
}
