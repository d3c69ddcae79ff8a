import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import Ext4

/// What cannot be an image is one clear failure, and no file.
@Suite struct RefusalTests {
    private func failure(
        _ nodes: [FileNode], _ options: Ext4Options = .plain, at path: FilePath? = nil
    ) throws -> String {
        let scratch = try Scratch()
        let target = path ?? scratch.file("image")
        let before = access(target.string, F_OK)
        let failure = try #require(throws: Failure.self) {
            _ = try Ext4Writer.write(tree: FileTree(nodes), to: target, options: options, jobs: 2)
        }
        #expect(access(target.string, F_OK) == before, "a failure leaves no file behind and takes none away")
        return failure.description
    }

    private func file(_ path: TreePath, _ bytes: [UInt8] = [], xattrs: [ExtendedAttribute] = []) -> FileNode {
        FileNode(path: path, kind: .file(Blob(bytes), linkGroup: 0), metadata: Metadata(mode: 0o644, xattrs: xattrs))
    }

    @Test func options() throws {
        var options = Ext4Options.plain
        options.label = "seventeen bytes !"
        #expect(try failure([], options) == "error: the image label “seventeen bytes !” has 17 bytes; ext4 holds 16")
        options = .plain
        options.moment = 0
        #expect(
            try failure([], options) == """
                error: the moment 0 cannot be an ext4 file system's time of making
                hint: it is in seconds since 1970, from 1 to 4294967295
                """)
        options = .plain
        options.size = .fixed(bytes: 5000)
        #expect(
            try failure([], options) == """
                error: an ext4 image cannot have 5000 bytes
                hint: take a multiple of 4096, at most 64 TiB
                """)
        options = .plain
        options.journal = 1
        #expect(
            try failure([], options) == """
                error: a journal of 1 MiB is not possible
                hint: from 4 to 32,768 MiB, or none
                """)
        options = .plain
        options.identity = .uuid([1, 2, 3])
        #expect(try failure([], options) == "error: the image UUID has 3 bytes, not 16")
    }

    @Test func aFixedSizeThatIsTooSmallSaysWhatIsNeeded() throws {
        let nodes = [file("big", [UInt8](repeating: 1, count: 9 << 20))]
        var options = Ext4Options.plain
        options.size = .fixed(bytes: 8 << 20)
        let text = try failure(nodes, options)
        let pattern =
            /error: the tree does not fit into an image of 8388608 bytes: it needs ([0-9]+) bytes\nhint: make the image larger by ([0-9]+) bytes or more/
        let match = try #require(try pattern.wholeMatch(in: text), "\(text)")
        // And so much is enough.
        options.size = .fixed(bytes: try #require(UInt64(match.1)))
        let scratch = try Scratch()
        _ = try Ext4Writer.write(tree: FileTree(nodes), to: scratch.file("image"), options: options, jobs: 1)
        expectClean(scratch.file("image"))
    }

    @Test func whatExt4CannotHold() throws {
        let long = ExtendedAttribute(name: "user.long", value: [UInt8](repeating: 1, count: 4100))
        #expect(
            try failure([file("a", xattrs: [long])]) == """
                error: /a: its extended attributes are too large for ext4
                  88 bytes fit into the inode and 4060 into a block; 60 bytes are too many
                """)
        let foreign = ExtendedAttribute(name: "btrfs.compression", value: [1])
        #expect(
            try failure([file("a", xattrs: [foreign])]) == """
                error: /a: ext4 cannot hold an extended attribute named btrfs.compression
                hint: names start with user., trusted., security. or system.
                """)
        let list = ExtendedAttribute(name: "system.posix_acl_access", value: [2, 0, 0, 0, 9])
        #expect(
            try failure([file("a", xattrs: [list])])
                == "error: /a: its system.posix_acl_access is no access control list")
        let link = FileNode(
            path: "l", kind: .symbolicLink([UInt8](repeating: 97, count: 4096)), metadata: Metadata(mode: 0o777))
        #expect(
            try failure([link])
                == "error: /l: a symbolic link's target has 1 to 4095 bytes and no NUL; this one has 4096")
        let device = FileNode(
            path: "d", kind: .blockDevice(major: 4096, minor: 0), metadata: Metadata(mode: 0o600))
        #expect(try failure([device]) == "error: /d: ext4 cannot hold the device number 4096:0")
        var late = file("t")
        late.metadata.mtime = Timestamp(seconds: 1 << 40)
        #expect(
            try failure([FileNode(path: .root, kind: .directory, metadata: Metadata(mode: 0o755)), late]) == """
                error: /t: ext4 cannot hold its modification time, 1099511627776 s 0 ns
                hint: times from 1901-12-13 to 2446-05-10 are possible
                """)
        let name = try #require(TreePath(normalizing: [UInt8](repeating: 97, count: 256)))
        #expect(try failure([file(name)]) == "error: \(name): its name has 256 bytes; ext4 holds 255")
        let absent = FileNode(
            path: "x", kind: .file(Blob(size: 5, digest: nil, source: .absent), linkGroup: 0),
            metadata: Metadata(mode: 0o644))
        #expect(try failure([absent]) == "error: /x: its content is not at hand, only its digest")
    }

    @Test func oneFileHas65000NamesAtMost() throws {
        let blob = Blob([1])
        let names = (0...65_000).map { number in
            FileNode(
                path: TreePath.root.appending(Array("name\(number)".utf8)), kind: .file(blob, linkGroup: 1),
                metadata: Metadata(mode: 0o644))
        }
        #expect(try failure(names).hasSuffix(": a file in ext4 can have 65000 names, this one has more"))
        let scratch = try Scratch()
        _ = try Ext4Writer.write(
            tree: FileTree(Array(names.dropLast())), to: scratch.file("image"), options: .plain, jobs: 1)
        expectClean(scratch.file("image"))
    }

    @Test(arguments: [100, 2_000_000])
    func aSourceFileOfAnotherSizeStopsTheImage(size: Int) throws {
        let scratch = try Scratch()
        try writeFile([UInt8](repeating: 1, count: size), to: scratch.file("content"), mode: 0o600)
        let blob = Blob(
            size: UInt64(size + 1), digest: nil, source: .file(directory: scratch.path.string, path: "content"))
        let node = FileNode(path: "f", kind: .file(blob, linkGroup: 0), metadata: Metadata(mode: 0o644))
        #expect(
            try failure([node])
                == "error: cannot read the content of /f from \(scratch.file("content")): it has \(size) bytes now, the tree says \(size + 1)"
        )
    }

    @Test func aFileThatIsThereStays() throws {
        let scratch = try Scratch()
        try writeFile([1, 2, 3], to: scratch.file("image"), mode: 0o600)
        #expect(
            try failure([], at: scratch.file("image"))
                == "error: cannot make the image \(scratch.file("image")): File exists")
        #expect(try readFile(at: scratch.file("image")) == [1, 2, 3])
    }

    @Test func aFullDiskIsSaidBeforeAnythingIsWritten() throws {
        let scratch = try Scratch()
        guard getuid() == 0, run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", scratch.path.string]).status == 0
        else { return print("no tmpfs can be mounted: a full disk is not tried") }
        defer { run("umount", [scratch.path.string]) }
        let text = try failure([file("big", [UInt8](repeating: 1, count: 4 << 20))], at: scratch.file("image"))
        let pattern =
            /error: cannot write the image (.*): it takes ([0-9]+) bytes and the disk has ([0-9]+) left\nhint: free at least [0-9]+ bytes, or write to another disk/
        let match = try #require(try pattern.wholeMatch(in: text), "\(text)")
        #expect(match.1 == scratch.file("image").string)
        #expect(UInt64(match.2) ?? 0 > 4 << 20)
    }
}
