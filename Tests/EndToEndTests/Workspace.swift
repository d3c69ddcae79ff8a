import ArchiveFixture
import Glibc
import RootfsModel
import Storage
import SystemPackage

/// A user's repository in a temporary directory: recipes/, overlays/, keys/, with a store and outputs beside it.
final class Workspace: Sendable {
    private let scratch: Scratch
    /// Where the program is called.
    let root: FilePath
    let cache: FilePath
    let mirror: String

    init(key: FixtureKey, archive: FixtureArchive) throws {
        scratch = try Scratch("work")
        root = scratch.path.appending("repository")
        cache = scratch.path.appending("cache")
        mirror = archive.uri
        try makeDirectory(at: root)
        try write("overlays/first/etc/first.conf", "first\n")
        try write("overlays/first/usr/local/bin/tool", "#!/bin/sh\necho tool\n", mode: 0o755)
        try recipe("demo", Self.demo)
        try write("keys/fixture.gpg", bytes: try readFile(at: key.keyring))
    }

    /// Every kind of thing but services: those need systemd.
    static let demo = """
        layers:
          - {name: system, packages: [hello]}
          - {name: odd, packages: [odd-names]}
        kernel: {package: linux-image-builtin, arguments: [console=ttyS0]}
        overlays: [overlays/first]
        users:
          - {name: agent, uid: 1000, home: /home/agent, shell: /bin/sh}
        files:
          /etc/motd: "hello from demo\\n"
        remove: ["/usr/share/hello/empty"]
        image: {label: demo, free: 1MiB}
        """

    /// Writes recipes/NAME.manifest; the archive's part is added.
    func recipe(_ name: String, _ text: String, archive: String = "{suite: bookworm, keyring: keys/fixture.gpg}") throws
    {
        try write("recipes/\(name).manifest", "recipe: 1\nname: \(name)\narchive: \(archive)\n\(text)\n")
    }

    func write(_ path: String, _ text: String, mode: UInt16 = 0o644) throws {
        try write(path, bytes: Array(text.utf8), mode: mode)
    }

    func write(_ path: String, bytes: [UInt8], mode: UInt16 = 0o644) throws {
        let file = self.path(path)
        try makeDirectory(at: file.removingLastComponent())
        try writeFile(bytes, to: file, mode: mode)
    }

    func path(_ relative: String) -> FilePath { root.pushing(FilePath(relative)) }

    func text(_ relative: String) throws -> String { String(decoding: try readFile(at: path(relative)), as: UTF8.self) }

    /// The outputs of a recipe.
    func output(_ name: String, _ file: String = "") -> FilePath {
        file.isEmpty ? path("out/\(name)") : path("out/\(name)/\(file)")
    }

    var program: Program { Program(directory: root) }

    /// Runs with this workspace's store and archive.
    func run(_ arguments: [String], mirror: String? = nil) throws -> Program.Ending {
        try program.run(words(arguments, mirror: mirror))
    }

    func words(_ arguments: [String], mirror: String? = nil) -> [String] {
        arguments + ["--cache", cache.string, "--mirror", mirror ?? self.mirror]
    }

    func build(_ recipe: String, _ more: [String] = [], mirror: String? = nil) throws -> Program.Ending {
        try run(["recipes/\(recipe).manifest"] + more, mirror: mirror)
    }

    /// What a build in progress leaves nothing of.
    var leftovers: [String] {
        get throws {
            let temporary = try directoryNames(at: cache.appending("tmp")).map { String(decoding: $0, as: UTF8.self) }
            let beside = exists(path("out")) ? try directoryNames(at: path("out")) : []
            return temporary + beside.map { String(decoding: $0, as: UTF8.self) }.filter { $0.hasPrefix(".") }
        }
    }

    /// Everything a failed build must leave as it was: outputs and locks, as one listing.
    func state() throws -> String {
        try shell(
            "find out recipes/*.lock -type f ! -path 'out/.*' -exec sha256sum {} + 2>/dev/null | sort -k2", in: root)
    }
}
