import CSandbox
import Glibc
import RootfsModel

/// The directories of a root, checked and made ready for one mount, and locked against a second.
struct PreparedRoot: ~Copyable {
    /// Canonical paths, topmost first; the last one holds the mount points.
    let lower: [String]
    let upper: String
    let work: String
    private let lock: Int32

    /// overlayfs stacks at most 500 lower layers; one is ours.
    static let lowerLimit = 499

    static func prepare(_ root: Sandbox.Root, binds: [Sandbox.Bind]) throws(Failure) -> PreparedRoot {
        guard root.lower.count <= lowerLimit else {
            throw Failure("cannot stack \(root.lower.count) layers: overlayfs takes \(lowerLimit)")
        }
        var lower = [String]()
        for directory in root.lower { lower.append(try canonicalDirectory(directory, "layer")) }
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
        let prepared = PreparedRoot(
            lower: lower + [work + "/mountpoints"], upper: upper, work: work + "/overlay", lock: lock)
        try clean(upper: upper, work: work)
        try makeMountPoints(in: work + "/mountpoints", binds: binds)
        return prepared
    }

    private init(lower: [String], upper: String, work: String, lock: Int32) {
        self.lower = lower
        self.upper = upper
        self.work = work
        self.lock = lock
    }

    deinit {
        // Unlocked by name: a child that another thread is just starting may hold a copy of the descriptor for a moment.
        flock(lock, LOCK_UN)
        close(lock)
    }

    /// What the last mount left that would hinder this one. The index stays: it knows which names of a file with several were written to.
    private static func clean(upper: String, work: String) throws(Failure) {
        try makeDirectory(work + "/overlay")
        // Marks a volatile mount as not ended properly, which without a crash of the machine means nothing.
        try removeTree(work + "/overlay/work")
        try removeTree(work + "/mountpoints")
        try makeDirectory(work + "/mountpoints")
        // With an index, overlayfs insists on the same topmost layer; ours may get another on top.
        let name = "trusted.overlay.origin"
        let code = csandbox_remove_attribute(upper, name)
        guard code == 0 else { throw Failure("cannot remove \(name) of \(upper): \(errorText(code))") }
    }

    /// A layer below all others with the directories that mounts need, so that none has to be made in the tree.
    private static func makeMountPoints(in directory: String, binds: [Sandbox.Bind]) throws(Failure) {
        for name in ["proc", "sys", "dev"] { try makeDirectory(directory + "/" + name) }
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
                try makeDirectory(path)
            }
            path += "/" + components[components.count - 1]
            if information.st_mode & S_IFMT == S_IFDIR {
                try makeDirectory(path)
            } else {
                let file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0o644)
                guard file >= 0 else { throw systemFailure("cannot make \(path)") }
                close(file)
            }
        }
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
private func removeTree(_ path: String) throws(Failure) {
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
