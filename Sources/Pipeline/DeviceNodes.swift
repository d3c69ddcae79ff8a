internal import RootfsModel

/// The devices that a root file system has before anything mounts devtmpfs: what mmdebstrap and debootstrap make. A
/// kernel without CONFIG_DEVTMPFS_MOUNT and without initrd opens /dev/console from here.
func deviceNodes(moment: Timestamp) -> TreeChange {
    func device(_ path: TreePath, _ major: UInt32, _ minor: UInt32, mode: UInt16 = 0o666, gid: UInt32 = 0) -> FileNode {
        FileNode(
            path: path, kind: .characterDevice(major: major, minor: minor),
            metadata: Metadata(mode: mode, gid: gid, mtime: moment))
    }
    func link(_ path: TreePath, _ target: String) -> FileNode {
        FileNode(
            path: path, kind: .symbolicLink(Array(target.utf8)), metadata: Metadata(mode: 0o777, mtime: moment))
    }
    func directory(_ path: TreePath, mode: UInt16) -> FileNode {
        FileNode(path: path, kind: .directory, metadata: Metadata(mode: mode, mtime: moment))
    }
    // Group 5 is tty in every base-passwd.
    return TreeChange(puts: [
        directory("dev", mode: 0o755), directory("dev/pts", mode: 0o755), directory("dev/shm", mode: 0o1777),
        device("dev/console", 5, 1, mode: 0o600, gid: 5), device("dev/full", 1, 7), device("dev/null", 1, 3),
        device("dev/ptmx", 5, 2, gid: 5), device("dev/random", 1, 8), device("dev/tty", 5, 0, gid: 5),
        device("dev/urandom", 1, 9), device("dev/zero", 1, 5), link("dev/fd", "/proc/self/fd"),
        link("dev/stdin", "/proc/self/fd/0"), link("dev/stdout", "/proc/self/fd/1"),
        link("dev/stderr", "/proc/self/fd/2"),
    ])
}
