import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import Ext4

/// What a change of the tree changes of the image, at fixed places (docs/layout.md).
@Suite struct LayoutTests {
    private static let now: Int64 = 1_700_000_000

    /// Some 40 MiB in 1,500 files, with content of their own.
    private static func files() -> [FileNode] {
        var chance = Chance(seed: 11)
        return (0..<1_500).map { number in
            let large = number % 60 == 0
            let size = Int(chance.next() % (large ? 1 << 20 : 1 << 15))
            return file("usr/d\(number % 40)/f\(number)", size: size, seed: UInt64(number), time: now - Int64(number))
        }
    }

    private struct Chance {
        var word: UInt64
        init(seed: UInt64) { word = seed }
        mutating func next() -> UInt64 {
            word = StablePlaces.mixed(word)
            return word
        }
    }

    private static func file(_ path: String, size: Int, seed: UInt64, time: Int64 = now) -> FileNode {
        var chance = Chance(seed: seed)
        var bytes = [UInt8]()
        bytes.reserveCapacity(size)
        while bytes.count < size {
            withUnsafeBytes(of: chance.next()) { bytes.append(contentsOf: $0.prefix(size - bytes.count)) }
        }
        return FileNode(
            path: TreePath(normalizing: path) ?? .root, kind: .file(Blob(bytes), linkGroup: 0),
            metadata: Metadata(mode: 0o644, mtime: Timestamp(seconds: time)))
    }

    private static func tree(_ files: [FileNode]) throws -> FileTree {
        let metadata = Metadata(mode: 0o755, mtime: Timestamp(seconds: now))
        let directories = ["usr", "opt"] + (0..<40).map { "usr/d\($0)" }
        var change = TreeChange()
        change.puts = directories.compactMap { TreePath(normalizing: $0) }.map {
            FileNode(path: $0, kind: .directory, metadata: metadata)
        }
        change.puts += files
        return try FileTree(root: metadata).applying(change)
    }

    private func image(_ files: [FileNode], free: UInt64 = 20 << 20) throws -> [UInt8] {
        let tree = try Self.tree(files)
        var options = Ext4Options.plain
        options.identity = .derived(from: Digest(hashing: try Listing.bytes(of: tree)))
        options.size = .free(bytes: free)
        let scratch = try Scratch()
        _ = try Ext4Writer.write(tree: tree, to: scratch.file("image"), options: options, jobs: 2)
        expectClean(scratch.file("image"))
        return try readFile(at: scratch.file("image"))
    }

    /// Bytes in blocks that are other than before; the shorter image is as if zeros followed.
    private func changed(_ old: [UInt8], _ new: [UInt8]) -> Int {
        let zeros = [UInt8](repeating: 0, count: abs(old.count - new.count))
        let (left, right) = (old + (old.count < new.count ? zeros : []), new + (new.count < old.count ? zeros : []))
        return stride(from: 0, to: left.count, by: 4096).count { start in
            left[start..<min(start + 4096, left.count)] != right[start..<min(start + 4096, left.count)]
        } * 4096
    }

    @Test func anUpdateLeavesFilesWhereTheyAre() throws {
        let files = Self.files()
        let before = try image(files)
        for number in [0, 60, 120] {
            guard let size = files[number].blob?.size else { continue }
            var updated = files
            updated[number] = Self.file(
                "usr/d\(number % 40)/f\(number)", size: Int(size), seed: 77, time: Self.now + 1_000_000)
            #expect(changed(before, try image(updated)) < Int(size) + 16 * 4096)
        }
    }

    /// Where a new file goes, and so what it moves, is chance: what counts is how much several move.
    @Test func newFilesLeaveTheOthersWhereTheyAre() throws {
        let before = try image(Self.files())
        let counts = try (0..<3).map { number in
            let new = Self.file("opt/new\(number)", size: 2 << 20, seed: 99)
            return changed(before, try image(Self.files() + [new]))
        }
        let most: Int = 3 * (8 << 20)
        #expect(counts.reduce(0, +) < most, "\(counts) of \(before.count) bytes")
    }

    @Test func aFileLessLeavesTheOthersWhereTheyAre() throws {
        let files = Self.files()
        let before = try image(files)
        for number in [0, 60, 120] {
            guard let size = files[number].blob?.size else { continue }
            let rest = Array(files[..<number] + files[(number + 1)...])
            #expect(changed(before, try image(rest)) < 3 * Int(size) + (2 << 20))
        }
    }

    @Test func aFileThatGrowsMovesItsBundleAtMost() throws {
        var files = Self.files()
        let before = try image(files)
        files[700] = Self.file("usr/d20/f700", size: Int(files[700].blob?.size ?? 0) + 4096, seed: 700)
        #expect(changed(before, try image(files)) < 1 << 20)
    }

    @Test func aModeChangesItsInodeAlone() throws {
        var files = Self.files()
        let before = try image(files)
        files[700].metadata.mode = 0o600
        // Its block of inodes, the superblock and the group's descriptor with their checksums, and a copy of both.
        #expect(changed(before, try image(files)) <= 8 * 4096)
    }

    /// What finds no place by name has one all the same.
    @Test func anImageWithoutFreeSpaceHoldsEverything() throws {
        let files = Self.files()
        let full = try image(files, free: 0)
        let roomy = try image(files)
        #expect(full.count < roomy.count)
        let content = files.reduce(0) { $0 + Int((($1.blob?.size ?? 0) + 4095) / 4096) * 4096 }
        #expect(full.count < content * 103 / 100)
    }

    @Test func aPlaceStaysWhenThereAreMore() {
        for seed in 0..<1_000 as Range<UInt64> {
            let places = (1...200).map { StablePlaces.consistentPlace(of: StablePlaces.mixed(seed), below: $0) }
            for (count, place) in zip(1..., places) {
                #expect(place < count)
                if count > 1, place != places[count - 2] { #expect(place == count - 1) }
            }
        }
    }
}
