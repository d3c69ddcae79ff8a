internal import Crypto
internal import Debian
internal import Glibc
internal import LibArchive
internal import RootfsModel
internal import Storage
internal import SystemPackage

/// Unpacks one .deb into a directory: tree, control members, listing and what dpkg's database needs.
struct PayloadUnpacking: ~Copyable {
    private let deb: DebFile
    private var tree: TreeDirectory
    private let takesChecksums: Bool

    private var nodes = [FileNode]()
    private var indices = [TreePath: Int]()
    private var groups: UInt32 = 0
    private var list = [UInt8]()
    private var checksums = [UInt8]()
    private var checksumOf = [TreePath: String]()
    private var oddities = Oddities()
    private var room: Room

    /// Unpacks into an existing empty directory.
    static func unpack(_ deb: DebFile, into directory: FilePath) throws {
        for name in ["tree", "control"] { try makeDirectory(at: directory.appending(name)) }
        var control = try TreeDirectory.open(directory.appending("control"))
        for member in deb.control {
            guard let path = TreePath(normalizing: member.name) else { continue }
            try control.write(member.bytes, to: path, Metadata(mode: member.mode, mtime: member.mtime))
        }
        var unpacking = PayloadUnpacking(
            deb: deb, tree: try TreeDirectory.open(directory.appending("tree")), room: try Room(deb))
        try unpacking.readMembers()
        try unpacking.finish(directory)
    }

    private init(deb: DebFile, tree: consuming TreeDirectory, room: Room) {
        self.deb = deb
        self.tree = tree
        self.takesChecksums = deb.controlMember("md5sums") == nil
        self.room = room
    }

    private mutating func readMembers() throws {
        var reader = try deb.openData()
        while let member = try reader.next() {
            if Task.isCancelled { throw CancellationError() }
            try add(member, &reader)
        }
        try reader.finish()
    }

    private mutating func add(_ member: ArchiveMember, _ reader: inout ArchiveReader) throws {
        let path = try place(member)
        try room.take(1024, member, deb.label)
        let metadata = try metadata(member)
        oddities.note(member)
        if path.isRoot {
            guard case .directory = member.kind else { throw refusal(member, "the root is no directory in it") }
            list.append(contentsOf: "/.\n".utf8)
            if indices[.root] == nil {
                append(FileNode(path: .root, kind: .directory, metadata: metadata))
            } else {
                oddities.add("\(member.displayName) comes twice")
            }
            return
        }
        list.append(UInt8(ascii: "/"))
        list.append(contentsOf: path.bytes)
        list.append(UInt8(ascii: "\n"))
        if let known = indices[path] {
            // dpkg keeps an existing directory as it is.
            guard nodes[known].isDirectory, case .directory = member.kind else {
                throw refusal(member, "it comes twice")
            }
            oddities.add("\(member.displayName) comes twice")
            return
        }
        try makeParents(of: path, member)
        let kind: NodeKind
        switch member.kind {
        case .directory:
            try tree.makeDirectory(path, metadata)
            kind = .directory
        case .file: kind = try writeFile(path, metadata, member, &reader)
        case .symbolicLink(let target):
            guard !target.isEmpty else { throw refusal(member, "it is a symbolic link to nothing") }
            try tree.makeSymbolicLink(path, to: target, metadata)
            // A symbolic link has no mode of its own: this is what lstat(2) says.
            var node = FileNode(path: path, kind: .symbolicLink(target), metadata: metadata)
            node.metadata.mode = 0o777
            append(node)
            return
        case .hardLink(let target):
            try link(path, to: target, member)
            return
        case .characterDevice, .blockDevice, .fifo:
            throw refusal(member, "it is a device or named pipe, which a package must not hold (Debian Policy 10.6)")
        case .other:
            throw refusal(member, "it is of a kind that dpkg does not know")
        }
        append(FileNode(path: path, kind: kind, metadata: metadata))
    }

    private mutating func append(_ node: FileNode) {
        indices[node.path] = nodes.count
        nodes.append(node)
    }

