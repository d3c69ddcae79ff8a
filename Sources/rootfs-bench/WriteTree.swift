import ArgumentParser
import Ext4
import FoundationEssentials
import Glibc
import RootfsModel
import Storage
import SystemPackage

/// Writes a directory as an image, and prints what the writing took: scanning comes before, as in a build, where the tree
/// is known.
struct WriteTree: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write-tree", abstract: "Write a directory as an ext4 image and print the step as JSON.",
        shouldDisplay: false)

    @Option var tree: String
    @Option var image: String
    @Flag(inversion: .prefixedNo) var digests = true

    func run() throws {
        let scanned = try scanDirectory(FilePath(tree), digesting: digests)
        let options = Ext4Options(
            identity: .derived(from: Digest(hashing: "bench")), moment: 1_700_000_000, size: .free(bytes: 512 << 20))
        var steps = Steps()
        _ = try steps.run("write") {
            try Ext4Writer.write(
                tree: scanned, to: FilePath(image), options: options, jobs: sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        }
        print(String(decoding: try JSONEncoder().encode(steps.all[0]), as: UTF8.self))
    }
}
