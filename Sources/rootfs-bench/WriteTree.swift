import ArgumentParser
import Ext4
import FoundationEssentials
import Glibc
import RootfsModel
import Storage
import SystemPackage

/// Writes a directory as an image, and prints what the writing took: scanning comes before, as in a build, where the
/// tree and the traits of its files are known.
struct WriteTree: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write-tree", abstract: "Write a directory as an ext4 image and print the step as JSON.",
        shouldDisplay: false)

    @Option var tree: String
    @Option var image: String
    @Flag(inversion: .prefixedNo, help: "Take the image's own SHA-256, which other tools do not.") var digest = true

    func run() throws {
        var scanned = try scanDirectory(FilePath(tree), digesting: false)
        try scanned.updateEach { node in
            guard case .file(var blob, let group) = node.kind else { return }
            blob.traits = try traits(of: blob)
            node.kind = .file(blob, linkGroup: group)
        }
        let options = Ext4Options(
            identity: .derived(from: Digest(hashing: "bench")), moment: 1_700_000_000, size: .free(bytes: 512 << 20))
        var steps = Steps()
        let jobs = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        try steps.run("write") {
            if digest {
                _ = try Ext4Writer.write(tree: scanned, to: FilePath(image), options: options, jobs: jobs)
            } else {
                try Ext4Writer.writeWithoutDigest(tree: scanned, to: FilePath(image), options: options, jobs: jobs)
            }
        }
        print(String(decoding: try JSONEncoder().encode(steps.all[0]), as: UTF8.self))
    }

    private func traits(of blob: Blob) throws -> ContentTraits {
        let reader = try BlobReader(blob)
        var taker = ContentTraitsTaker()
        var buffer = [UInt8](repeating: 0, count: Int(min(blob.size, 1 << 20)))
        var offset: UInt64 = 0
        while offset < blob.size {
            let count = min(blob.size - offset, UInt64(buffer.count))
            try buffer.withUnsafeMutableBytes { buffer in
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(count)])
                try reader.read(into: part, at: offset)
                taker.update(UnsafeRawBufferPointer(part))
            }
            offset += count
        }
        return taker.finish()
    }
}
