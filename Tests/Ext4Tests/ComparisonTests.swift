import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import Ext4

@Suite struct ComparisonTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func write(
        _ name: String, _ tree: FileTree, _ change: (inout Ext4Options) -> Void = { _ in }
    ) throws -> FilePath {
        var options = Ext4Options.plain
        // As a build does: the tree decides the identity.
        options.identity = .derived(from: Digest(hashing: try Listing.bytes(of: tree)))
        options.size = .free(bytes: 1 << 20)
        change(&options)
        _ = try Ext4Writer.write(tree: tree, to: scratch.file(name), options: options, jobs: 1)
        return scratch.file(name)
    }

    private func tree(_ change: (inout FileNode) -> Void = { _ in }) throws -> FileTree {
        var tree = try FileTree([
            FileNode(
                path: "etc/motd", kind: .file(Blob(Array("hello world\n".utf8)), linkGroup: 0),
                metadata: Metadata(mode: 0o644)),
            FileNode(
                path: "usr/large", kind: .file(Blob([UInt8](repeating: 7, count: 100_000)), linkGroup: 0),
                metadata: Metadata(mode: 0o755)),
            FileNode(path: "usr/link", kind: .symbolicLink(Array("large".utf8)), metadata: Metadata(mode: 0o777)),
        ])
        tree.updateEach(change)
        return tree
    }

    private func overwrite(_ image: FilePath, at offset: UInt64, _ bytes: [UInt8]) throws {
        let descriptor = open(image.string, O_RDWR)
        defer { close(descriptor) }
        #expect(pwrite(descriptor, bytes, bytes.count, off_t(offset)) == bytes.count)
    }

    private func words(_ comparison: ImageComparison) -> [String] {
        comparison.differences.map { "\($0.place): \($0.field): \($0.left) → \($0.right)" }
    }

    @Test func equalImagesHaveNoDifferences() throws {
        let comparison = try ImageComparison(write("a", tree()), write("b", tree()))
        #expect(comparison.differences == [])
        #expect(comparison.blocks == 0)
    }

    @Test func aContentAndAModeAreNamedAndWhatFollowsIsCounted() throws {
        let other = try tree { node in
            if node.path == "etc/motd" { node.kind = .file(Blob(Array("hello there\n".utf8)), linkGroup: 0) }
            if node.path == "usr/large" { node.metadata.mode = 0o700 }
        }
        let comparison = try ImageComparison(write("a", tree()), write("b", other))
        #expect(
            words(comparison) == [
                "/etc/motd: content from byte 6 on: 776f726c640a \"world.\" → 74686572650a \"there.\"",
                "/usr/large: mode: 0755 → 0700",
            ])
        #expect(comparison.consequences > 0)
    }

    @Test func anotherPathShiftsTheRestWhichIsNotTold() throws {
        let more = try tree().applying(
            TreeChange(puts: [
                FileNode(path: "etc/aaa", kind: .file(Blob([1, 2, 3]), linkGroup: 0), metadata: Metadata(mode: 0o644))
            ]))
        let comparison = try ImageComparison(write("a", tree()), write("b", more))
        #expect(words(comparison) == ["/etc/aaa: path: none → there"])
        #expect(comparison.consequences == comparison.blocks)
    }

    @Test func aFieldOfTheSuperblockIsNamed() throws {
        let comparison = try ImageComparison(
            write("a", tree()), write("b", tree()) { $0.label = "other" })
        #expect(
            words(comparison).contains {
                $0.hasPrefix("superblock: label: 74657374000") && $0.contains(" → 6f74686572")
            },
            "\(words(comparison))")
        let later = try ImageComparison(scratch.file("a"), write("c", tree()) { $0.moment += 5 })
        let fields = Set(later.differences.filter { $0.place == "superblock" }.map(\.field))
        #expect(fields.isSuperset(of: ["time of making", "last check"]), "\(fields)")
        #expect(!fields.contains("checksum"))
        // The inodes that no path shows have the time of making.
        #expect(later.differences.contains { $0.place.hasPrefix("inode ") && $0.field.contains("time") })
    }

    @Test func bytesOfFreeBlocksAndBehindAFilesEndAreFound() throws {
        let (a, b) = (try write("a", tree()), try write("b", tree()))
        let reader = try Ext4Reader(b)
        let motd = try #require(try reader.node(at: "etc/motd"))
        guard case .extents(_, let extents)? = motd.blob?.source else { throw Failure("no extents") }
        let place = try #require(extents.first).source
        try overwrite(b, at: place + 2000, [0xAB])
        let last = (reader.information.blocks - 1) * 4096
        try overwrite(b, at: last + 17, Array("free".utf8))
        let found = words(try ImageComparison(a, b))
        #expect(found.count == 2, "\(found)")
        #expect(found[0].hasPrefix("content of /etc/motd: bytes from 2000 on: 00"))
        #expect(found[1].hasPrefix("free block \(last / 4096): bytes from 17 on: 0000"))
        #expect(found[1].contains("→ 66726565"))
    }

    @Test(.enabled(if: hasProgram("debugfs"), "needs debugfs")) func aFieldOfAnInodeIsNamedWithItsPath() throws {
        let (a, b) = (try write("a", tree()), try write("b", tree()))
        #expect(run("debugfs", ["-w", "-R", "set_inode_field /etc/motd atime @12345", b.string]).status == 0)
        let found = words(try ImageComparison(a, b))
        #expect(
            found.contains { $0.contains(" of /etc/motd: access time: ") && $0.hasSuffix(" → 12345") }, "\(found)")
        #expect(found.allSatisfy { !$0.contains("checksum") || $0.contains("superblock") })
    }

    @Test(arguments: [1, 2, 3]) func treesOfAllKindsAreComparedWithThemselvesAndOthers(seed: UInt64) throws {
        let (a, b) = (try NastyTree.make(seed: seed), try NastyTree.make(seed: seed + 100))
        let images = (try write("a", a), try write("b", b))
        #expect(try ImageComparison(images.0, images.0).differences == [])
        let comparison = try ImageComparison(images.0, images.1, limit: 3)
        #expect(comparison.differences.count == 3)
        #expect(comparison.more > 0)
    }
}
