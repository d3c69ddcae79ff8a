internal import Comparing
internal import Debian
internal import Ext4
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// One side of a comparison while it is looked into.
struct OpenedSide {
    /// As the user named it.
    let name: String
    let form: SideForm
    private(set) var tree: FileTree?
    private(set) var damaged: [(path: TreePath, problem: String)] = []
    private(set) var lock: Lock?
    private(set) var facts: OutputFacts?
    private(set) var information: Ext4Information?
    /// What lies beside it and is of another version of the program, a sentence each.
    private(set) var strangeRecords: [String] = []
    /// Whether the digests of its files can be taken from beside it.
    private(set) var isUntouched = false
    /// The image, the listing, the folder; what was decompressed.
    private let path: FilePath
    private let kind: Comparison.Side.Kind
    /// Where what was decompressed lies.
    private let directory: TemporaryDirectory?

    /// Says what it is, and reads what lies beside it; no tree yet.
    ///
    /// - Parameter temporary: a folder for what must be decompressed.
    init(_ path: FilePath, name: String, temporary: FilePath) throws {
        self.name = name
        var form = try SideForm(of: path)
        let isFolder = form == .output
        let isCompressed = form == .compressed
        // Where the records of what was compressed are.
        var original = path
        var path = path
        switch form {
        case .compressed:
            let made = try TemporaryDirectory(beside: temporary.appending("rootfs-build-diff"))
            let expanded = made.path.appending("expanded")
            try expand(path, to: expanded)
            form = try SideForm.inside(expanded, shown: path)
            original = path.removingLastComponent().appending(path.stem ?? "")
            path = expanded
            directory = made
        case .tar: directory = try TemporaryDirectory(beside: temporary.appending("rootfs-build-diff"))
        case .output:
            directory = nil
            path = try imageOrListing(in: path)
            if path.extension == "listing" { form = .listing }
        case .image, .listing, .lock, .directory: directory = nil
        }
        self.form = form
        self.path = path
        switch form {
        case .output: kind = .output
        case .image, .compressed: kind = .image
        case .listing: kind = isFolder ? .output : .listing
        case .lock: kind = .lock
        case .directory: kind = .directory
        case .tar: kind = .tar
        }
        switch form {
        case .lock: lock = try Lock(parsing: try readFile(at: path), file: name)
        case .image, .output:
            let information = try Ext4Reader(path).information
            let facts = try OutputFacts(beside: isCompressed ? original : path, information)
            self.information = information
            self.facts = facts
            isUntouched = !isCompressed && facts.isUntouched(information)
        case .listing:
            let image = path.removingLastComponent().appending("\(path.stem ?? "").ext4")
            let information = exists(image) ? try? Ext4Reader(image).information : nil
            let facts = try OutputFacts(beside: image, information)
            self.information = information
            self.facts = facts
            isUntouched = information.map(facts.isUntouched) ?? false
        case .compressed, .directory, .tar: break
        }
        if let image = facts?.image { strangeRecords = Pipeline.strangeRecords(beside: image) }
    }

    /// The image's hash, where its record says it and nothing speaks against it.
    var knownHash: String? { isUntouched ? facts?.record?.imageHash : nil }

    /// The file that is compared, where it is one.
    var file: FilePath? { form == .image || form == .output ? path : nil }

    /// Reads the tree: of an image with the digests of the listing beside it, where that is of it.
    mutating func readTree(isParanoid: Bool) throws {
        switch form {
        case .lock, .compressed: break
        case .directory: tree = try scanDirectory(path, digesting: false)
        case .tar(let filter):
            if let directory { tree = try spooledTree(path, filter, shown: FilePath(name), in: directory) }
        case .listing: try readListing(isParanoid: isParanoid)
        case .image, .output:
            let read = try imageTree(at: path)
            guard isUntouched, !isParanoid else {
                tree = read
                return
            }
            facts?.readListing()
            tree = facts?.listing.flatMap { Self.digested(read, $0) } ?? read
        }
    }

    /// A listing's tree; its contents are the image's beside it, where that is the listing's.
    private mutating func readListing(isParanoid: Bool) throws {
        let bytes = try readFile(at: path)
        let listed = try Listing.parse(bytes, name: name)
        tree = listed
        let isOfRecord = facts?.record?.contentHash == Digest(hashing: bytes).description
        if !isOfRecord {
            facts?.record = nil
            isUntouched = false
        }
        guard isUntouched, information != nil else { return }
        let image = path.removingLastComponent().appending("\(path.stem ?? "").ext4")
        var damaged = [(path: TreePath, problem: String)]()
        let read = try? Ext4Reader(image).tree(digesting: false) { damaged.append(($0, $1.message)) }
        if damaged.isEmpty, let read, let digested = Self.digested(read, bytes, listed) { tree = digested }
    }

    private mutating func imageTree(at image: FilePath) throws -> FileTree {
        var damaged = [(path: TreePath, problem: String)]()
        let tree = try Ext4Reader(image).tree(digesting: false) { path, failure in
            let prefix = "cannot read the image \(image.string): "
            damaged.append(
                (
                    path,
                    failure.message.hasPrefix(prefix)
                        ? String(failure.message.dropFirst(prefix.count)) : failure.message
                ))
        }
        self.damaged = damaged
        return tree
    }

    /// The tree with the digests of a listing; nil where that is of another tree.
    private static func digested(_ tree: FileTree, _ bytes: [UInt8], _ parsed: FileTree? = nil) -> FileTree? {
        guard let listed = parsed ?? (try? Listing.parse(bytes, name: "listing")),
            listed.nodes.count == tree.nodes.count
        else { return nil }
        var result = tree
        var index = 0
        var isSame = true
        result.updateEach { node in
            let other = listed.nodes[index]
            index += 1
            guard isSame, other.path == node.path, other.metadata == node.metadata, other.blob?.size == node.blob?.size,
                case .file(var blob, let group) = node.kind
            else {
                if other.path != node.path || node.blob != nil || other.blob != nil { isSame = false }
                return
            }
            blob.digest = other.blob?.digest
            node.kind = .file(blob, linkGroup: group)
        }
        return isSame ? result : nil
    }

    /// What the comparison takes, as far as it is known without following services.
    func compared() throws -> ComparedImage {
        var side = Comparison.Side(name: name, kind: kind)
        if let lock {
            side.recipe = lock.recipe
            side.architecture = lock.architecture
            side.moment = lock.moment
            var image = ComparedImage(side: side)
            image.packages = lock.packages.map { ComparedImage.Package($0) }
            image.side.packages = lock.packages.count
            return image
        }
        side.paths = tree?.nodes.count
        side.contentSize = tree?.contentSize
        if let information {
            side.imageFree = information.freeBlocks * UInt64(information.blockSize)
            side.imageSize = information.blocks * UInt64(information.blockSize)
        }
        var image = ComparedImage(side: side, tree: tree)
        image.damaged = damaged
        image.obstacles = strangeRecords.map { Comparison.Obstacle("records", "of \(name): \($0)") }
        try image.addContents()
        facts?.add(to: &image)
        image.side.packages = image.packages?.count
        return image
    }
}

extension ComparedImage.Package {
    fileprivate init(_ package: Lock.Package) {
        self.init(
            name: package.name, version: package.version, architecture: package.architecture,
            purpose: package.purpose.description, digest: package.sha256, isFromSecurity: package.isFromSecurity)
    }
}
