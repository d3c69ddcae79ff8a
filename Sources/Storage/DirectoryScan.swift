internal import CLinux
internal import Glibc
public import RootfsModel
public import SystemPackage

/// The tree in a directory of the host: all kinds, owners, modes, times, extended attributes and hard links as
/// lstat(2) and lgetxattr(2) give them. Blobs point at the files; their digests are taken when `digesting`.
public func scanDirectory(_ directory: FilePath, digesting: Bool) throws -> FileTree {
    var scan = DirectoryScan(directory: directory, digesting: digesting, isOverlayUpper: false)
    try scan.run()
    return try FileTree(scan.takeNodes())
}

/// What an overlayfs upper directory changes in the tree below it: whiteouts become removals, opaque
/// directories keep nothing of what was below, and the attributes that overlayfs and the host's file system put there
/// are left out. Digests are taken. Source: Documentation/filesystems/overlayfs.rst of the kernel.
public func scanOverlayUpper(_ directory: FilePath) throws -> TreeChange {
    var scan = DirectoryScan(directory: directory, digesting: true, isOverlayUpper: true)
    try scan.run()
    return TreeChange(puts: scan.takeNodes(), removals: scan.removals, opaques: scan.opaques)
}

private struct DirectoryScan {
    let directory: FilePath
    let digesting: Bool
    let isOverlayUpper: Bool

    var nodes = [FileNode]()
    var removals = [TreePath]()
    var opaques = [TreePath]()
    private var groups = [FileIdentity: (group: UInt32, blob: Blob)]()

    private struct FileIdentity: Hashable {
        let device: dev_t, inode: ino_t
    }

    init(directory: FilePath, digesting: Bool, isOverlayUpper: Bool) {
        self.directory = directory
        self.digesting = digesting
        self.isOverlayUpper = isOverlayUpper
    }

    /// Gives the nodes away: sorting a million of them must not copy them first.
    mutating func takeNodes() -> [FileNode] {
        defer { nodes = [] }
        return nodes
    }

    mutating func run() throws {
        guard let status = Status(at: directory.string), status.isDirectory else {
            throw systemFailure("scan", directory, code: exists(directory) ? ENOTDIR : ENOENT)
        }
        var pending = [TreePath.root]
        try add(.root)
        while let path = pending.popLast() {
            if Task.isCancelled { throw CancellationError() }
            for name in try directoryNames(at: hostPath(directory.string, path)) {
                let child = path.appending(name)
                if try add(child) { pending.append(child) }
            }
        }
    }

    /// Adds one path; true when it is a directory to go into.
    @discardableResult
    private mutating func add(_ path: TreePath) throws(Failure) -> Bool {
        let host = hostPathBytes(directory.string, path)
        var status = stat()
        guard lstat(host, &status) == 0 else { throw systemFailure("scan", hostPath(directory.string, path)) }
        let kind: NodeKind
        switch status.st_mode & S_IFMT {
        case S_IFDIR: kind = .directory
        case S_IFREG: kind = try file(path, status)
        case S_IFLNK:
            var target = [CChar](repeating: 0, count: Int(PATH_MAX))
            let length = readlink(host, &target, target.count)
            guard length >= 0 else { throw systemFailure("read the link", hostPath(directory.string, path)) }
            kind = .symbolicLink(target[..<length].map { UInt8(bitPattern: $0) })
        case S_IFCHR:
            let (major, minor) = (device_major(status.st_rdev), device_minor(status.st_rdev))
            if isOverlayUpper && major == 0 && minor == 0 {
                removals.append(path)
                return false
            }
            kind = .characterDevice(major: major, minor: minor)
        case S_IFBLK:
            kind = .blockDevice(major: device_major(status.st_rdev), minor: device_minor(status.st_rdev))
        case S_IFIFO: kind = .fifo
        default: kind = .socket
        }
        var metadata = Metadata(
            mode: UInt16(status.st_mode & 0o7777), uid: status.st_uid, gid: status.st_gid,
            mtime: Timestamp(seconds: Int64(status.st_mtim.tv_sec), nanoseconds: UInt32(status.st_mtim.tv_nsec)))
        let attributes = try extendedAttributes(of: host, shown: path)
        metadata.xattrs = isOverlayUpper ? attributes.filter { !isOfHost($0.name) } : attributes
        if isOverlayUpper {
            let opaque = ["trusted.overlay.opaque", "user.overlay.opaque"]
            if attributes.contains(where: { opaque.contains($0.name) && $0.value == Array("y".utf8) }) {
                opaques.append(path)
            }
        }
        // The upper's root directory is overlayfs' own and says nothing of the tree's.
        if !(isOverlayUpper && path.isRoot) { nodes.append(FileNode(path: path, kind: kind, metadata: metadata)) }
        return kind == .directory
    }

    private mutating func file(_ path: TreePath, _ status: stat) throws(Failure) -> NodeKind {
        let identity = FileIdentity(device: status.st_dev, inode: status.st_ino)
        if status.st_nlink > 1, let known = groups[identity] { return .file(known.blob, linkGroup: known.group) }
        var blob = Blob(
            size: UInt64(status.st_size), digest: nil, source: .file(directory: directory.string, path: path))
        if digesting { blob.digest = try blob.takeDigest() }
        if status.st_nlink == 1 { return .file(blob, linkGroup: 0) }
        let group = UInt32(groups.count + 1)
        groups[identity] = (group, blob)
        return .file(blob, linkGroup: group)
    }

    private func extendedAttributes(of host: [CChar], shown path: TreePath) throws(Failure) -> [ExtendedAttribute] {
        let size = llistxattr(host, nil, 0)
        if size == 0 || (size < 0 && (errno == ENOTSUP || errno == EPERM)) { return [] }
        guard size > 0 else { throw systemFailure("read the attributes of", hostPath(directory.string, path)) }
        var names = [CChar](repeating: 0, count: size)
        // overlayfs counts its own names, and leaves them out when it is asked for them.
        let listed = llistxattr(host, &names, size)
        guard listed >= 0 else { throw systemFailure("read the attributes of", hostPath(directory.string, path)) }
        var attributes = [ExtendedAttribute]()
        for name in names.prefix(listed).split(separator: 0) {
            let cName = Array(name) + [0]
            let length = lgetxattr(host, cName, nil, 0)
            guard length >= 0 else { throw systemFailure("read the attributes of", hostPath(directory.string, path)) }
            var value = [UInt8](repeating: 0, count: length)
            let got = value.withUnsafeMutableBytes { lgetxattr(host, cName, $0.baseAddress, $0.count) }
            guard got == length else { throw systemFailure("read the attributes of", hostPath(directory.string, path)) }
            let text = String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            attributes.append(ExtendedAttribute(name: text, value: value))
        }
        return attributes.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    private func isOfHost(_ name: String) -> Bool {
        // xfs shows root a second form of every ACL; SELinux labels files as the host's policy says.
        ["trusted.overlay.", "user.overlay.", "trusted.SGI_ACL_", "security.selinux"].contains { name.hasPrefix($0) }
    }
}
