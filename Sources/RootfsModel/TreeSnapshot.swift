/// A tree as bytes that are quick to read again: what a program keeps for itself, where a listing is for everybody.
/// Unlike a listing it has the places of the content. Only the program that wrote it reads it: no form of it is
/// promised.
///
/// Numbers are LEB128; a path is told by how much of the path before it stays, and the rest.
public enum TreeSnapshot {
    /// The tree's bytes. Directories of content that lie below `root` are told relative to it, so that it can move.
    public static func bytes(of tree: FileTree, below root: String) -> [UInt8] {
        var writer = SnapshotWriter(root: root)
        writer.write(tree)
        return writer.bytes
    }

    /// The tree, and the directories that its content lies in, each once. Throws where the bytes are none that `bytes`
    /// gave.
    public static func parse(
        _ bytes: [UInt8], below root: String, name: String
    ) throws(Failure) -> (tree: FileTree, directories: [String]) {
        let parsed = bytes.withUnsafeBytes { buffer -> (FileTree, [String])? in
            var reader = SnapshotReader(bytes: buffer, root: root)
            guard let nodes = reader.readNodes(), reader.isAtEnd else { return nil }
            return (FileTree(trusted: nodes), reader.directories)
        }
        guard let parsed else { throw Failure("\(name) is no tree that this program wrote") }
        return parsed
    }
}

/// What a node is, in a snapshot.
private enum KindCode: UInt8 {
    case directory, file, symbolicLink, characterDevice, blockDevice, fifo, socket
}

/// Where a file's bytes are, in a snapshot.
private enum SourceCode: UInt8 {
    case bytes, samePath, otherPath, extents, absent
}

private struct SnapshotWriter {
    let root: String
    private(set) var bytes = [UInt8]()
    private var directories = [String: UInt64]()
    private var path = [UInt8]()

    init(root: String) {
        self.root = root + "/"
    }

    mutating func write(_ tree: FileTree) {
        number(UInt64(tree.nodes.count))
        for node in tree.nodes { write(node) }
    }

    private mutating func write(_ node: FileNode) {
        let shared = zip(path, node.path.bytes).prefix { $0 == $1 }.count
        number(UInt64(shared))
        string(node.path.bytes[shared...])
        path = node.path.bytes
        let metadata = node.metadata
        number(UInt64(metadata.mode))
        number(UInt64(metadata.uid))
        number(UInt64(metadata.gid))
        number(UInt64(bitPattern: metadata.mtime.seconds))
        number(UInt64(metadata.mtime.nanoseconds))
        number(UInt64(metadata.xattrs.count))
        for attribute in metadata.xattrs {
            string(attribute.name.utf8)
            string(attribute.value)
        }
        switch node.kind {
        case .directory: code(.directory)
        case .file(let blob, let group):
            code(.file)
            number(UInt64(group))
            write(blob, of: node.path)
        case .symbolicLink(let target):
            code(.symbolicLink)
            string(target)
        case .characterDevice(let major, let minor):
            code(.characterDevice)
            number(UInt64(major))
            number(UInt64(minor))
        case .blockDevice(let major, let minor):
            code(.blockDevice)
            number(UInt64(major))
            number(UInt64(minor))
        case .fifo: code(.fifo)
        case .socket: code(.socket)
        }
    }

    private mutating func write(_ blob: Blob, of path: TreePath) {
        number(blob.size)
        bytes.append(blob.digest == nil ? 0 : 1)
        if let digest = blob.digest { bytes += digest.bytes }
        bytes.append(blob.traits == nil ? 0 : blob.traits?.dataRuns == nil ? 1 : 2)
        if let traits = blob.traits {
            word(traits.checksum.high)
            word(traits.checksum.low)
            if let runs = traits.dataRuns {
                number(UInt64(runs.count))
                for run in runs {
                    number(UInt64(run.start))
                    number(UInt64(run.count))
                }
            }
        }
        switch blob.source {
        case .bytes(let content):
            bytes.append(SourceCode.bytes.rawValue)
            string(content)
        case .file(let directory, let below):
            bytes.append((below == path ? SourceCode.samePath : .otherPath).rawValue)
            name(directory)
            if below != path { string(below.bytes) }
        case .extents(let file, let extents):
            bytes.append(SourceCode.extents.rawValue)
            name(file)
            number(UInt64(extents.count))
            for extent in extents {
                number(extent.offset)
                number(extent.source)
                number(extent.length)
            }
        case .absent: bytes.append(SourceCode.absent.rawValue)
        }
    }

    /// A directory by its number; its name comes with the first use.
    private mutating func name(_ directory: String) {
        if let known = directories[directory] { return number(known) }
        let next = UInt64(directories.count)
        directories[directory] = next
        number(next)
        let isBelow = directory.hasPrefix(root)
        bytes.append(isBelow ? 1 : 0)
        string(isBelow ? directory.dropFirst(root.count).utf8 : Substring(directory).utf8)
    }

    private mutating func code(_ kind: KindCode) {
        bytes.append(kind.rawValue)
    }

    private mutating func number(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }

    private mutating func word(_ value: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift))) }
    }

    private mutating func string(_ text: some Collection<UInt8>) {
        number(UInt64(text.count))
        bytes.append(contentsOf: text)
    }
}

/// Every function gives nil where the bytes end early or mean nothing.
private struct SnapshotReader {
    let bytes: UnsafeRawBufferPointer
    let root: String
    private var position = 0
    private(set) var directories = [String]()

