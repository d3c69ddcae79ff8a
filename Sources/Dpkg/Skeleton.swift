public import RootfsModel

/// The tree before the first package: what dpkg needs to find, with /usr merged.
///
/// diversions and statoverride are left out: dpkg makes them, and finding them empty it would keep a `-old` of each.
public enum Skeleton {
    public static func change(architecture: String, moment: Timestamp) -> TreeChange {
        let directory = Metadata(mode: 0o755, mtime: moment), file = Metadata(mode: 0o644, mtime: moment)
        var puts = [FileNode]()
        func add(_ path: TreePath, _ kind: NodeKind, _ metadata: Metadata) {
            puts.append(FileNode(path: path, kind: kind, metadata: metadata))
        }
        for path: TreePath in [
            "usr", "usr/sbin", "etc", "var", "var/lib", "var/lib/dpkg", "var/lib/dpkg/info", "var/lib/dpkg/updates",
            "var/lib/dpkg/triggers", "var/lib/dpkg/alternatives", "var/lib/dpkg/parts",
        ] { add(path, .directory, directory) }
        for name in mergedDirectories(architecture) {
            let target = Array("usr/\(name)".utf8)
            if let path = TreePath(normalizing: target), name != "sbin" { add(path, .directory, directory) }
            if let path = TreePath(normalizing: name) { add(path, .symbolicLink(target), Metadata(mode: 0o777, mtime: moment)) }
        }
        add("tmp", .directory, Metadata(mode: 0o1777, mtime: moment))
        func add(file path: TreePath, _ text: String) { add(path, .file(Blob(Array(text.utf8)), linkGroup: 0), file) }
        add(file: "etc/fstab", "# UNCONFIGURED FSTAB FOR BASE SYSTEM\n")
        add(file: "var/lib/dpkg/arch", architecture + "\n")
        add(file: "var/lib/dpkg/status", "")
        add(file: "var/lib/dpkg/info/format", "1\n")
        return TreeChange(puts: puts)
    }

    /// The directories of the root that are links into /usr. lib64 is where the ABI puts the program interpreter.
    private static func mergedDirectories(_ architecture: String) -> [String] {
        let with64 = ["amd64", "x32", "ppc64", "ppc64el", "s390x", "sparc64", "loong64", "mips64el"]
        return ["bin", "sbin", "lib"] + (with64.contains(architecture) ? ["lib64"] : [])
    }
}