    /// The member's path in the tree, or a refusal of a name that leads out of it.
    private func place(_ member: ArchiveMember) throws(Failure) -> TreePath {
        guard !member.name.isEmpty else { throw refusal(member, "it has no name") }
        guard member.name.first != UInt8(ascii: "/") else { throw refusal(member, "its name is absolute") }
        guard let path = TreePath(normalizing: member.name) else {
            throw refusal(member, "its name has a `..` component")
        }
        guard !path.bytes.contains(UInt8(ascii: "\n")) else { throw refusal(member, "its name has a line feed") }
        return path
    }

    private func metadata(_ member: ArchiveMember) throws(Failure) -> Metadata {
        guard let uid = UInt32(exactly: member.uid), let gid = UInt32(exactly: member.gid),
            uid != .max, gid != .max
        else { throw refusal(member, "its owner \(member.uid):\(member.gid) is no user and group") }
        return Metadata(mode: member.mode, uid: uid, gid: gid, mtime: member.mtime, xattrs: member.xattrs)
    }

    /// Every parent must be a directory of this package; one that is missing is made, and dpkg is asked.
    private mutating func makeParents(of path: TreePath, _ member: ArchiveMember) throws {
        guard let parent = path.parent, !parent.isRoot else { return }
        if let index = indices[parent] {
            if nodes[index].isDirectory { return }
            if case .symbolicLink = nodes[index].kind {
                throw refusal(member, "it lies behind \(parent), a symbolic link of the same package")
            }
            throw refusal(member, "it lies below \(parent), which is no directory")
        }
        try makeParents(of: parent, member)
        oddities.add("\(member.displayName) comes without its directory")
        let metadata = Metadata(mode: 0o755, mtime: member.mtime)
        try tree.makeDirectory(parent, metadata)
        append(FileNode(path: parent, kind: .directory, metadata: metadata))
    }

    private mutating func writeFile(
        _ path: TreePath, _ metadata: Metadata, _ member: ArchiveMember, _ reader: inout ArchiveReader
    ) throws -> NodeKind {
        guard case .file(let claimed) = member.kind else { return .directory }
        let descriptor = try tree.createFile(path)
        defer { close(descriptor) }
        var passing = PassingContent(takesMD5: takesChecksums)
        let label = deb.label
        // The room is taken before the bytes are written: a bomb never fills the disk.
        try room.take(claimed, member, label)
        try reader.readContent { block, offset in
            if Task.isCancelled { throw CancellationError() }
            guard offset >= passing.size, offset &+ UInt64(block.count) <= claimed else {
                throw Failure("cannot unpack \(member.displayName) of \(label): its content does not have its size")
            }
            try tree.append(zeros: offset - passing.size, to: descriptor, path) { passing.update($0) }
            let code = writeWhole(block, to: descriptor)
            if code != 0 { throw tree.failure("write", path, code: code) }
            passing.update(block)
        }
        if member.isSparse {
            try tree.append(zeros: claimed - passing.size, to: descriptor, path) { passing.update($0) }
        }
        guard passing.size == claimed else {
            throw Failure("cannot unpack \(member.displayName) of \(label): its content does not have its size")
        }
        try tree.finish(descriptor, path, metadata)
        let (blob, md5) = passing.finish()
        if let md5 { note(checksum: md5, of: path) }
        return .file(blob, linkGroup: 0)
    }

    private mutating func note(checksum: String, of path: TreePath) {
        checksumOf[path] = checksum
        checksums.append(contentsOf: checksum.utf8)
        checksums.append(contentsOf: "  ".utf8)
        checksums.append(contentsOf: path.bytes)
        checksums.append(UInt8(ascii: "\n"))
    }

    private mutating func link(_ path: TreePath, to target: [UInt8], _ member: ArchiveMember) throws {
        let name = String(decoding: target, as: UTF8.self)
        guard target.first != UInt8(ascii: "/"), let targetPath = TreePath(normalizing: target) else {
            throw refusal(member, "it is a hard link to \(name), which is outside of the package")
        }
        guard let index = indices[targetPath], case .file(let blob, var group) = nodes[index].kind else {
            throw refusal(member, "it is a hard link to \(name), which is no file that came before it")
        }
        if group == 0 {
            groups += 1
            group = groups
            nodes[index].kind = .file(blob, linkGroup: group)
        }
        try tree.makeHardLink(path, to: targetPath)
        // One file, one set of metadata: dpkg sets what the last name says, and tar writes the same for all.
        var node = nodes[index]
        node.path = path
        append(node)
        if let checksum = checksumOf[targetPath] { note(checksum: checksum, of: path) }
    }

