internal import CLinux
public import Glibc
public import RootfsModel
public import SystemPackage

/// Writes below one directory of the host and never outside it: every component of a path is opened by itself
/// without following links, and every file is made new.
///
/// The directories of the last path stay open, because neighbours in an archive are neighbours in the tree.
public struct TreeDirectory: ~Copyable {
    public let path: FilePath
    private let root: Int32
    private var open: [(name: [UInt8], descriptor: Int32)] = []
    private var current = TreePath.root

    private init(path: FilePath, root: Int32) {
        self.path = path
        self.root = root
    }

    deinit {
        for directory in open { close(directory.descriptor) }
        close(root)
    }

    public static func open(_ path: FilePath) throws(Failure) -> TreeDirectory {
        let root = path.withPlatformString { Glibc.open($0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
        guard root >= 0 else { throw systemFailure("open directory", path) }
        return TreeDirectory(path: path, root: root)
    }

    /// The descriptor of a directory in the tree, valid until the next call.
    public mutating func enter(_ directory: TreePath) throws(Failure) -> Int32 {
        if directory != current { try move(to: directory) }
        return open.last?.descriptor ?? root
    }

    private mutating func move(to directory: TreePath) throws(Failure) {
        let components = directory.components
        var shared = 0
        while shared < min(components.count, open.count), components[shared].elementsEqual(open[shared].name) {
            shared += 1
        }
        while open.count > shared { close(open.removeLast().descriptor) }
        current = directory
        for component in components[shared...] {
            let parent = open.last?.descriptor ?? root
            let descriptor = withName(component) {
                openat(parent, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            }
            guard descriptor >= 0 else {
                let code = errno
                current = open.reduce(.root) { $0.appending($1.name) }
                throw failure("enter", directory, code: code)
            }
            open.append((Array(component), descriptor))
        }
    }

    // MARK: making

    public mutating func makeDirectory(_ path: TreePath, _ metadata: Metadata) throws(Failure) {
        let parent = try enter(path.parent ?? .root)
        guard withName(path.name, { mkdirat(parent, $0, 0o700) }) == 0 else { throw failure("make directory", path) }
        try setMetadata(path, metadata)
    }

    /// Makes a new file for writing. Its owner closes it with `finish`.
    public mutating func createFile(_ path: TreePath) throws(Failure) -> Int32 {
        let parent = try enter(path.parent ?? .root)
        let descriptor = withName(path.name) {
            openat(parent, $0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        }
        guard descriptor >= 0 else { throw failure("create", path) }
        return descriptor
    }

    /// Gives a written file its metadata. The descriptor stays open.
    public func finish(_ descriptor: Int32, _ path: TreePath, _ metadata: Metadata) throws(Failure) {
        // The owner first: changing it takes set-id bits and capabilities away.
        guard fchown(descriptor, metadata.uid, metadata.gid) == 0 else { throw failure("set the owner of", path) }
        guard fchmod(descriptor, mode_t(metadata.mode)) == 0 else { throw failure("set the mode of", path) }
        for attribute in metadata.xattrs {
            let status = attribute.value.withUnsafeBytes {
                fsetxattr(descriptor, attribute.name, $0.baseAddress, $0.count, 0)
            }
            guard status == 0 else { throw failure("set \(attribute.name) of", path) }
        }
        var times = Self.times(metadata.mtime)
        guard futimens(descriptor, &times) == 0 else { throw failure("set the time of", path) }
    }

    public mutating func write(_ bytes: [UInt8], to path: TreePath, _ metadata: Metadata) throws(Failure) {
        let descriptor = try createFile(path)
        defer { close(descriptor) }
        var code: Int32 = 0
        bytes.withUnsafeBytes { code = writeWhole($0, to: descriptor) }
        if code != 0 { throw failure("write", path, code: code) }
        try finish(descriptor, path, metadata)
    }

    /// Writes so many zeros, which `seeing` is shown.
    public func append(
        zeros count: UInt64, to descriptor: Int32, _ path: TreePath, seeing: (UnsafeRawBufferPointer) -> Void
    ) throws(Failure) {
        var left = count
        if left == 0 { return }
        let zeros = [UInt8](repeating: 0, count: Int(min(left, 1 << 20)))
        while left > 0 {
            var code: Int32 = 0
            let length = Int(min(left, UInt64(zeros.count)))
            zeros.withUnsafeBytes { zeros in
                let part = UnsafeRawBufferPointer(rebasing: zeros[..<length])
                code = writeWhole(part, to: descriptor)
                seeing(part)
            }
            if code != 0 { throw failure("write", path, code: code) }
            left -= UInt64(length)
        }
    }

    public mutating func makeSymbolicLink(_ path: TreePath, to target: [UInt8], _ metadata: Metadata) throws(Failure) {
        let parent = try enter(path.parent ?? .root)
        var status: Int32 = 0
        withName(path.name) { name in
            withName(target) { target in status = symlinkat(target, parent, name) }
        }
        guard status == 0 else { throw failure("make symbolic link", path) }
        status = withName(path.name) { fchownat(parent, $0, metadata.uid, metadata.gid, AT_SYMLINK_NOFOLLOW) }
        guard status == 0 else { throw failure("set the owner of", path) }
        try setTime(path, metadata.mtime)
    }

    /// Makes a device, pipe or socket. Devices need root.
    public mutating func makeSpecial(_ node: FileNode) throws(Failure) {
        let (format, device): (mode_t, dev_t) =
            switch node.kind {
            case .characterDevice(let major, let minor): (S_IFCHR, device_number(major, minor))
            case .blockDevice(let major, let minor): (S_IFBLK, device_number(major, minor))
            case .fifo: (S_IFIFO, 0)
            default: (S_IFSOCK, 0)
            }
        let parent = try enter(node.path.parent ?? .root)
        guard withName(node.path.name, { mknodat(parent, $0, format | 0o600, device) }) == 0 else {
            throw failure("make device", node.path)
        }
        let metadata = node.metadata
        guard withName(node.path.name, { fchownat(parent, $0, metadata.uid, metadata.gid, AT_SYMLINK_NOFOLLOW) }) == 0,
            withName(node.path.name, { fchmodat(parent, $0, mode_t(metadata.mode), 0) }) == 0
        else { throw failure("set the owner and mode of", node.path) }
        try setTime(node.path, metadata.mtime)
    }

    /// Makes a second name for a file of this tree.
    public mutating func makeHardLink(_ path: TreePath, to target: TreePath) throws(Failure) {
        let source = dup(try enter(target.parent ?? .root))
        guard source >= 0 else { throw failure("link", path) }
        defer { close(source) }
        let code = try link(from: source, target.name, to: path)
        if code != 0 { throw failure("link", path, code: code) }
    }

    /// Makes a name for a file or symbolic link of another tree on the same file system. Gives the error code.
    public mutating func link(from source: Int32, _ name: ArraySlice<UInt8>, to path: TreePath) throws(Failure) -> Int32
    {
        let parent = try enter(path.parent ?? .root)
        var status: Int32 = 0
        withName(name) { old in
            withName(path.name) { new in status = linkat(source, old, parent, new, 0) }
        }
        return status == 0 ? 0 : errno
    }

    // MARK: looking and changing

    /// What is at a path; nil when nothing is, or when a parent is missing or no directory.
    public mutating func status(_ path: TreePath) -> stat? {
        guard let parent = try? enter(path.parent ?? .root) else { return nil }
        var status = stat()
        let found =
            path.isRoot
            ? fstat(parent, &status) : withName(path.name) { fstatat(parent, $0, &status, AT_SYMLINK_NOFOLLOW) }
        return found == 0 ? status : nil
    }

    /// Removes a file; one that is not there is fine.
    public mutating func removeFile(_ path: TreePath) throws(Failure) {
        guard status(path) != nil else { return }
        let parent = try enter(path.parent ?? .root)
        guard withName(path.name, { unlinkat(parent, $0, 0) }) == 0 else { throw failure("remove", path) }
    }

    /// Removes an empty directory; one that is not there is fine.
    public mutating func removeDirectory(_ path: TreePath) throws(Failure) {
        guard status(path) != nil else { return }
        let parent = try enter(path.parent ?? .root)
        guard withName(path.name, { unlinkat(parent, $0, AT_REMOVEDIR) }) == 0 else { throw failure("remove", path) }
    }

    /// Owner, mode, extended attributes and time of a directory.
    public mutating func setMetadata(_ directory: TreePath, _ metadata: Metadata) throws(Failure) {
        let parent = try enter(directory.parent ?? .root)
        let descriptor =
            directory.isRoot
            ? dup(parent)
            : withName(directory.name) { openat(parent, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
        guard descriptor >= 0 else { throw failure("open", directory) }
        defer { close(descriptor) }
        try finish(descriptor, directory, metadata)
    }

    public mutating func setTime(_ path: TreePath, _ time: Timestamp) throws(Failure) {
        let parent = try enter(path.parent ?? .root)
        var times = Self.times(time)
        let status =
            path.isRoot
            ? futimens(parent, &times) : withName(path.name) { utimensat(parent, $0, &times, AT_SYMLINK_NOFOLLOW) }
        guard status == 0 else { throw failure("set the time of", path) }
    }

    public func failure(_ operation: String, _ path: TreePath, code: Int32? = nil) -> Failure {
        let code = code ?? errno
        return systemFailure(operation, FilePath(self.path.string + path.description), code: code)
    }

    private static func times(_ time: Timestamp) -> [timespec] {
        let value = timespec(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds))
        return [value, value]
    }
}

/// Calls with a name's bytes as a C string.
@discardableResult
public func withName<Result>(_ name: some Collection<UInt8>, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: name.count + 1) { buffer in
        var index = 0
        for byte in name {
            buffer.initializeElement(at: index, to: CChar(bitPattern: byte))
            index += 1
        }
        buffer.initializeElement(at: index, to: 0)
        // The allocation is never empty, so it has a base address.
        return body(UnsafePointer(buffer.baseAddress.unsafelyUnwrapped))
    }
}
