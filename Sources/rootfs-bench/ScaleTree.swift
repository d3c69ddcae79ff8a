import ArgumentParser
import Ext4
import FoundationEssentials
import Normalization
import RootfsModel
import Storage
import SystemPackage

/// The steps of a tree of one size, in a process of their own: what one size leaves in memory is not the next one's.
struct ScaleTree: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale-tree", abstract: "Run the steps of a tree of one size and print them as JSON.",
        shouldDisplay: false)

    @Option var paths: Int
    @Option var work: String
    @Option var jobs = 2

    func run() throws {
        let directory = FilePath(work)
        let source = directory.appending("tree")
        let image = directory.appending("image")
        var steps = Steps()
        try steps.run("generate") { try GeneratedTree(paths: paths).write(to: source) }
        _ = try steps.run("scan") { try scanDirectory(source, digesting: false) }
        var tree = try steps.run("scan and hash") { try scanDirectory(source, digesting: true) }
        let change = steps.run("change: make") { self.change(of: tree) }
        let placed = steps.run("change: place") { change.placed(in: tree) }
        tree = try steps.run("change: apply") { try tree.applying(placed) }
        try steps.run("normalise") {
            let moment = Timestamp(seconds: 1_700_000_000)
            tree = try Normalization.normalise(tree, moment: moment, read: { try $0.readAll() }).tree
        }
        let listing = try steps.run("listing: write") { try Listing.bytes(of: tree) }
        try steps.run("listing: read") {
            let parsed = try Listing.parse(listing, name: "listing")
            guard parsed.nodes.count == tree.nodes.count else { throw Failure("the listing lost paths") }
        }
        let options = Ext4Options(
            identity: .derived(from: Digest(hashing: listing)), moment: 1_700_000_000, size: .free(bytes: 1 << 20))
        _ = try steps.run("ext4: write") {
            try Ext4Writer.write(tree: tree, to: image, options: options, jobs: jobs)
        }
        // What was written is not in memory when an image is read.
        tree = FileTree()
        let reader = try Ext4Reader(image)
        let read = try steps.run("ext4: read and hash") { try reader.tree(digesting: true) }
        try steps.run("compare") {
            guard try Listing.bytes(of: read) == listing else {
                throw Failure("the image does not read back as what was written")
            }
        }
        try steps.run("ext4: one path of the large directory") {
            guard try reader.node(at: "var/lib/many/file-number-10.txt") != nil else {
                throw Failure("the image lost a path")
            }
        }
        print(String(decoding: try JSONEncoder().encode(steps.all), as: UTF8.self))
    }

    /// Every tenth path goes, every tenth gets another mode, and as many are new.
    private func change(of tree: FileTree) -> TreeChange {
        var change = TreeChange()
        var puts = [FileNode]()
        for (index, node) in tree.nodes.enumerated() where !node.isDirectory {
            switch index % 10 {
            case 0 where node.linkGroup == 0: change.removals.append(node.path)
            case 1 where node.linkGroup == 0:
                var changed = node
                changed.metadata.mode = 0o600
                puts.append(changed)
            case 2:
                let blob = Blob(Array("new \(index)\n".utf8))
                puts.append(
                    FileNode(
                        path: ("opt/new/" as TreePath).appending("number-\(index)".utf8),
                        kind: .file(blob, linkGroup: 0),
                        metadata: node.metadata))
            default: break
            }
        }
        return TreeChange(puts: puts, removals: change.removals)
    }
}
