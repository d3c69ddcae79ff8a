public import RootfsModel

/// The files of an initial RAM disk: cpio archives in the "newc" format one behind the other, each compressed or not, as
/// the kernel takes them (Documentation/driver-api/early-userspace/buffer-format.rst). What comes later wins.
///
/// - Throws: what in `name` is no such archive.
public func initrdTree(_ bytes: [UInt8], name: String) throws(Failure) -> FileTree {
    var nodes = [TreePath: FileNode]()
    var rest = bytes[...]
    while true {
        rest = rest.drop { $0 == 0 }
        if rest.isEmpty { break }
        if CpioReader.isRecognized(rest) {
            var reader = CpioReader(rest, name: name)
            while let node = try reader.next() { nodes[node.path] = node }
            rest = reader.rest
            continue
        }
        guard let compression = PayloadCompression(recognizing: Array(rest.prefix(16))) else {
            throw Failure("\(name) is no initial RAM disk: neither a cpio archive nor a compressed one")
        }
        // The last one, for only the kernel knows where a compressed stream ends.
        let content = try compression.decompress(rest, name: name, limit: 1 << 30)
        var reader = CpioReader(content[...], name: name)
        while let node = try reader.next() { nodes[node.path] = node }
        break
    }
    return try FileTree(Array(nodes.values).sorted { $0.path < $1.path })
}

/// Goes through one archive. Every length is checked.
private struct CpioReader {
    private(set) var rest: ArraySlice<UInt8>
    private let name: String

    init(_ bytes: ArraySlice<UInt8>, name: String) {
        rest = bytes
        self.name = name
    }

    static func isRecognized(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.starts(with: "070701".utf8) || bytes.starts(with: "070702".utf8)
    }

    /// The next member; nil at the end.
    mutating func next() throws(Failure) -> FileNode? {
        guard Self.isRecognized(rest), rest.count >= 110 else { throw damaged() }
        func field(_ index: Int) -> Int? {
            let start = rest.startIndex + 6 + 8 * index
            return UInt32(String(decoding: rest[start..<(start + 8)], as: UTF8.self), radix: 16).map(Int.init)
        }
        guard let mode = field(1), let uid = field(2), let gid = field(3), let time = field(5), let size = field(6),
            let major = field(9), let minor = field(10), let nameSize = field(11), nameSize > 0
        else { throw damaged() }
        let nameEnd = (110 + nameSize + 3) / 4 * 4
        guard rest.count >= nameEnd, rest.count - nameEnd >= size else { throw damaged() }
        let text = rest[(rest.startIndex + 110)..<(rest.startIndex + 110 + nameSize - 1)]
        let content = rest[(rest.startIndex + nameEnd)..<(rest.startIndex + nameEnd + size)]
        rest = rest.dropFirst((nameEnd + size + 3) / 4 * 4)
        if text.elementsEqual("TRAILER!!!".utf8) { return nil }
        guard let path = TreePath(normalizing: text) else { throw damaged() }
        let kind: NodeKind =
            switch mode & 0o170000 {
            case 0o040000: .directory
            case 0o120000: .symbolicLink(Array(content))
            case 0o020000: .characterDevice(major: UInt32(major), minor: UInt32(minor))
            case 0o060000: .blockDevice(major: UInt32(major), minor: UInt32(minor))
            case 0o010000: .fifo
            case 0o140000: .socket
            default: .file(Blob(size: UInt64(size), digest: nil, source: .bytes(Array(content))), linkGroup: 0)
            }
        return FileNode(
            path: path, kind: kind,
            metadata: Metadata(
                mode: UInt16(mode & 0o7777), uid: UInt32(uid), gid: UInt32(gid), mtime: Timestamp(seconds: Int64(time)))
        )
    }

    private func damaged() -> Failure {
        Failure("\(name) is no initial RAM disk: its cpio archive is damaged")
    }
}