    init(bytes: UnsafeRawBufferPointer, root: String) {
        self.bytes = bytes
        self.root = root
    }

    var isAtEnd: Bool { position == bytes.count }

    mutating func readNodes() -> [FileNode]? {
        // A node takes ten bytes at least: a count that is none reserves no memory.
        guard let count = number(), count <= UInt64(bytes.count / 10) else { return nil }
        var nodes = [FileNode]()
        nodes.reserveCapacity(Int(count))
        var path = [UInt8]()
        for _ in 0..<count {
            guard let shared = number(), shared <= UInt64(path.count), let rest = slice() else { return nil }
            path.removeSubrange(Int(shared)...)
            path.append(contentsOf: rest)
            let treePath = TreePath(trusted: path)
            guard let metadata = readMetadata(), let kind = readKind(at: treePath) else { return nil }
            nodes.append(FileNode(path: treePath, kind: kind, metadata: metadata))
        }
        return nodes
    }

    private mutating func readMetadata() -> Metadata? {
        guard let mode = number(UInt16.self), let uid = number(UInt32.self), let gid = number(UInt32.self),
            let seconds = number(), let nanoseconds = number(UInt32.self), let count = number()
        else { return nil }
        var attributes = [ExtendedAttribute]()
        for _ in 0..<count {
            guard let name = slice(), let value = slice() else { return nil }
            attributes.append(ExtendedAttribute(name: String(decoding: name, as: UTF8.self), value: Array(value)))
        }
        let time = Timestamp(seconds: Int64(bitPattern: seconds), nanoseconds: nanoseconds)
        return Metadata(mode: mode, uid: uid, gid: gid, mtime: time, xattrs: attributes)
    }

    private mutating func readKind(at path: TreePath) -> NodeKind? {
        switch byte().flatMap(KindCode.init(rawValue:)) {
        case .directory: return .directory
        case .file:
            guard let group = number(UInt32.self), let blob = readBlob(of: path) else { return nil }
            return .file(blob, linkGroup: group)
        case .symbolicLink: return slice().map { .symbolicLink(Array($0)) }
        case .characterDevice:
            guard let major = number(UInt32.self), let minor = number(UInt32.self) else { return nil }
            return .characterDevice(major: major, minor: minor)
        case .blockDevice:
            guard let major = number(UInt32.self), let minor = number(UInt32.self) else { return nil }
            return .blockDevice(major: major, minor: minor)
        case .fifo: return .fifo
        case .socket: return .socket
        case nil: return nil
        }
    }

    private mutating func readBlob(of path: TreePath) -> Blob? {
        guard let size = number(), let hasDigest = byte() else { return nil }
        var digest: Digest?
        if hasDigest == 1 {
            guard let bytes = take(32) else { return nil }
            digest = Digest(bytes: bytes)
        }
        guard let form = byte() else { return nil }
        var traits: ContentTraits?
        if form > 0 {
            guard let high = word(), let low = word() else { return nil }
            traits = ContentTraits(checksum: Checksum(high: high, low: low), dataRuns: nil)
            if form == 2 {
                guard let runs = readRuns() else { return nil }
                traits?.dataRuns = runs
            }
        }
        guard let source = readSource(of: path) else { return nil }
        return Blob(size: size, digest: digest, source: source, traits: traits)
    }

    private mutating func readRuns() -> [DataRun]? {
        guard let count = number() else { return nil }
        var runs = [DataRun]()
        for _ in 0..<count {
            guard let start = number(UInt32.self), let length = number(UInt32.self) else { return nil }
            runs.append(DataRun(start: start, count: length))
        }
        return runs
    }

    private mutating func readSource(of path: TreePath) -> ContentSource? {
        switch byte().flatMap(SourceCode.init(rawValue:)) {
        case .bytes: return slice().map { .bytes(Array($0)) }
        case .samePath: return name().map { .file(directory: $0, path: path) }
        case .otherPath:
            guard let directory = name(), let below = slice() else { return nil }
            return .file(directory: directory, path: TreePath(trusted: Array(below)))
        case .extents:
            guard let file = name(), let count = number() else { return nil }
            var extents = [ContentExtent]()
            for _ in 0..<count {
                guard let offset = number(), let source = number(), let length = number() else { return nil }
                extents.append(ContentExtent(offset: offset, source: source, length: length))
            }
            return .extents(file: file, extents)
        case .absent: return .absent
        case nil: return nil
        }
    }

    private mutating func name() -> String? {
        guard let index = number(), index <= UInt64(directories.count) else { return nil }
        if index < UInt64(directories.count) { return directories[Int(index)] }
        guard let isBelow = byte(), let text = slice() else { return nil }
        let name = String(decoding: text, as: UTF8.self)
        directories.append(isBelow == 1 ? "\(root)/\(name)" : name)
        return directories.last
    }

    private mutating func byte() -> UInt8? {
        guard position < bytes.count else { return nil }
        position += 1
        return bytes[position - 1]
    }

    private mutating func number() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while let byte = byte() {
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
            if shift > 63 { return nil }
        }
        return nil
    }

    private mutating func number<Number: FixedWidthInteger>(_: Number.Type) -> Number? {
        number().flatMap { Number(exactly: $0) }
    }

    private mutating func word() -> UInt64? {
        take(8)?.loadUnaligned(as: UInt64.self).littleEndian
    }

    private mutating func slice() -> UnsafeRawBufferPointer? {
        number().flatMap { $0 <= UInt64(bytes.count) ? take(Int($0)) : nil }
    }

    private mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count <= bytes.count - position else { return nil }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }
}
