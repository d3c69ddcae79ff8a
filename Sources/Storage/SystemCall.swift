internal import Glibc
public import RootfsModel
public import SystemPackage

/// A failure of an operation on a path, with the kernel's reason and, where one is known, what to do.
public func systemFailure(_ operation: String, _ path: FilePath, code: Int32? = nil) -> Failure {
    let code = code ?? errno
    let hint: String? =
        switch code {
        case ENOSPC, EDQUOT: "free space there, or choose another place with -o (outputs) or --cache (store)"
        case EROFS: "the file system is mounted read-only: choose another place with -o (outputs) or --cache (store)"
        case EACCES, EPERM: "run as root, or choose a place that you may write"
        default: nil
        }
    return Failure("cannot \(operation) \(path): \(errorText(code))", hint: hint)
}

/// What lstat(2) says.
struct Status {
    var raw: stat

    init?(at path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        raw = status
    }

    init(_ raw: stat) {
        self.raw = raw
    }

    var isDirectory: Bool { raw.st_mode & S_IFMT == S_IFDIR }
    var isRegular: Bool { raw.st_mode & S_IFMT == S_IFREG }
}

/// Whether anything is at this path; links are not followed.
public func exists(_ path: FilePath) -> Bool {
    var status = stat()
    return path.withPlatformString { lstat($0, &status) } == 0
}

/// Whether a directory is at this path, or a link to one.
public func isDirectory(_ path: FilePath) -> Bool {
    var status = stat()
    return path.withPlatformString { stat($0, &status) } == 0 && Status(status).isDirectory
}

/// An open file descriptor, closed at the end of its life.
public struct OpenFile: ~Copyable {
    public let descriptor: Int32

    /// Opens for reading.
    public init(reading path: FilePath) throws(Failure) {
        descriptor = try Self.open(path, O_RDONLY | O_CLOEXEC, mode: 0, operation: "read")
    }

    /// Makes a new file for writing; an existing one is a failure.
    ///
    /// - Parameter shown: the path for messages, where this one is temporary.
    public init(creating path: FilePath, mode: UInt16 = 0o644, shown: FilePath? = nil) throws(Failure) {
        descriptor = try Self.open(
            path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode: mode, operation: "write", shown: shown)
    }

    private static func open(
        _ path: FilePath, _ flags: Int32, mode: UInt16, operation: String, shown: FilePath? = nil
    ) throws(Failure) -> Int32 {
        let descriptor = path.withPlatformString { Glibc.open($0, flags, mode_t(mode)) }
        guard descriptor >= 0 else { throw systemFailure(operation, shown ?? path) }
        return descriptor
    }

    deinit { close(descriptor) }
}

/// All bytes of a file.
public func readFile(at path: FilePath) throws(Failure) -> [UInt8] {
    let file = try OpenFile(reading: path)
    var status = stat()
    guard fstat(file.descriptor, &status) == 0 else { throw systemFailure("read", path) }
    guard status.st_mode & S_IFMT != S_IFDIR else { throw systemFailure("read", path, code: EISDIR) }
    var bytes = try readBytes(of: file.descriptor, atMost: max(0, Int(status.st_size)), path)
    // Files of /proc have no size, and others may have grown.
    while true {
        let more = try readBytes(of: file.descriptor, atMost: 1 << 16, path)
        if more.isEmpty { return bytes }
        bytes.append(contentsOf: more)
    }
}

/// The next bytes of a file, fewer only at its end; read straight into the array.
private func readBytes(of descriptor: Int32, atMost room: Int, _ path: FilePath) throws(Failure) -> [UInt8] {
    var failed: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
        while count < room {
            let got = read(descriptor, buffer.baseAddress?.advanced(by: count), room - count)
            if got < 0 && errno == EINTR { continue }
            if got < 0 { failed = errno }
            if got <= 0 { break }
            count += got
        }
    }
    if failed != 0 { throw systemFailure("read", path, code: failed) }
    return bytes
}

/// Writes all bytes to a descriptor.
public func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: FilePath) throws(Failure) {
    let code = writeWhole(bytes, to: descriptor)
    if code != 0 { throw systemFailure("write", path, code: code) }
}

/// Writes all bytes; 0 or the error's code.
public func writeWhole(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
    var offset = 0
    while offset < bytes.count {
        let written = write(descriptor, bytes.baseAddress?.advanced(by: offset), bytes.count - offset)
        if written < 0 {
            if errno == EINTR { continue }
            return errno
        }
        offset += written
    }
    return 0
}

