internal import Ext4
internal import Normalization
internal import Recipes
internal import RootfsModel
internal import Storage
internal import SystemPackage
internal import Verity

/// A tree on its way into an image: times clamped, content counted, listed and hashed.
struct FinishedTree {
    let tree: FileTree
    let listing: [UInt8]
    let contentHash: Digest
    /// What clamping the times changed.
    let reports: [RuleReport]

    init(_ tree: FileTree, moment: Timestamp, kept: Set<String>) throws {
        let rules = kept.contains(Normalization.times.id) ? [] : [Normalization.times]
        var (tree, reports) = try Normalization.normalise(
            tree, by: rules, moment: moment, read: { try $0.readAll() })
        try tree.updateEach { node in
            if case .file(var blob, let group) = node.kind, blob.digest == nil {
                blob.digest = try blob.takeDigest()
                node.kind = .file(blob, linkGroup: group)
            }
        }
        self.tree = tree
        self.reports = reports
        self.listing = try Listing.bytes(of: tree)
        self.contentHash = Digest(hashing: listing)
    }
}

extension ImageRecord {
    /// Takes what an image that was made from another tree has otherwise; nothing is proven of it.
    mutating func describe(_ finished: FinishedTree, _ written: Ext4Image) {
        contentHash = finished.contentHash.description
        imageHash = written.digest.description
        imageSize = written.size
        imageFree = written.freeBytes
        verity = written.hashTree.map { .init($0, verityObstacle: kernel?.verityObstacle) }
        paths = finished.tree.nodes.count
        proof = nil
        outputs = nil
    }
}

extension ImageRecord.FileSystemEntry {
    init(_ image: Recipe.Image, moment: Timestamp) {
        self.label = image.label.value
        switch image.size.value {
        case .free(let count): self.free = count.bytes
        case .total(let count): self.size = count.bytes
        }
        self.journal = image.journal
        self.verity = image.verity.value ? true : nil
        self.moment = moment.seconds
    }
}

extension ImageRecord.VerityEntry {
    /// The disk of a microVM's root drive.
    private static let disk = "/dev/vda"

    /// A kernel that cannot mount the verified device is told the device itself, and what would verify it.
    init(_ tree: HashTree, verityObstacle: String?) {
        self.init(
            rootHash: tree.rootHash.hex, salt: hexText(tree.identity.salt), uuid: tree.identity.uuidText,
            dataBlocks: tree.dataBlocks, hashOffset: tree.dataBlocks * UInt64(verityBlockSize),
            arguments: verityObstacle == nil
                ? tree.kernelArguments(device: Self.disk)
                : [tree.mappingArgument(device: Self.disk), "root=\(Self.disk)", "ro"])
    }
}

extension ImageRecord {
    /// All that the kernel is told when this image is booted.
    var kernelArguments: [String] { (kernel?.arguments ?? []) + (verity?.arguments ?? []) }
}

/// The size of a journal in MiB: enough for a writable microVM, small enough to be holes.
private let journalMiB = 16

/// Writes the image. Its UUID comes from the content hash.
func writeImage(
    _ finished: FinishedTree, to path: FilePath, _ settings: ImageRecord.FileSystemEntry, jobs: Int,
    progress: (UInt64, UInt64) -> Void
) throws -> Ext4Image {
    let size: Ext4Options.Size =
        if let total = settings.size { .fixed(bytes: total) } else { .free(bytes: settings.free ?? 0) }
    return try Ext4Writer.write(
        tree: finished.tree, to: path,
        options: Ext4Options(
            label: settings.label, identity: .derived(from: finished.contentHash), moment: settings.moment, size: size,
            journal: settings.journal ? journalMiB : nil, isReadOnly: settings.verity == true,
            verity: settings.verity == true ? VerityIdentity(derivedFrom: finished.contentHash) : nil),
        jobs: jobs, progress: progress)
}
