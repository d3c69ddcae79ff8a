internal import Glibc
internal import LibArchive
internal import Recipes
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// A tarball as a tree. The files' contents lie in a directory of their own under numbers, whatever their names are in
/// the tarball, for as long as this value lives.
struct TarballTree {
    let tree: FileTree
    private let directory: TemporaryDirectory

    /// The tarball of a recipe's `node.archive`, once its digest is the one that the recipe says.
    init(nodeArchive archive: Recipe.NodeArchive, recipe: Recipe, store: Store) throws {
        try Self.checkDigest(of: archive, recipe: recipe)
        try self.init(
            path: FilePath(recipe.resolve(archive.file.value)), label: archive.file.value, store: store)
    }

    /// Throws unless the tarball has the digest that the recipe says.
    static func checkDigest(of archive: Recipe.NodeArchive, recipe: Recipe) throws {
        let path = FilePath(recipe.resolve(archive.file.value))
        let digest: Digest
        do {
            digest = try self.digest(of: path)
        } catch let failure as Failure {
            throw Failure(failure.message, at: archive.file.location, hint: failure.hint)
        }
        guard digest == archive.sha256.value else {
            throw Failure(
                "\(archive.file.value) is not the file that the recipe means", at: archive.sha256.location,
                notes: ["the recipe says \(archive.sha256.value)", "the file has    \(digest)"],
                hint: "fetch it again, or correct the digest if the file is right")
        }
    }

    private static func digest(of path: FilePath) throws -> Digest {
        let file = try OpenFile(reading: path)
        var hasher = DigestHasher()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            try Task.checkCancellation()
            let got = read(file.descriptor, &buffer, buffer.count)
            if got < 0 { throw systemFailure("read", path) }
            if got == 0 { return hasher.finalized() }
            buffer.withUnsafeBytes { hasher.update(UnsafeRawBufferPointer(rebasing: $0[..<got])) }
        }
    }

    private init(path: FilePath, label: String, store: Store) throws {
        directory = try store.makeTemporaryDirectory("tarball")
        var reader = try ArchiveReader.open(
            path: path.string, format: .tar, filter: try Self.filter(of: path), label: label)
        var nodes = MemberNodes(label: label)
        var contents = 0
        while let member = try reader.next() {
            try Task.checkCancellation()
            let place = try nodes.place(of: member)
            if place.isRoot { continue }
            let kind: NodeKind
            switch member.kind {
            case .directory: kind = .directory
            case .symbolicLink(let target): kind = .symbolicLink(target)
            case .file:
                kind = .file(try Self.keep(&reader, number: contents, in: directory), linkGroup: 0)
                contents += 1
            case .hardLink(let target):
                try nodes.addLink(to: target, at: place, for: member)
                continue
            case .characterDevice, .blockDevice, .fifo, .other:
                throw Failure("\(label) holds a device or pipe: \(member.displayName)")
            }
            nodes.add(kind, Metadata(mode: member.mode, mtime: member.mtime), at: place)
        }
        try reader.finish()
        tree = try nodes.tree()
    }

    /// Writes the member at hand to a numbered file and takes its digest as it passes.
    private static func keep(_ reader: inout ArchiveReader, number: Int, in directory: TemporaryDirectory) throws
        -> Blob
    {
        let name: TreePath = TreePath.root.appending(String(number).utf8)
        let path = hostPath(directory.path.string, name)
        let file = try OpenFile(creating: path)
        var hasher = DigestHasher()
        var size: UInt64 = 0
        let zeros = [UInt8](repeating: 0, count: 1 << 16)
        try reader.readContent { block, offset in
            while size < offset {
                let count = Int(min(UInt64(zeros.count), offset - size))
                try zeros.withUnsafeBytes { buffer in
                    let part = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                    hasher.update(part)
                    try writeAll(part, to: file.descriptor, path: path)
                }
                size += UInt64(count)
            }
            hasher.update(block)
            try writeAll(block, to: file.descriptor, path: path)
            size += UInt64(block.count)
        }
        return Blob(
            size: size, digest: hasher.finalized(), source: .file(directory: directory.path.string, path: name))
    }

    /// The compression by the file's first bytes.
    private static func filter(of path: FilePath) throws -> ArchiveReader.Filter? {
        let file = try OpenFile(reading: path)
        var magic = [UInt8](repeating: 0, count: 6)
        let got = read(file.descriptor, &magic, magic.count)
        guard got == magic.count else { throw Failure("\(path) is too short for an archive") }
        return ArchiveReader.Filter(magic: magic)
    }
}
