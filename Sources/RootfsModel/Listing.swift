/// A tree as text: mtree(5), one line a path, sorted by path bytes, parents first.
///
///     #mtree
///     . type=dir mode=0755 uid=0 gid=0 time=1700000000.000000000
///     ./usr/bin/perl type=file mode=0755 uid=0 gid=0 size=3 time=… nlink=2 inode=1 sha256digest=…
///     #xattr security.capability=AQAAAgAg…
///
/// Keywords are those of mtree(5) and their order is fixed, so equal trees have equal bytes. The names of one
/// file share an `inode` number, counted from 1 in path order. An extended attribute has a comment line of its
/// own behind its path, the value in hexadecimal: mtree(5) has no keyword for it and readers reject unknown
/// ones. A byte of a name that is not printable ASCII, or that mtree gives a meaning, is written `\ooo`.
public enum Listing {
    static let header = "#mtree\n"

    /// The listing's bytes: of the whole tree, or of one path and all below it. Every file listed must have a digest.
    public static func bytes(of tree: FileTree, within start: TreePath = .root) throws(Failure) -> [UInt8] {
        var out = ByteText()
        out.bytes.reserveCapacity(tree.nodes.count * 200)
        out.bytes.append(contentsOf: header.utf8)
        var names = [UInt32: Int]()
        for node in tree.nodes where node.linkGroup != 0 { names[node.linkGroup, default: 0] += 1 }
        for node in tree.nodes where node.path.isWithin(start) {
            out.append(escapedPath: node.path)
            switch node.kind {
            case .directory: out.append(" type=dir")
            case .file: out.append(" type=file")
            case .symbolicLink: out.append(" type=link")
            case .characterDevice: out.append(" type=char")
            case .blockDevice: out.append(" type=block")
            case .fifo: out.append(" type=fifo")
            case .socket: out.append(" type=socket")
            }
            out.append(" mode=0")
            out.append(octal: node.metadata.mode)
            out.append(" uid=")
            out.append(decimal: UInt64(node.metadata.uid))
            out.append(" gid=")
            out.append(decimal: UInt64(node.metadata.gid))
            if let blob = node.blob {
                out.append(" size=")
                out.append(decimal: blob.size)
            }
            out.append(" time=")
            out.append(time: node.metadata.mtime)
            switch node.kind {
            case .file(let blob, let group):
                guard let digest = blob.digest else { throw Failure("no digest was taken of \(node.path)") }
                if let count = names[group] {
                    out.append(" nlink=")
                    out.append(decimal: UInt64(count))
                    out.append(" inode=")
                    out.append(decimal: UInt64(group))
                }
                out.append(" sha256digest=")
                out.bytes.append(contentsOf: digest.hexBytes)
            case .symbolicLink(let target):
                out.append(" link=")
                out.append(escaped: target)
            case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
                out.append(" device=linux,")
                out.append(decimal: UInt64(major))
                out.append(",")
                out.append(decimal: UInt64(minor))
            case .directory, .fifo, .socket: break
            }
            out.append("\n")
            for attribute in node.metadata.xattrs {
                out.append("#xattr ")
                out.append(escaped: Array(attribute.name.utf8))
                out.append("=")
                out.bytes += hexDigits(attribute.value)
                out.append("\n")
            }
        }
        return out.bytes
    }
}

/// A growing text in bytes, for listings of a million lines.
private struct ByteText {
    var bytes = [UInt8]()

    mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    mutating func append(decimal value: UInt64) {
        if value == 0 { return bytes.append(UInt8(ascii: "0")) }
        let start = bytes.count
        var rest = value
        while rest > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        }
        bytes[start...].reverse()
    }

    mutating func append(octal value: UInt16) {
        for shift in stride(from: UInt16(9), through: 0, by: -3) where shift < 9 || value >> 9 != 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(value >> shift & 7))
        }
    }

    mutating func append(time: Timestamp) {
        if time.seconds < 0 { append("-") }
        append(decimal: time.seconds.magnitude)
        append(".")
        var digits = [UInt8]()
        var rest = time.nanoseconds
        for _ in 0..<9 {
            digits.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        }
        bytes.append(contentsOf: digits.reversed())
    }

    mutating func append(escapedPath path: TreePath) {
        append(".")
        if path.isRoot { return }
        append("/")
        append(escaped: path.bytes)
    }

    mutating func append(escaped text: [UInt8]) {
        for byte in text {
            switch byte {
            case 0x21...0x7E where !isMtreeSpecial(byte): bytes.append(byte)
            default:
                bytes.append(UInt8(ascii: "\\"))
                for shift in [UInt8(6), 3, 0] { bytes.append(UInt8(ascii: "0") + (byte >> shift & 7)) }
            }
        }
    }
}

/// `\` escapes, `#` starts a comment, `=` a value, and `* ? [ ]` are patterns to some readers.
private func isMtreeSpecial(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "\\"), UInt8(ascii: "#"), UInt8(ascii: "="), UInt8(ascii: "*"), UInt8(ascii: "?"),
        UInt8(ascii: "["), UInt8(ascii: "]"):
        true
    default: false
    }
}
