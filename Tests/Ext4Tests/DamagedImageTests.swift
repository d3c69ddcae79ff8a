import CLinux
import Glibc
import RootfsModel
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Ext4

/// Whatever an image holds, reading it ends, and with a failure where something is wrong.
@Suite struct DamagedImageTests {
    private func failure(_ bytes: [UInt8]) throws -> String {
        let scratch = try Scratch()
        try writeFile(bytes, to: scratch.file("image"), mode: 0o600)
        let failure = try #require(throws: Failure.self) {
            _ = try Ext4Reader(scratch.file("image")).tree(digesting: true)
        }
        return failure.description.replacing(scratch.file("image").string, with: "IMAGE")
    }

    private func image(seed: UInt64 = 4) throws -> [UInt8] {
        let scratch = try Scratch()
        let tree = try NastyTree.make(seed: seed, nodes: 40)
        _ = try Ext4Writer.write(tree: tree, to: scratch.file("image"), options: .plain, jobs: 1)
        return try readFile(at: scratch.file("image"))
    }

    @Test func whatIsNoImageIsSaid() throws {
        #expect(try failure([]) == "error: cannot read the image IMAGE: it is no ext2, ext3 or ext4 file system")
        #expect(
            try failure([UInt8](repeating: 7, count: 100_000))
                == "error: cannot read the image IMAGE: it is no ext2, ext3 or ext4 file system")
        var bytes = try image()
        bytes.replaceSubrange(1024..<2048, with: [UInt8](repeating: 0, count: 1024))
        #expect(try failure(bytes) == "error: cannot read the image IMAGE: it is no ext2, ext3 or ext4 file system")
        let missing = #expect(throws: Failure.self) { _ = try Ext4Reader("/nonexistent/image") }
        #expect(missing?.description == "error: cannot read the image /nonexistent/image: No such file or directory")
    }

    @Test func anImageThatIsCutOffIsSaid() throws {
        let bytes = try image()
        for part in [2048, 4096, bytes.count / 2, bytes.count - 1] {
            #expect(
                try failure(Array(bytes.prefix(part)))
                    == "error: cannot read the image IMAGE: it is cut off, \(part) of \(bytes.count) bytes are there")
        }
    }

    @Test func whatCannotBeReadIsLeftOutAndTheRestIsThere() throws {
        let scratch = try Scratch()
        let tree = try NastyTree.make(seed: 4, nodes: 40)
        _ = try Ext4Writer.write(tree: tree, to: scratch.file("image"), options: .plain, jobs: 1)
        let whole = try Ext4Reader(scratch.file("image")).readableTree(digesting: true)
        #expect(whole.tree.canonical == tree.canonical)
        #expect(whole.damage.isEmpty)
        let bytes = try readFile(at: scratch.file("image"))
        var left = Set<Int>()
        for seed in UInt64(1)..<60 {
            var random = SeededGenerator(seed: seed)
            var damaged = bytes
            for _ in 0..<4 { damaged[2048 + random.below(120_000)] ^= 1 << UInt8(random.below(8)) }
            try writeFile(damaged, to: scratch.file("image"), mode: 0o600)
            guard let result = try? Ext4Reader(scratch.file("image")).readableTree(digesting: true) else { continue }
            if result.damage.isEmpty { continue }
            left.insert(result.tree.nodes.count)
            #expect(result.damage.allSatisfy { $0.message.hasPrefix("cannot read") }, "seed \(seed): \(result.damage)")
        }
        #expect(left.contains { $0 > 20 }, "\(left)")
    }

    @Test func directoriesInACircleAreSaid() throws {
        guard hasProgram("debugfs"), hasProgram("mke2fs") else { return print("debugfs is missing: not tried") }
        let scratch = try Scratch()
        let image = scratch.file("image").string
        run("mke2fs", ["-q", "-F", "-t", "ext2", image, "4M"])
        run("debugfs", ["-w", "-R", "mkdir /a", image])
        run("debugfs", ["-w", "-R", "ln <2> /a/up", image])
        #expect(
            try failure(readFile(at: scratch.file("image")))
                == "error: cannot read the image IMAGE: the directory /a/up has two names: its directories run in a circle"
        )
    }

    /// Flips a few bits in an image's first blocks, where the metadata is, and reads all of it.
    private func flip(_ original: [UInt8], seeds: Range<UInt64>, reach: Int, digesting: Bool) throws -> Int {
        let scratch = try Scratch()
        var failures = 0
        let start = ContinuousClock.now
        for seed in seeds {
            var random = SeededGenerator(seed: seed)
            var bytes = original
            for _ in 0..<1 + random.below(8) {
                bytes[1024 + random.below(min(reach, bytes.count - 1024))] ^= 1 << UInt8(random.below(8))
            }
            let path = scratch.file("image")
            try writeFile(bytes, to: path, mode: 0o600)
            do {
                let reader = try Ext4Reader(path)
                _ = reader.information
                _ = try reader.tree(digesting: digesting)
            } catch is Failure {
                failures += 1
            }
        }
        let took = ContinuousClock.now - start
        #expect(took < .seconds(240), "\(seeds) took \(took)")
        return failures
    }

    @Test func flippedBitsInOurImagesAreFound() throws {
        let image = try image()
        let failures = try flip(image, seeds: 1..<150, reach: 120_000, digesting: true)
        // Checksums cover all of it but unused blocks.
        #expect(failures > 50)
    }

    /// Images without checksums: the reader's own checks must hold.
    @Test(arguments: [
        "-t ext2 -b 1024 -N 64", "-t ext4 -b 1024 -N 64 -O ^metadata_csum,^has_journal,^resize_inode",
        "-t ext4 -b 1024 -I 256 -N 64 -O ^metadata_csum,^has_journal,^resize_inode,inline_data",
    ])
    func flippedBitsElsewhereEndInAFailureOrATree(arguments: String) throws {
        guard hasProgram("mke2fs") else { return print("mke2fs is missing: its images are not damaged") }
        let scratch = try Scratch()
        let root = scratch.file("root")
        mkdir(root.string, 0o755)
        mkdir(root.appending("d").string, 0o755)
        var random = SeededGenerator(seed: 3)
        for number in 0..<12 {
            let path = root.appending("d/file \(number)")
            try writeFile(random.bytes(number * 3000 + 100), to: path, mode: 0o644)
            setxattr(path.string, "user.a", random.bytes(100), 100, 0)
            symlink(String(repeating: "x", count: number * 40 + 1), root.appending("link \(number)").string)
        }
        // Pieces far apart make a tree of extents.
        let descriptor = open(root.appending("sparse").string, O_RDWR | O_CREAT, 0o644)
        for index in 0..<20 { _ = pwrite(descriptor, "x", 1, off_t(index * 40_000)) }
        close(descriptor)
        let image = scratch.file("image")
        let made = run(
            "mke2fs",
            ["-q", "-F"] + arguments.split(separator: " ").map(String.init) + ["-d", root.string, image.string, "1M"])
        try #require(made.status == 0, "\(made.output)")
        let original = try readFile(at: image)
        #expect(try Ext4Reader(image).tree(digesting: true).nodes.count == 27)
        let failures = try flip(original, seeds: 1..<400, reach: 60_000, digesting: false)
        #expect(failures > 20)
    }
}
