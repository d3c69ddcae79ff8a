import CLinux
import Glibc
import RootfsModel
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Ext4

/// Images of machines that were killed are read as they are once the journal is in place, and stay as they are. What
/// e2fsck makes of a copy says how that is.
@Suite struct JournalTests {
    /// Compares what is read of an image with what e2fsck makes of a copy by replaying its journal and nothing else.
    ///
    /// - Returns: what was read from the journal.
    @discardableResult
    private func compareWithRecovery(_ image: FilePath, _ scratch: Scratch) throws -> JournalReplay {
        let before = try readFile(at: image)
        let reader = try Ext4Reader(image)
        let left = try #require(reader.leftMounted)
        let replay = try #require(left.replay)
        let tree = try reader.tree(digesting: true)
        #expect(try readFile(at: image) == before, "the image was changed")
        let recovered = scratch.file("recovered")
        try writeFile(before, to: recovered, mode: 0o600)
        let run = run("e2fsck", ["-fy", "-E", "journal_only", recovered.string])
        #expect(run.status & ~3 == 0, "\(run.output)")
        let other = try Ext4Reader(recovered)
        #expect(other.leftMounted == nil)
        let expected = try other.tree(digesting: true)
        #expect(tree.canonical == expected.canonical, "\(differences(tree.canonical, expected.canonical))")
        #expect(reader.information.uuid == other.information.uuid)
        return replay
    }

    // MARK: journals of the kernel

    /// Mounts a new image, lets `body` work in it, and gives a copy as the disk is at that moment; nil where nothing
    /// can be mounted here. Files that `body` gives are open at that moment.
    private func killedDisk(
        _ scratch: Scratch, _ make: String, _ mount: String, size: String = "24M", _ body: (String) throws -> [Int32]
    ) throws -> FilePath? {
        let (image, root, copy) = (scratch.file("image"), scratch.file("mounted"), scratch.file("killed"))
        let words = make.split(separator: " ").map(String.init)
        let made = run("mke2fs", ["-q", "-F"] + words + [image.string, size])
        guard made.status == 0 else {
            print("no image can be made: \(made.output)")
            return nil
        }
        mkdir(root.string, 0o755)
        let mounted = getuid() == 0 ? run("mount", ["-o", "loop,\(mount)", image.string, root.string]).status : 1
        guard mounted == 0 else {
            print("no image can be mounted: the kernel's journals are not read")
            return nil
        }
        var held: [Int32] = []
        defer {
            for descriptor in held { close(descriptor) }
            // A program that another test starts at this moment has all open files until it is executed.
            var unmounted = run("umount", [root.string])
            for _ in 0..<50 where unmounted.status != 0 {
                usleep(100_000)
                unmounted = run("umount", [root.string])
            }
            #expect(unmounted.status == 0, "\(unmounted.output)")
        }
        held = try body(root.string)
        run("sync", ["-f", root.string])
        try writeFile(readFile(at: image), to: copy, mode: 0o600)
        return copy
    }

