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

    /// Damages a file by a bit; other links of it stay whole.
    private func damage(_ path: FilePath) throws {
        var bytes = try readFile(at: path)
        bytes[bytes.count / 2] ^= 1
        try writeFile(bytes, to: path)
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
}
