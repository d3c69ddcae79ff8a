import Glibc
import RootfsModel
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Ext4

/// What gets into an image is what the tree's digests say, however a file lies in it.
@Suite struct ContentCheckTests {
    /// Files of all sizes around a block, a segment and the threshold of large files; some with holes.
    private func contents(_ generator: inout SeededGenerator) -> [[UInt8]] {
        let fixed = [1, 4095, 4096, 4097, 700_000, 1_048_575, 1_048_576, 1_048_577, 2_500_000]
        let sizes = fixed + (0..<12).map { _ in Int.random(in: 1...600_000, using: &generator) }
        return sizes.map { size in
            var bytes = [UInt8](repeating: 0, count: size)
            for index in stride(from: 0, to: size, by: 97) {
                bytes[index] = UInt8.random(in: 1...255, using: &generator)
            }
            // A hole in the middle, and one at the end of every other.
            if size > 1 << 20 {
                for index in 300_000..<700_000 { bytes[index] = 0 }
                if size % 2 == 0 { for index in 900_000..<size { bytes[index] = 0 } }
            }
            return bytes
        }
    }

    private func tree(_ contents: [[UInt8]], digests: [Digest], in directory: FilePath) throws -> FileTree {
        let nodes = try contents.indices.map { index in
            let path = try #require(TreePath(normalizing: "f\(index)"))
            let blob = Blob(
                size: UInt64(contents[index].count), digest: digests[index],
                source: .file(directory: directory.string, path: path))
            return FileNode(path: path, kind: .file(blob, linkGroup: 0), metadata: Metadata(mode: 0o644))
        }
        return try FileTree(nodes)
    }

    /// Writes a file whose zero blocks are holes of the host's file.
    private func writeSparse(_ bytes: [UInt8], to path: FilePath) {
        let descriptor = open(path.string, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        ftruncate(descriptor, off_t(bytes.count))
        for start in stride(from: 0, to: bytes.count, by: 4096) {
            let block = bytes[start..<min(start + 4096, bytes.count)]
            if block.allSatisfy({ $0 == 0 }) { continue }
            block.withUnsafeBytes { _ = pwrite(descriptor, $0.baseAddress, $0.count, off_t(start)) }
        }
        close(descriptor)
    }

    @Test(arguments: [1, 3])
    func aByteThatIsNotTheDigestsIsRefusedInEveryFile(jobs: Int) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let scratch = try Scratch()
        let contents = contents(&generator)
        let digests = contents.map { Digest(hashing: $0) }
        for (index, bytes) in contents.enumerated() { writeSparse(bytes, to: scratch.file("f\(index)")) }
        let tree = try tree(contents, digests: digests, in: scratch.path)
        _ = try Ext4Writer.write(tree: tree, to: scratch.file("sound"), options: .plain, jobs: jobs)

        for index in contents.indices {
            var damaged = contents[index]
            let place = Int.random(in: damaged.indices, using: &generator)
            damaged[place] ^= 1 << UInt8.random(in: 0...7, using: &generator)
            writeSparse(damaged, to: scratch.file("f\(index)"))
            let image = scratch.file("damaged")
            let failure = #expect(throws: Failure.self, "byte \(place) of \(damaged.count)") {
                _ = try Ext4Writer.write(tree: tree, to: image, options: .plain, jobs: jobs)
            }
            #expect(
                failure?.description == """
                    error: the content of /f\(index) is not what the tree says
                      it should have the digest \(digests[index])
                      it has \(Digest(hashing: damaged))
                    hint: it was changed since the tree was made, or is damaged: make the tree again from its source
                    """)
            #expect(access(image.string, F_OK) != 0)
            writeSparse(contents[index], to: scratch.file("f\(index)"))
        }
    }

    @Test(arguments: [1, 3])
    func aTreeWhoseTraitsAreKnownGivesTheSameImageAndRefusesDamage(jobs: Int) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let scratch = try Scratch()
        // One that is all hole, besides.
        let contents = contents(&generator) + [[UInt8](repeating: 0, count: 1_200_000)]
        for (index, bytes) in contents.enumerated() { writeSparse(bytes, to: scratch.file("f\(index)")) }
        let plain = try tree(contents, digests: contents.map { Digest(hashing: $0) }, in: scratch.path)
        var known = plain
        known.updateEach { node in
            guard case .file(var blob, let group) = node.kind, let index = Int("\(node.path)".dropFirst(2)) else {
                return
            }
            var taker = ContentTraitsTaker()
            contents[index].withUnsafeBytes { bytes in
                var start = 0
                while start < bytes.count {
                    let end = min(bytes.count, start + Int.random(in: 1...50_000, using: &generator))
                    taker.update(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
                    start = end
                }
            }
            blob.traits = taker.finish()
            node.kind = .file(blob, linkGroup: group)
        }
        let sound = try Ext4Writer.write(tree: plain, to: scratch.file("plain"), options: .plain, jobs: jobs)
        let same = try Ext4Writer.write(tree: known, to: scratch.file("known"), options: .plain, jobs: jobs)
        #expect(sound == same)
        try Ext4Writer.writeWithoutDigest(tree: known, to: scratch.file("bare"), options: .plain, jobs: jobs)
        #expect(try digest(of: scratch.file("bare")) == sound.digest)

        for index in contents.indices {
            var damaged = contents[index]
            let place = Int.random(in: damaged.indices, using: &generator)
            damaged[place] ^= 1 << UInt8.random(in: 0...7, using: &generator)
            writeSparse(damaged, to: scratch.file("f\(index)"))
            let image = scratch.file("damaged")
            do {
                // What lies in a hole is not read: then the image is what it was.
                let written = try Ext4Writer.write(tree: known, to: image, options: .plain, jobs: jobs)
                #expect(written == sound && contents[index].count >= 1 << 20 && contents[index][place] == 0)
                unlink(image.string)
            } catch let failure as Failure {
                #expect(failure.message == "the content of /f\(index) is not what the tree says")
            }
            #expect(access(image.string, F_OK) != 0)
            writeSparse(contents[index], to: scratch.file("f\(index)"))
        }
    }

    private func digest(of path: FilePath) throws -> Digest {
        let name = try #require(TreePath(normalizing: path.lastComponent?.string ?? ""))
        var status = stat()
        stat(path.string, &status)
        return try Blob(
            size: UInt64(status.st_size), digest: nil,
            source: .file(directory: path.removingLastComponent().string, path: name)
        ).takeDigest()
    }
}
