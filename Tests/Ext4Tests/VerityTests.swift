import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing
import Verity

@testable import Ext4

@Suite struct VerityTests {
    private struct Verified {
        let scratch: Scratch
        let file: FilePath
        let image: Ext4Image
        let tree: HashTree

        init(_ tree: FileTree, jobs: Int = 2) throws {
            scratch = try Scratch()
            file = scratch.file("image")
            var options = Ext4Options.plain
            options.isReadOnly = true
            options.verity = VerityIdentity(derivedFrom: Digest(hashing: "a tree"))
            image = try Ext4Writer.write(tree: tree, to: file, options: options, jobs: jobs)
            self.tree = try #require(image.hashTree)
        }

        /// What veritysetup says of it: its status and its words.
        func veritysetup(root: String) -> (status: Int32, output: String) {
            run(
                "veritysetup",
                ["verify", "--hash-offset=\(tree.dataBlocks * 4096)", file.string, file.string, root])
        }

        /// Turns one bit over.
        func flip(at offset: UInt64) throws {
            let descriptor = open(file.string, O_RDWR)
            defer { close(descriptor) }
            var byte: UInt8 = 0
            #expect(pread(descriptor, &byte, 1, off_t(offset)) == 1)
            byte ^= 0x10
            #expect(pwrite(descriptor, &byte, 1, off_t(offset)) == 1)
        }

        /// What our own reading finds.
        func damage(_ expected: Digest) throws -> [VerityDamage] {
            let bytes = try readFile(at: file)
            let size = Int(tree.dataBlocks) * 4096
            let made = try HashTree(
                leaves: tree.identity.hashes(of: Array(bytes[..<size])), identity: tree.identity)
            return made.damage(in: Array(bytes[size...]), rootHash: expected)
        }
    }

    @Test func theTreeIsBehindTheFileSystemAndInTheDigest() throws {
        let verified = try Verified(NastyTree.make(seed: 5))
        let bytes = try readFile(at: verified.file)
        let size = Int(verified.image.blocks) * 4096
        #expect(verified.tree.dataBlocks == verified.image.blocks)
        #expect(verified.image.size == UInt64(bytes.count))
        #expect(UInt64(bytes.count - size) == HashTree.size(dataBlocks: verified.image.blocks))
        #expect(verified.image.digest == Digest(hashing: bytes))
        #expect(Array(bytes[size...]) == verified.tree.bytes)
        #expect(
            VeritySuperblock(Array(bytes[size...]))
                == VeritySuperblock(verified.tree.bytes))
        expectClean(verified.file)
    }

    @Test func jobsChangeNoHash() throws {
        let tree = try NastyTree.make(seed: 8, nodes: 300)
        #expect(Set(try [1, 2, 5].map { try Verified(tree, jobs: $0).image.digest }).count == 1)
    }

    /// The root hash goes into command lines that others keep: it is a promise.
    @Test func theRootHashOfASmallImageIsPinned() throws {
        let root = try Verified(NastyTree.pinned()).tree.rootHash.hex
        #expect(root == "107919da63ad99ef48c54d4e18dd47e4dd09e0d282a641c1106805d8486b799d")
    }

    @Test(.enabled(if: hasProgram("veritysetup"), "needs veritysetup (cryptsetup-bin)"))
    func veritysetupAgreesAndMakesTheSame() throws {
        for seed in [1, 2, 3] {
            // Three levels: more than 128 × 128 blocks.
            let large = FileNode(
                path: "large", kind: .file(Blob([UInt8](repeating: UInt8(seed), count: 70 << 20)), linkGroup: 0),
                metadata: Metadata(mode: 0o644))
            let nasty = try NastyTree.make(seed: UInt64(seed))
            let verified = try Verified(seed == 3 ? nasty.applying(TreeChange(puts: [large])) : nasty)
            let root = verified.tree.rootHash.hex
            let checked = verified.veritysetup(root: root)
            #expect(checked.status == 0, "\(checked.output)")
            let other = verified.veritysetup(root: String(root.reversed()))
            #expect(other.status != 0)

            let copy = verified.scratch.file("copy")
            let size = verified.tree.dataBlocks * 4096
            run("cp", [verified.file.string, copy.string])
            run("truncate", ["-s", String(size), copy.string])
            let made = run(
                "veritysetup",
                [
                    "format", "--hash-offset=\(size)", "--salt=\(hexText(verified.tree.identity.salt))",
                    "--uuid=\(verified.tree.identity.uuidText)", copy.string, copy.string,
                ])
            #expect(made.status == 0, "\(made.output)")
            #expect(run("cmp", [verified.file.string, copy.string]).status == 0)
        }
    }

    @Test func everyFlippedBitIsFoundWhereItIs() throws {
        let verified = try Verified(NastyTree.make(seed: 4, nodes: 200))
        let root = verified.tree.rootHash
        let blocks = verified.tree.dataBlocks
        #expect(try verified.damage(root) == [])
        let data = blocks / 2
        let places: [(UInt64, VerityDamage)] = [
            (data * 4096 + 77, .data(block: data)),
            ((blocks - 1) * 4096 + 4095, .data(block: blocks - 1)),
            (blocks * 4096 + 20, .superblock),
            (verified.image.size - 4096, .tree(level: 0, block: UInt64(verified.tree.bytes.count / 4096 - 3))),
        ]
        #expect(verified.tree.bytes.count > 3 * 4096)
        for (offset, damage) in places {
            try verified.flip(at: offset)
            #expect(try verified.damage(root) == [damage])
            // The superblock's UUID is under no hash.
            if hasProgram("veritysetup"), damage != .superblock {
                #expect(verified.veritysetup(root: root.hex).status != 0)
            }
            try verified.flip(at: offset)
        }
        let other = Digest(hashing: "other")
        #expect(try verified.damage(other) == [.rootHash(root)])
    }

    @Test func aTreeOverWhatIsWrittenToIsRefused() throws {
        var options = Ext4Options.plain
        options.verity = VerityIdentity(derivedFrom: Digest(hashing: "a tree"))
        #expect(throws: Failure("a hash tree over a file system that is written to would soon be wrong")) {
            try Ext4Writer.write(tree: FileTree(), to: Scratch().file("image"), options: options, jobs: 1)
        }
    }
}
