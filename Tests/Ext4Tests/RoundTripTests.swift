import Glibc
import RootfsModel
import SystemPackage
import Testing

@testable import Ext4

@Suite struct RoundTripTests {
    @Test(arguments: UInt64(1)...UInt64(12))
    func readingWhatWasWrittenGivesTheTree(seed: UInt64) throws {
        let scratch = try Scratch()
        let tree = try NastyTree.make(seed: seed)
        var options = Ext4Options.plain
        if seed % 3 == 1 { options.size = .free(bytes: 8 << 20) }
        if seed % 3 == 2 { options.isReadOnly = true }
        if seed % 4 == 1 { options.journal = 4 }
        if seed % 5 == 1 { options.size = .fixed(bytes: 64 << 20) }
        let image = try Ext4Writer.write(tree: tree, to: scratch.file("image"), options: options, jobs: 2)
        expectClean(scratch.file("image"))
        let reader = try Ext4Reader(scratch.file("image"))
        let read = try reader.tree(digesting: true)
        #expect(read.canonical == tree.canonical, "seed \(seed): \(differences(read.canonical, tree.canonical))")
        let again = try Ext4Writer.write(tree: read, to: scratch.file("again"), options: options, jobs: 1)
        #expect(again == image, "an image of the tree read from an image is the same image")
    }
}
