import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

/// What a disk or a power loss did to the store never gets into an image, and never stops a build for good.
@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct DamagedStoreTests {
    /// The one file of the store that this pattern of find(1) finds.
    private func file(_ pattern: String, in workspace: Workspace) throws -> FilePath {
        let found = try shell("find . -path './\(pattern)' -type f", in: workspace.cache).split(separator: "\n")
        try #require(found.count == 1, "\(found)")
        return workspace.cache.pushing(FilePath(String(found[0].dropFirst(2))))
    }

    /// Damages a file by a bit in its middle, with the time and mode it had; other links of it stay whole.
    private func damage(_ path: FilePath) throws {
        var bytes = try readFile(at: path)
        bytes[bytes.count / 2] ^= 1
        try writeFile(bytes, to: path.removingLastComponent().appending("damaged"))
        try shell(
            "chmod --reference='\(path)' damaged && touch -r '\(path)' damaged && mv damaged '\(path)'",
            in: path.removingLastComponent())
    }

    /// Builds `demo` in this workspace, expects the image of the first build, and gives the warnings.
    private func warnings(in workspace: Workspace) throws -> [String] {
        let world = try World.shared()
        let built = try workspace.build("demo")
        #expect(built.status == 0, "\(built.stderr)")
        #expect(
            try Digest(hashing: readFile(at: workspace.output("demo", "demo.ext4")))
                == Digest(hashing: readFile(at: world.warm.output("demo", "demo.ext4"))))
        return built.stderr.split(separator: "\n").compactMap { line in
            line.firstRange(of: "warning: ").map { String(line[$0.lowerBound...]) }
        }
    }

    @Test func `a file of a payload`() throws {
        let workspace = try World.shared().warmWorkspace()
        try damage(try file("payloads/*/tree/usr/lib/libhello.so.1.0", in: workspace))
        #expect(
            try warnings(in: workspace) == [
                "warning: libhello1 2.1 in the store is not what it was when it was unpacked: it is unpacked again"
            ])
    }

    @Test func `a payload's listing`() throws {
        let workspace = try World.shared().warmWorkspace()
        let hello = try file("payloads/*/tree/usr/bin/hello", in: workspace)
        let listing = hello.removingLastComponent().removingLastComponent().removingLastComponent()
            .removingLastComponent().appending("listing")
        try writeFile([], to: listing)
        #expect(try warnings(in: workspace) == [])
        #expect(try !readFile(at: listing).isEmpty)
    }

    @Test func `a layer's delta`() throws {
        let workspace = try World.shared().warmWorkspace()
        let status = try shell("find layers -path '*/delta/var/lib/dpkg/status' | sort", in: workspace.cache)
        for path in status.split(separator: "\n") { try damage(workspace.cache.pushing(FilePath(String(path)))) }
        let warnings = try warnings(in: workspace)
        #expect(!warnings.isEmpty)
        for warning in warnings {
            #expect(warning.hasPrefix("warning: layer "), "\(warning)")
            #expect(
                warning.hasSuffix(" in the store is not what it was when it was kept: it is made again"), "\(warning)")
        }
    }

    @Test func `the package file of a payload that is gone`() throws {
        let workspace = try World.shared().warmWorkspace()
        let hello = try file("payloads/*/tree/usr/bin/hello", in: workspace)
        let key = hello.string.split(separator: "/").dropLast(4).suffix(2).joined(separator: "/")
        try removeTree(at: workspace.cache.appending("payloads").pushing(FilePath(key)))
        let deb = workspace.cache.appending("files").pushing(FilePath(key))
        let whole = try readFile(at: deb)
        try damage(deb)
        #expect(
            try warnings(in: workspace) == [
                "warning: the package file of hello 2.10-3 in the store is not what was fetched: it is fetched again"
            ])
        #expect(try readFile(at: deb) == whole)
    }

    /// A file of the store: its path as find(1) takes it, and the entries that `cache verify` finds damaged with it.
    private static let places: [(path: String, kinds: [String])] = {
        let hello = "payloads/HELLO"
        let withLayers = ["layers", "layers", "payloads"]
        return [
            ("trees/TREE/tree", ["trees"]), ("trees/TREE/layers", ["trees"]), ("trees/TREE/rules", ["trees"]),
            ("trees/TREE/digest", ["trees"]), ("\(hello)/traits", withLayers),
            ("files/HELLO", ["files"]), ("\(hello)/tree/usr/bin/hello", withLayers),
            ("\(hello)/listing", withLayers),
            ("\(hello)/list", withLayers), ("\(hello)/size", withLayers), ("\(hello)/digest", withLayers),
            ("\(hello)/control/control", withLayers), ("\(hello)/control/postinst", withLayers),
            ("\(hello)/control/conffiles", withLayers),
            ("layers/SYSTEM/delta/var/lib/hello/configured", ["layers", "layers"]),
            ("layers/SYSTEM/delta/etc/hello.conf", ["layers", "layers"]),
            ("layers/SYSTEM/digest", ["layers", "layers"]),
            ("layers/SYSTEM/inputs", ["layers", "layers"]),
        ]
    }()

    /// The path with the entries of the package hello, of the layer that it is in and of the tree.
    private func place(_ path: String, in workspace: Workspace) throws -> FilePath {
        let hello = try file("payloads/*/tree/usr/bin/hello", in: workspace).components.dropLast(4).suffix(2)
        let system = try file("layers/*/delta/var/lib/hello/configured", in: workspace).components.dropLast(5).suffix(2)
        let tree = try file("trees/*/tree", in: workspace).components.dropLast().suffix(2)
        func text(_ components: some Sequence<FilePath.Component>) -> String {
            components.map(\.string).joined(separator: "/")
        }
        return workspace.cache.pushing(
            FilePath(
                path.replacing("HELLO", with: text(hello)).replacing("SYSTEM", with: text(system))
                    .replacing("TREE", with: text(tree))))
    }

    @Test(arguments: places) func `one bit anywhere gets into no image`(path: String, kinds: [String]) throws {
        let world = try World.shared()
        // Where the layers are taken, and where they are made again.
        for command in path.hasPrefix("layers") ? ["true"] : ["true", "rm -r layers/*"] {
            let workspace = try world.warmWorkspace()
            try damage(try place(path, in: workspace))
            try shell(command, in: workspace.cache)
            _ = try warnings(in: workspace)
        }
        let workspace = try world.warmWorkspace()
        try damage(try place(path, in: workspace))
        let verified = try workspace.program.run(["cache", "verify", "--cache", workspace.cache.string])
        #expect(verified.status == 1)
        #expect(
            verified.stdout.split(separator: "\n").map { String($0.prefix { $0 != " " }) } == kinds,
            "\(verified.stdout)")
        let again = try workspace.program.run(["cache", "verify", "--cache", workspace.cache.string])
        #expect(again.status == 0, "\(again.stdout)")
        #expect(try warnings(in: workspace) == [])
    }

    @Test(arguments: [
        ("copier", "payloads/*/tree/usr/share/copier/data", "remove: [/usr/share/copier/data]"),
        ("guarded", "files/GUARDED", "description: its files come from dpkg"),
    ]) func `what only scripts and dpkg read is compared too`(package: String, path: String, more: String) throws {
        let workspace = try World.shared().coldWorkspace()
        try workspace.recipe("demo", "layers: [{name: system, packages: [\(package)]}]\n\(more)")
        let built = try workspace.build("demo")
        #expect(built.status == 0, "\(built.stderr)")
        let payload = try file("payloads/*/tree/usr/share/\(package)/data", in: workspace)
        let key = payload.components.dropLast(5).suffix(2).map(\.string).joined(separator: "/")
        let damaged = package == "guarded" ? workspace.cache.pushing(FilePath("files/\(key)")) : payload
        // The package's content is the last of the file, before the end of the archive.
        var bytes = try readFile(at: damaged)
        let content = try #require(bytes.firstRange(of: Array("what ".utf8))).lowerBound
        bytes[content] ^= 1
        try writeFile(bytes, to: damaged)
        try shell("rm -r layers/* '\(workspace.output("demo"))'", in: workspace.cache)
        let again = try workspace.build("demo")
        #expect(again.stdout == built.stdout, "\(again.stderr)")
        #expect(again.stderr.contains("warning: "), "\(again.stderr)")
    }

    @Test func `what was kept of the archive`() throws {
        let world = try World.shared()
        let count = try #require(
            Int(shell("find records -type f | wc -l", in: world.warm.cache).split(separator: "\n")[0]))
        #expect(count == 6)
        let indexes = try shell("grep -l '^Package: ' files/*/* || true", in: world.warm.cache).split(separator: "\n")
        #expect(!indexes.isEmpty)
        let records = try shell("find records -type f | sort", in: world.warm.cache).split(separator: "\n")
        for file in indexes + records {
            let workspace = try world.warmWorkspace()
            try damage(workspace.cache.pushing(FilePath(String(file))))
            let lock = try workspace.text("recipes/demo.lock")
            try removeTree(at: workspace.path("recipes/demo.lock"))
            // Offline there is nothing to take its place: refused, or of no account.
            let offline = try workspace.run(["lock", "recipes/demo.manifest", "--offline"])
            if offline.status == 0 {
                #expect(try workspace.text("recipes/demo.lock") == lock, "\(file)")
                try removeTree(at: workspace.path("recipes/demo.lock"))
            } else {
                #expect(offline.status == 2 && offline.stderr.contains("error: "), "\(file): \(offline.stderr)")
            }
            let locked = try workspace.run(["lock", "recipes/demo.manifest"])
            #expect(locked.status == 0, "\(file): \(locked.stderr)")
            #expect(try workspace.text("recipes/demo.lock") == lock, "\(file)")
        }
    }
}
