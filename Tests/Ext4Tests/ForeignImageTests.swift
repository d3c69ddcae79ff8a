import CLinux
import Glibc
import RootfsModel
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Ext4

/// Images that others made, and other eyes on ours.
@Suite struct ForeignImageTests {
    /// A directory on the host with everything that needs no privilege.
    private func makeDirectory(_ scratch: Scratch) throws -> FilePath {
        let root = scratch.file("root")
        mkdir(root.string, 0o755)
        mkdir(root.appending("deep").string, 0o751)
        mkdir(root.appending("many").string, 0o755)
        for number in 0..<700 {
            try writeFile(
                [UInt8("\(number)".utf8.count)], to: root.appending("many/a rather long name \(number)"), mode: 0o644)
        }
        var random = SeededGenerator(seed: 9)
        try writeFile([], to: root.appending("empty"), mode: 0o600)
        try writeFile(random.bytes(50), to: root.appending("deep/small"), mode: 0o4755)
        try writeFile(random.bytes(130), to: root.appending("deep/inline with attribute"), mode: 0o644)
        // Double indirect in blocks of 1 KiB, with a hole.
        try writeFile(
            random.bytes(500_000) + [UInt8](repeating: 0, count: 700_000) + random.bytes(300_001),
            to: root.appending("large"), mode: 0o644)
        link(root.appending("large").string, root.appending("deep/large too").string)
        symlink("short", root.appending("short link").string)
        symlink(String(repeating: "long/", count: 100), root.appending("long link").string)
        mkfifo(root.appending("fifo").string, 0o640)
        setxattr(root.appending("deep/small").string, "user.note", "remember", 8, 0)
        setxattr(root.appending("large").string, "user.large", random.bytes(600), 600, 0)
        return root
    }

    /// Without the times and the root's metadata, which mke2fs does not copy faithfully, and in canonical form.
    private func comparable(_ tree: FileTree) -> FileTree {
        var result = tree.canonical
        result.updateEach { node in
            node.metadata.mtime = Timestamp(seconds: 0)
            if node.path.isRoot { node.metadata = Metadata(mode: 0o755) }
        }
        return result
    }

    @Test(arguments: [
        "-t ext2 -b 1024", "-t ext2 -b 4096 -I 128", "-t ext3 -b 2048", "-t ext4 -b 1024", "-t ext4 -b 4096",
        "-t ext4 -b 2048 -O inline_data", "-t ext4 -b 4096 -O inline_data,^metadata_csum",
        "-t ext4 -O bigalloc -C 16384", "-t ext4 -O ea_inode,sparse_super2,^resize_inode",
    ])
    func imagesOfMke2fsAreRead(arguments: String) throws {
        guard hasProgram("mke2fs") else { return print("mke2fs is missing: its images are not read") }
        let scratch = try Scratch()
        let root = try makeDirectory(scratch)
        let image = scratch.file("image")
        let made = run(
            "mke2fs",
            ["-q", "-F"] + arguments.split(separator: " ").map(String.init) + ["-d", root.string, image.string, "24M"])
        try #require(made.status == 0, "\(made.output)")
        let expected = comparable(try scanDirectory(root, digesting: true))
        let read = comparable(try Ext4Reader(image).tree(digesting: true))
        #expect(read == expected, "\(differences(read, expected))")
        #expect(try Ext4Reader(image).readAll("large") == readFile(at: root.appending("large")))
        #expect(try Ext4Reader(image).node(at: "deep/small")?.metadata.mode == 0o4755)
        #expect(try Ext4Reader(image).node(at: "deep/nothing") == nil)
    }

    @Test(arguments: [UInt64(31), 32, 33])
    func theKernelSeesTheTree(seed: UInt64) throws {
        let scratch = try Scratch()
        let tree = try NastyTree.make(seed: seed, nodes: 300)
        _ = try Ext4Writer.write(tree: tree, to: scratch.file("image"), options: .plain, jobs: 2)
        try mounted(scratch) { root in
            var seen = try scanDirectory(root, digesting: true)
            seen = try FileTree(seen.nodes.filter { $0.path != "lost+found" })
            #expect(seen.canonical == tree.canonical, "seed \(seed): \(differences(seen.canonical, tree.canonical))")
        }
    }

