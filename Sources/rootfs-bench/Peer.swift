import Debian
import Dpkg
import Glibc
import RootfsModel
import Storage
import SystemPackage

/// mmdebstrap, with an archive of exactly the packages of a lock.
struct Peer {
    let lock: Lock
    let archive: FilePath

    /// What the layers ask for.
    var requests: [String] {
        lock.requests.filter { if case .layer = $0.purpose { true } else { false } }.flatMap(\.names)
    }

    /// Makes the archive, of hard links to a store's downloads on the same disk.
    init(_ lock: Lock, from store: FilePath, at archive: FilePath) throws {
        self.lock = lock
        self.archive = archive
        try makeDirectory(at: archive)
        let opened = try Store(at: store)
        for package in lock.packages {
            guard let file = opened.file(package.sha256, size: package.size) else {
                throw Failure("the store has no \(package.name) \(package.version)")
            }
            let name = FilePath(package.filename).lastComponent?.string ?? package.name
            guard link(file.string, archive.appending(name).string) == 0 else {
                throw systemFailure("link", archive.appending(name))
            }
        }
        let index = try run(["dpkg-scanpackages", "--multiversion", "."], in: archive).output
        try writeFile(index, to: archive.appending("Packages"))
        // Without a suite in it apt finds no package of a priority.
        let release = """
            Suite: \(suite)
            Codename: \(suite)
            SHA256:
             \(Digest(hashing: index).hex) \(index.count) Packages

            """
        try writeFile(Array(release.utf8), to: archive.appending("Release"))
    }

    private var suite: String { lock.archives.first?.codename ?? "" }

    /// The command that installs packages into a directory.
    func command(variant: String, installing requests: [String], into tree: FilePath) -> [String] {
        let merged = #"for d in bin sbin lib lib64; do mkdir -p "$1/usr/$d"; ln -s "usr/$d" "$1/$d"; done"#
        return [
            "mmdebstrap", "--quiet", "--variant=\(variant)", "--setup-hook=\(merged)",
            "--include=\(requests.joined(separator: ","))", suite, tree.string,
            "deb [trusted=yes] copy:\(archive) ./",
        ]
    }
}

/// Makes a store with the downloads of another, which is not changed.
func seedStore(from store: FilePath, at own: FilePath) throws {
    try makeDirectory(at: own)
    for name in ["files", "records"] where exists(store.appending(name)) {
        // Hard links where it is the same disk: a store's files are never written to.
        let link = ["cp", "-al", store.appending(name).string, own.string]
        if (try? run(link)) == nil { _ = try run(["cp", "-a"] + link.dropFirst(2)) }
    }
}

/// The store that the program takes by itself.
func userStore() -> String {
    func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
    return (variable("XDG_CACHE_HOME") ?? (variable("HOME") ?? "/root") + "/.cache") + "/rootfs-build"
}