    @Test(arguments: [
        ("-t ext4 -b 4096", "data=ordered"), ("-t ext4 -b 1024 -O ^64bit", "data=ordered"),
        ("-t ext3 -b 1024", "data=ordered"), ("-t ext3 -b 4096", "data=journal"),
        ("-t ext4 -b 4096 -O ^metadata_csum", "data=ordered,journal_checksum"),
        ("-t ext4 -b 4096 -O ^metadata_csum,^64bit", "data=writeback,journal_async_commit"),
        ("-t ext4 -b 2048", "data=journal"), ("-t ext4 -b 4096 -O inline_data", "data=journal"),
    ]) func aKilledMachinesDiskIsReadAsItWouldBeRecovered(make: String, mount: String) throws {
        guard hasProgram("mke2fs"), hasProgram("e2fsck") else { return print("e2fsck is missing: not compared") }
        let scratch = try Scratch()
        let image = try killedDisk(scratch, make, mount) { root in
            var random = SeededGenerator(seed: 5)
            for number in 0..<60 {
                mkdir("\(root)/d\(number)", 0o755)
                try writeFile(random.bytes(number * 97), to: FilePath("\(root)/d\(number)/file"), mode: 0o644)
                if number % 20 == 19 { run("sync", ["-f", root]) }
            }
            // Begins as the journal's own blocks do.
            try writeFile(
                [0xc0, 0x3b, 0x39, 0x98] + random.bytes(9000), to: FilePath("\(root)/magic"), mode: 0o600)
            // Directories that are gone are revoked; their blocks become content.
            run("sh", ["-c", "rm -r \(root)/d1*"])
            try writeFile(random.bytes(400_000), to: FilePath("\(root)/reused"), mode: 0o644)
            run("sync", ["-f", root])
            // Orphans: a file without a name, and one that is being cut.
            try writeFile(random.bytes(50_000), to: FilePath("\(root)/unlinked"), mode: 0o600)
            let held = open("\(root)/unlinked", O_RDONLY | O_CLOEXEC)
            unlink("\(root)/unlinked")
            truncate("\(root)/reused", 100_001)
            rename("\(root)/d20", "\(root)/renamed")
            chmod("\(root)/d21", 0o700)
            return [held]
        }
        guard let image else { return }
        let replay = try compareWithRecovery(image, scratch)
        #expect(replay.transactions > 0 && replay.blocks > 0)
        #expect(replay.damaged == nil && !replay.hasFastCommits)
        let reader = try Ext4Reader(image)
        #expect(try reader.node(at: "renamed/file") != nil)
        #expect(try reader.node(at: "unlinked") == nil)
        #expect(try reader.node(at: "d21")?.metadata.mode == 0o700)
        #expect(try reader.readAll("magic").prefix(4) == [0xc0, 0x3b, 0x39, 0x98])
        #expect(try reader.readAll("reused").count == 100_001)
        #expect(
            reader.leftMounted?.text
                == "it was not unmounted; \(replay.transactions) transaction\(replay.transactions == 1 ? "" : "s") of its journal, \(replay.blocks) blocks, are read as if they were in place"
        )
    }

    @Test func aJournalThatCameRoundIsRead() throws {
        guard hasProgram("mke2fs"), hasProgram("e2fsck") else { return print("e2fsck is missing: not compared") }
        let scratch = try Scratch()
        let image = try killedDisk(scratch, "-t ext4 -b 1024 -J size=1", "data=journal") { root in
            var random = SeededGenerator(seed: 6)
            for number in 0..<90 {
                try writeFile(random.bytes(30_000), to: FilePath("\(root)/f\(number % 7)"), mode: 0o644)
                run("sync", ["-f", root])
            }
            return []
        }
        guard let image else { return }
        let replay = try compareWithRecovery(image, scratch)
        #expect(replay.transactions > 1)
        let reader = try Ext4Reader(image)
        #expect(try reader.readAll("f6").count == 30_000)
    }

    @Test func fastCommitsAreLeftOutAndSaid() throws {
        guard hasProgram("mke2fs") else { return print("mke2fs is missing: not tried") }
        let scratch = try Scratch()
        let image = try killedDisk(scratch, "-t ext4 -b 4096 -O fast_commit -J size=8", "data=ordered", size: "48M") {
            root in
            try writeFile([1, 2, 3], to: FilePath("\(root)/first"), mode: 0o644)
            run("sync", ["-f", root])
            return []
        }
        guard let image else { return }
        // The kernel's last full commit has no fast ones behind it: this one is made by hand.
        var bytes = try readFile(at: image)
        let reader = try Ext4Reader(image)
        let inode = try reader.inode(8)
        let runs = try reader.runs(of: inode, at: "<journal>")
        let first = try JournalBytes(bytes: reader.block(runs[0].physical, "it"))
        let superblock = try JournalSuperblock(
            first, blockSize: 4096, available: inode.size / 4096, fail: reader.failure)
        try #require(superblock.end < superblock.length)
        let transactions = try #require(reader.leftMounted?.replay).transactions
        let next = superblock.sequence &+ UInt32(transactions)
        let last = try #require(runs.last { $0.logical <= superblock.end })
        let place = Int(last.physical + UInt64(superblock.end - last.logical)) * 4096
        let tag: [UInt8] = [9, 0, 8, 0, 0, 0, 0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: next >> UInt32($0 * 8)) }
        bytes.replaceSubrange(place..<place + tag.count, with: tag)
        try writeFile(bytes, to: image, mode: 0o600)
        let other = try Ext4Reader(image)
        #expect(other.leftMounted?.replay?.hasFastCommits == true)
        #expect(other.leftMounted?.text.hasSuffix("; the fast commits behind them were left out") == true)
        #expect(try other.readAll("first") == [1, 2, 3])
    }

    // MARK: journals of debugfs, which need no root

    /// An image with a few files, and a journal that debugfs wrote.
    private func journaled(
        _ scratch: Scratch, _ make: String, _ script: (FilePath) throws -> [String]
    ) throws -> FilePath? {
        guard hasProgram("mke2fs"), hasProgram("debugfs"), hasProgram("e2fsck") else {
            print("debugfs is missing: not compared")
            return nil
        }
        let (root, image) = (scratch.file("root"), scratch.file("image"))
        mkdir(root.string, 0o755)
        for number in 0..<5 {
            try writeFile(
                [UInt8](repeating: UInt8(65 + number), count: 3000), to: root.appending("f\(number)"), mode: 0o644)
        }
        let words = make.split(separator: " ").map(String.init)
        let made = run("mke2fs", ["-q", "-F"] + words + ["-d", root.string, image.string, "16M"])
        try #require(made.status == 0, "\(made.output)")
        let commands = scratch.file("commands")
        try writeFile(
            Array(script(image).map { $0 + "\n" }.joined().utf8), to: commands, mode: 0o600)
        let written = run("debugfs", ["-w", "-f", commands.string, image.string])
        try #require(written.status == 0, "\(written.output)")
        return image
    }

    /// The blocks of a file.
    private func blocks(of path: TreePath, in image: FilePath) throws -> [UInt64] {
        let reader = try Ext4Reader(image)
        guard case .extents(_, let extents)? = try reader.node(at: path)?.blob?.source else { return [] }
        return extents.flatMap { extent in
            (0..<(extent.length + UInt64(reader.blockSize) - 1) / UInt64(reader.blockSize)).map {
                extent.source / UInt64(reader.blockSize) + $0
            }
        }
    }

    @Test(arguments: [
        ("-t ext4 -b 1024", ""), ("-t ext4 -b 1024", "-c"), ("-t ext4 -b 1024 -O ^64bit", "-c -v 2"),
        ("-t ext4 -b 4096", "-c -v 3"), ("-t ext3 -b 1024", ""), ("-t ext4 -b 1024 -O 64bit", "-c -v 2"),
    ]) func committedBlocksAreReadAndRevokedOnesAreNot(make: String, open: String) throws {
        let scratch = try Scratch()
        let data = scratch.file("data")
        let size = make.contains("4096") ? 4096 : 1024
        try writeFile([0xc0, 0x3b, 0x39, 0x98] + [UInt8](repeating: 90, count: size - 4), to: data, mode: 0o600)
        let image = try journaled(scratch, make) { image in
            let first = try blocks(of: "f0", in: image)[0]
            let second = try blocks(of: "f1", in: image)[0]
            let third = try blocks(of: "f2", in: image)[0]
            return [
                "jo \(open)", "jw -b \(first),\(second) /dev/zero", "jw -r \(first)", "jw -b \(third) \(data)",
                // Not committed.
                "jw -b \(try blocks(of: "f3", in: image)[0]) -c /dev/zero", "jc",
            ]
        }
        guard let image else { return }
        let replay = try compareWithRecovery(image, scratch)
        #expect(replay.transactions == 3)
        #expect(replay.blocks == 2)
        let reader = try Ext4Reader(image)
        #expect(try reader.readAll("f0") == [UInt8](repeating: 65, count: 3000))
        #expect(try reader.readAll("f1").first == 0)
        #expect(try reader.readAll("f2").prefix(5) == [0xc0, 0x3b, 0x39, 0x98, 90])
        #expect(try reader.readAll("f3") == [UInt8](repeating: 68, count: 3000))
    }

    /// A journal whose transactions go on at its beginning, wherever its end cuts them.
    @Test(arguments: 1014...1023) func transactionsThatGoOnAtTheBeginningAreRead(start: Int) throws {
        let scratch = try Scratch()
        guard let (bytes, at) = try dirtyImage(scratch, "-t ext4 -b 1024 -O ^metadata_csum", "") else { return }
        var moved = bytes
        for index in 1..<1024 {
            let place = at(((index - 1 + start - 1) % 1023 + 1) * 1024)
            moved.replaceSubrange(place..<place + 1024, with: bytes[at(index * 1024)..<at(index * 1024) + 1024])
        }
        let number = [0, 0, UInt8(start >> 8), UInt8(start & 255)]
        moved.replaceSubrange(at(0x1c)..<at(0x20), with: number)
        try writeFile(moved, to: scratch.file("moved"), mode: 0o600)
        let replay = try compareWithRecovery(scratch.file("moved"), scratch)
        #expect(replay == JournalReplay(transactions: 3, blocks: 2, damaged: nil, hasFastCommits: false))
        #expect(try Ext4Reader(scratch.file("moved")).readAll("f2").first == 0)
    }

    @Test func aMachineKilledWithoutAJournalIsSaid() throws {
        let scratch = try Scratch()
        let tree = try NastyTree.make(seed: 4, nodes: 10)
        _ = try Ext4Writer.write(tree: tree, to: scratch.file("image"), options: .plain, jobs: 1)
        #expect(try Ext4Reader(scratch.file("image")).leftMounted == nil)
        guard hasProgram("debugfs") else { return print("debugfs is missing: not tried") }
        run("debugfs", ["-w", "-R", "ssv state 0", scratch.file("image").string])
        let reader = try Ext4Reader(scratch.file("image"))
        #expect(reader.leftMounted == LeftMounted(replay: nil))
        #expect(reader.leftMounted?.text.hasPrefix("it was not unmounted, and has no journal: ") == true)
        #expect(try reader.tree(digesting: true).canonical == tree.canonical)
    }

    // MARK: damage

    private func failure(_ bytes: [UInt8], _ scratch: Scratch) throws -> String {
        try writeFile(bytes, to: scratch.file("damaged"), mode: 0o600)
        let failure = try #require(throws: Failure.self) { _ = try Ext4Reader(scratch.file("damaged")) }
        return failure.message.replacing(scratch.file("damaged").string, with: "IMAGE")
    }

    /// A dirty image in blocks of 1 KiB, and where an offset in its journal is.
    private func dirtyImage(
        _ scratch: Scratch, _ make: String, _ open: String
    ) throws -> (bytes: [UInt8], at: (Int) -> Int)? {
        let image = try journaled(scratch, make) { image in
            let places = try (0..<5).map { try blocks(of: TreePath.root.appending(Array("f\($0)".utf8)), in: image)[0] }
            return [
                "jo \(open)", "jw -b \(places[0]),\(places[1]) /dev/zero", "jw -r \(places[0])",
                "jw -b \(places[2]) /dev/zero", "jc",
            ]
        }
        guard let image else { return nil }
        let reader = try Ext4Reader(image)
        let places = try reader.runs(of: reader.inode(8), at: "<journal>").flatMap { run in
            (0..<UInt64(run.count)).map { Int(run.physical + $0) * 1024 }
        }
        try #require(places.count == 1024)
        return (try readFile(at: image), { places[$0 / 1024] + $0 % 1024 })
    }

    @Test func hostileJournalsAreNamed() throws {
        let scratch = try Scratch()
        guard let (bytes, at) = try dirtyImage(scratch, "-t ext3 -b 1024", "") else { return }
        func changed(_ offset: Int, _ new: [UInt8]) throws -> String {
            var copy = bytes
            copy.replaceSubrange(at(offset)..<at(offset) + new.count, with: new)
            return try failure(copy, scratch)
        }
        #expect(try changed(0, [1, 2, 3, 4]) == "cannot read the image IMAGE: its journal does not begin as one")
        #expect(
            try changed(0x10, [0x7f, 0, 0, 0])
                == "cannot read the image IMAGE: its journal claims 2130706432 blocks and has 1024")
        #expect(
            try changed(0x1c, [0x7f, 0, 0, 0]) == "cannot read the image IMAGE: its journal's first block is damaged")
        #expect(try changed(0x14, [0, 0, 0, 0]) == "cannot read the image IMAGE: its journal's first block is damaged")
        #expect(
            try changed(0x0c, [0, 0, 16, 0])
                == "cannot read the image IMAGE: its journal has blocks of 4096 bytes, the image of 1024")
        #expect(
            try changed(0x28, [0, 0, 1, 0])
                == "cannot read the image IMAGE: its journal has features that are not known: 256")
        // The first descriptor's first block, and the revoked blocks' count.
        #expect(
            try changed(1024 + 12, [0x7f, 0, 0, 0]).hasPrefix(
                "cannot read the image IMAGE: transaction 1 of its journal has block 2130706432, beyond the end"))
        let revocations = try #require(
            (1..<20).first { index in
                let start = at(index * 1024)
                return bytes[start..<start + 8].elementsEqual([0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 5])
            })
        #expect(
            try changed(revocations * 1024 + 12, [0xff, 0xff, 0xff, 0xff])
                == "cannot read the image IMAGE: transaction 2 of its journal has a damaged list of revoked blocks")
    }

    @Test func aJournalInACircleEnds() throws {
        let scratch = try Scratch()
        guard let (bytes, at) = try dirtyImage(scratch, "-t ext4 -b 1024 -O ^metadata_csum", "") else { return }
        var copy = bytes
        // Nothing but descriptors of the first transaction, with no entry that takes a block.
        for index in 1..<1024 {
            let block: [UInt8] = [0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 16]
            copy.replaceSubrange(at(index * 1024)..<at(index * 1024) + block.count, with: block)
        }
        try writeFile(copy, to: scratch.file("circle"), mode: 0o600)
        let reader = try Ext4Reader(scratch.file("circle"))
        let nothing = JournalReplay(transactions: 0, blocks: 0, damaged: nil, hasFastCommits: false)
        #expect(reader.leftMounted?.replay == nothing)
        #expect(try reader.readAll("f0") == [UInt8](repeating: 65, count: 3000))
    }

    @Test func blocksThatDoNotMatchTheirChecksumsAreNamed() throws {
        let scratch = try Scratch()
        guard let (bytes, at) = try dirtyImage(scratch, "-t ext4 -b 1024", "-c -v 3") else { return }
        func changed(_ offset: Int) throws -> String {
            var copy = bytes
            copy[at(offset)] ^= 1
            return try failure(copy, scratch)
        }
        #expect(
            try changed(0x50 + 100)
                == "cannot read the image IMAGE: its journal's first block does not match its checksum")
        #expect(
            try changed(1024 + 900)
                == "cannot read the image IMAGE: transaction 1 of its journal does not match its checksum")
        #expect(
            try changed(3 * 1024 + 5).hasSuffix("in transaction 1 of its journal does not match its checksum"))
        // A commit block that was not written whole: it and what follows were never committed.
        var copy = bytes
        copy[at(4 * 1024 + 0x30)] ^= 0x40
        try writeFile(copy, to: scratch.file("torn"), mode: 0o600)
        let reader = try Ext4Reader(scratch.file("torn"))
        #expect(reader.leftMounted?.replay?.damaged == 1)
        #expect(reader.leftMounted?.text.hasSuffix("; transaction 1 is damaged and was left out") == true)
        #expect(try reader.readAll("f1") == [UInt8](repeating: 66, count: 3000))
    }

    @Test(arguments: [("-t ext3 -b 1024 -N 64", ""), ("-t ext4 -b 1024 -N 64 -O ^metadata_csum", "-c -v 3")])
    func flippedBitsInAJournalEndInAFailureOrATree(make: String, open: String) throws {
        let scratch = try Scratch()
        guard let (bytes, at) = try dirtyImage(scratch, make, open) else { return }
        var failures = 0
        for seed in UInt64(1)..<150 {
            var random = SeededGenerator(seed: seed)
            var copy = bytes
            for _ in 0..<1 + random.below(6) {
                // The superblock's fields, and the transactions.
                let place = at(random.below(3) == 0 ? random.below(0x60) : 1024 + random.below(10 * 1024))
                copy[place] = random.below(2) == 0 ? UInt8(random.below(256)) : copy[place] ^ 1
            }
            try writeFile(copy, to: scratch.file("damaged"), mode: 0o600)
            do {
                _ = try Ext4Reader(scratch.file("damaged")).tree(digesting: true)
            } catch is Failure {
                failures += 1
            }
        }
        #expect(failures > 5)
    }
}