    /// Mounts the image read-only where the machine lets us.
    private func mounted(_ scratch: Scratch, _ body: (FilePath) throws -> Void) throws {
        let root = scratch.file("mounted")
        mkdir(root.string, 0o755)
        guard getuid() == 0, run("mount", ["-o", "loop,ro", scratch.file("image").string, root.string]).status == 0
        else {
            return print("no image can be mounted: the kernel is not asked")
        }
        defer { run("umount", [root.string]) }
        try body(root)
    }

    @Test func largeDirectoriesComeThrough() throws {
        let scratch = try Scratch()
        let metadata = Metadata(mode: 0o644, mtime: Timestamp(seconds: 5))
        var nodes = [FileNode(path: .root, kind: .directory, metadata: Metadata(mode: 0o755))]
        let files: TreePath = "files"
        let directories: TreePath = "directories"
        nodes.append(FileNode(path: files, kind: .directory, metadata: metadata))
        nodes.append(FileNode(path: directories, kind: .directory, metadata: metadata))
        for number in 0..<50_000 {
            nodes.append(
                FileNode(
                    path: files.appending(Array("f\(number)".utf8)), kind: .file(Blob([]), linkGroup: 0),
                    metadata: metadata))
        }
        for number in 0..<3000 {
            nodes.append(
                FileNode(path: directories.appending(Array("d\(number)".utf8)), kind: .directory, metadata: metadata))
        }
        let tree = try FileTree(nodes)
        _ = try Ext4Writer.write(tree: tree, to: scratch.file("image"), options: .plain, jobs: 2)
        expectClean(scratch.file("image"))
        #expect(try Ext4Reader(scratch.file("image")).tree(digesting: true).canonical == tree.canonical)
        if hasProgram("debugfs") {
            let text = run("debugfs", ["-R", "htree_dump /files", scratch.file("image").string]).output
            #expect(text.contains("Hash Version: 1"), "\(text.prefix(500))")
        }
        try mounted(scratch) { root in
            // The kernel finds every name by its hash.
            for number in 0..<50_000 where access(root.string + "/files/f\(number)", F_OK) != 0 {
                Issue.record("f\(number) is not found")
                break
            }
            #expect(access(root.string + "/files/f50000", F_OK) != 0)
        }
    }

    @Test func twoLevelsOfTheHashTreeHoldLongNames() throws {
        // 507 leaves of 16 names are one level's end.
        let scratch = try Scratch()
        let tail = String(repeating: "x", count: 240)
        let nodes = (0..<9000).map { number in
            FileNode(
                path: TreePath.root.appending(Array("\(number)-\(tail)".utf8)), kind: .fifo,
                metadata: Metadata(mode: 0o600))
        }
        let tree = try FileTree(nodes)
        var options = Ext4Options.plain
        options.isReadOnly = true
        _ = try Ext4Writer.write(tree: tree, to: scratch.file("image"), options: options, jobs: 1)
        expectClean(scratch.file("image"))
        #expect(try Ext4Reader(scratch.file("image")).tree(digesting: false).canonical == tree.canonical)
        try mounted(scratch) { root in
            let missing = (0..<9000).filter { access("\(root)/\($0)-\(tail)", F_OK) != 0 }
            #expect(missing.isEmpty)
        }
    }

    @Test func aLostAndFoundOfTheTreesOwnIsKept() throws {
        let scratch = try Scratch()
        let tree = try FileTree([
            FileNode(path: "lost+found", kind: .directory, metadata: Metadata(mode: 0o700))
        ])
        _ = try Ext4Writer.write(tree: tree, to: scratch.file("image"), options: .plain, jobs: 1)
        expectClean(scratch.file("image"))
        #expect(try Ext4Reader(scratch.file("image")).tree(digesting: true) == tree)
    }
}