/// Writes a file whole: to a temporary name beside it, then by rename.
public func writeFile(_ bytes: [UInt8], to path: FilePath, mode: UInt16 = 0o644) throws(Failure) {
    let temporary = path.removingLastComponent().appending(
        ".\(path.lastComponent?.string ?? "file").\(getpid()).\(UInt32.random(in: 0 ... .max))")
    do throws(Failure) {
        let file = try OpenFile(creating: temporary, mode: mode, shown: path)
        var failure: Failure?
        bytes.withUnsafeBytes { buffer in
            do throws(Failure) { try writeAll(buffer, to: file.descriptor, path: path) } catch { failure = error }
        }
        if let failure { throw failure }
        // The mode is what the caller says, whatever the umask.
        fchmod(file.descriptor, mode_t(mode))
        guard rename(temporary.string, path.string) == 0 else { throw systemFailure("write", path) }
    } catch {
        unlink(temporary.string)
        throw error
    }
}

/// Makes a directory and its parents; one that is there already is fine.
public func makeDirectory(at path: FilePath, mode: UInt16 = 0o755) throws(Failure) {
    if mkdir(path.string, mode_t(mode)) == 0 { return }
    switch errno {
    case EEXIST:
        var status = stat()
        guard stat(path.string, &status) == 0, Status(status).isDirectory else {
            throw systemFailure("make directory", path, code: ENOTDIR)
        }
    case ENOENT:
        let parent = path.removingLastComponent()
        guard !parent.isEmpty, parent != path else { throw systemFailure("make directory", path, code: ENOENT) }
        try makeDirectory(at: parent)
        if mkdir(path.string, mode_t(mode)) != 0, errno != EEXIST { throw systemFailure("make directory", path) }
    default: throw systemFailure("make directory", path)
    }
}

/// Moves a file or directory within one file system; the destination is replaced where rename(2) can.
public func moveItem(at path: FilePath, to destination: FilePath) throws(Failure) {
    guard rename(path.string, destination.string) == 0 else { throw systemFailure("move to \(destination)", path) }
}

/// The names in a directory, sorted by bytes, without `.` and `..`.
public func directoryNames(at path: FilePath) throws(Failure) -> [[UInt8]] {
    guard let stream = path.withPlatformString({ opendir($0) }) else { throw systemFailure("list", path) }
    defer { closedir(stream) }
    var names = [[UInt8]]()
    while let entry = readdir(stream) {
        let length = Int(entry.pointee.d_reclen)
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: UInt8.self, capacity: length) {
                Array(UnsafeBufferPointer(start: $0, count: strlen($0)))
            }
        }
        if name.elementsEqual(".".utf8) || name.elementsEqual("..".utf8) { continue }
        names.append(name)
    }
    return names.sorted { $0.lexicographicallyPrecedes($1) }
}

/// Removes a file or a directory with all below it. Links are not followed; what is not there is fine.
public func removeTree(at path: FilePath) throws(Failure) {
    try removeTree(in: AT_FDCWD, name: Array(path.string.utf8), shown: path)
}

private func removeTree(in parent: Int32, name: [UInt8], shown: FilePath) throws(Failure) {
    let cName = name.map { CChar(bitPattern: $0) } + [0]
    if unlinkat(parent, cName, 0) == 0 || errno == ENOENT { return }
    guard errno == EISDIR || errno == EPERM || errno == EACCES else { throw systemFailure("remove", shown) }
    let descriptor = openat(parent, cName, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0, let stream = fdopendir(descriptor) else { throw systemFailure("remove", shown) }
    defer { closedir(stream) }
    var names = [[UInt8]]()
    while let entry = readdir(stream) {
        let child = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: UInt8.self, capacity: 256) {
                Array(UnsafeBufferPointer(start: $0, count: strlen($0)))
            }
        }
        if !child.elementsEqual(".".utf8) && !child.elementsEqual("..".utf8) { names.append(child) }
    }
    for child in names {
        try removeTree(in: descriptor, name: child, shown: shown.appending(String(decoding: child, as: UTF8.self)))
    }
    guard unlinkat(parent, cName, AT_REMOVEDIR) == 0 || errno == ENOENT else { throw systemFailure("remove", shown) }
}

/// Tells the kernel that nobody is going to read this file: the memory that holds its content is free for what is
/// written next, which is quicker there than in memory that was never used. A file that is not there is fine.
public func forgetCachedContent(of path: FilePath) {
    let descriptor = path.withPlatformString { open($0, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) }
    guard descriptor >= 0 else { return }
    posix_fadvise(descriptor, 0, 0, Int32(POSIX_FADV_DONTNEED))
    close(descriptor)
}