    private func refusal(_ member: ArchiveMember, _ reason: String) -> Failure {
        Failure("cannot unpack \(deb.label): member \(member.displayName): \(reason)")
    }

    /// Directories get their time last, because every file made in one changes it; then the texts.
    private consuming func finish(_ directory: FilePath) throws {
        for node in nodes where node.isDirectory && !node.path.isRoot {
            try tree.setTime(node.path, node.metadata.mtime)
        }
        let tree = try FileTree(nodes)
        try Storage.writeFile(try Listing.bytes(of: tree), to: directory.appending("listing"))
        try Storage.writeFile(TraitsText.bytes(of: tree), to: directory.appending(Payload.traitsName))
        try Storage.writeFile(Array(String(tree.contentSize).utf8), to: directory.appending(Payload.sizeName))
        try Storage.writeFile(list, to: directory.appending("list"))
        if takesChecksums { try Storage.writeFile(checksums, to: directory.appending("md5sums")) }
        try Storage.writeFile(
            Array(oddities.lines.map { $0 + "\n" }.joined().utf8), to: directory.appending("oddities"))
        try Storage.writeFile(
            try Payload.digestOfTexts(in: directory).hexBytes, to: directory.appending(Payload.digestName))
    }
}

/// How much a package may still unpack. Installed-Size counts what this counts (KiB of every file, one for
/// anything else), but by estimate and on the builder's word: four times that and 256 MiB more are plenty for an
/// honest package and bound a decompression bomb.
private struct Room {
    private let limit: UInt64
    private var left: UInt64

    init(_ deb: DebFile) throws(Failure) {
        let control = deb.controlMember("control") ?? []
        let stanza = try PackageStanza(parsing: control, file: "the control file of \(deb.label)")
        let (bytes, overflow) = (stanza.installedSize ?? 0).multipliedReportingOverflow(by: 4096)
        limit = overflow ? .max >> 1 : min(bytes, .max >> 1) + 256 << 20
        left = limit
    }

    mutating func take(_ count: UInt64, _ member: ArchiveMember, _ label: String) throws(Failure) {
        guard count <= left else {
            throw Failure(
                "cannot unpack \(label): at member \(member.displayName) it is larger than \(limit >> 20) MiB",
                notes: ["its Installed-Size allows no more: four times that and 256 MiB"])
        }
        left -= count
    }
}

/// What only dpkg itself can do as dpkg does.
private struct Oddities {
    private(set) var lines = [String]()

    mutating func add(_ line: String) {
        let line = line.replacing("\n", with: " ")
        // A few say enough.
        if lines.count < 16 { lines.append(line) }
    }

    mutating func note(_ member: ArchiveMember) {
        if member.isPax { add("\(member.displayName) has a pax header") }
        if member.isSparse { add("\(member.displayName) is sparse") }
        if !StaticAccounts.isUser(member.userName, member.uid) {
            add("\(member.displayName) belongs to user \(String(decoding: member.userName, as: UTF8.self))")
        }
        if !StaticAccounts.isGroup(member.groupName, member.gid) {
            add("\(member.displayName) belongs to group \(String(decoding: member.groupName, as: UTF8.self))")
        }
    }
}

/// What is taken of a file's content while it passes to the disk.
private struct PassingContent {
    private(set) var size: UInt64 = 0
    private var digest = DigestHasher()
    private var traits = ContentTraitsTaker()
    private var md5: Insecure.MD5?

    init(takesMD5: Bool) {
        if takesMD5 { md5 = Insecure.MD5() }
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        digest.update(bytes)
        traits.update(bytes)
        md5?.update(bufferPointer: bytes)
        size += UInt64(bytes.count)
    }

    /// The content, known by its digest, and the digits of its MD5.
    consuming func finish() -> (Blob, md5: String?) {
        let blob = Blob(size: size, digest: digest.finalized(), source: .absent, traits: traits.finish())
        return (blob, md5.map { hexText($0.finalize()) })
    }
}
