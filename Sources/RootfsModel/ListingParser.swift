extension Listing {
    /// The tree that a listing describes; its blobs are known by digest and size only. Reads what `bytes(of:)`
    /// writes and refuses anything else, naming the line. `name` is the listing's name in messages.
    public static func parse(_ bytes: [UInt8], name: String) throws(Failure) -> FileTree {
        guard bytes.starts(with: header.utf8) else {
            throw Failure("\(name) is no listing: it does not start with #mtree")
        }
        var nodes = [FileNode]()
        nodes.reserveCapacity(bytes.count / 150)
        var lineNumber = 1
        var start = header.utf8.count
        while start < bytes.count {
            lineNumber += 1
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            let line = bytes[start..<end]
            start = end + 1
            if line.isEmpty { continue }
            let problem: String?
            if line.first == UInt8(ascii: "#") {
                problem = parseAttribute(line, into: &nodes)
            } else {
                switch parseNode(line) {
                case .node(let node):
                    nodes.append(node)
                    problem = nil
                case .mistake(let text): problem = text
                }
            }
            if let problem {
                throw Failure(
                    "\(name):\(lineNumber): \(problem)", notes: [String(decoding: line.prefix(200), as: UTF8.self)])
            }
        }
        return try FileTree(nodes)
    }

    private enum Outcome {
        case node(FileNode)
        case mistake(String)
    }

    private static func parseNode(_ line: ArraySlice<UInt8>) -> Outcome {
        var fields = line.split(separator: UInt8(ascii: " "))[...]
        guard let first = fields.popFirst(), first.first == UInt8(ascii: "."), let pathBytes = unescaped(first),
            let path = TreePath(normalizing: pathBytes)
        else { return .mistake("the line does not start with a path") }
        var metadata = Metadata(mode: 0)
        var type: ArraySlice<UInt8> = []
        var size: UInt64 = 0
        var digest: Digest?
        var group: UInt32 = 0
        var target = [UInt8]()
        var device: (UInt32, UInt32)?
        for field in fields {
            guard let equals = field.firstIndex(of: UInt8(ascii: "=")) else {
                return .mistake("a keyword has no value")
            }
            let value = field[(equals + 1)...]
            let name = String(decoding: field[..<equals], as: UTF8.self)
            guard let keyword = Keyword(rawValue: name) else { return .mistake("unknown keyword \(name)") }
            var good = true
            switch keyword {
            case .type: type = value
            case .mode:
                let mode: UInt16? = number(value, radix: 8)
                if let mode, mode <= 0o7777 { metadata.mode = mode } else { good = false }
            case .uid: if let id: UInt32 = number(value) { metadata.uid = id } else { good = false }
            case .gid: if let id: UInt32 = number(value) { metadata.gid = id } else { good = false }
            case .size: if let bytes: UInt64 = number(value) { size = bytes } else { good = false }
            case .time: if let time = parseTime(value) { metadata.mtime = time } else { good = false }
            case .nlink: good = (number(value) as UInt32?) != nil
            case .inode: if let number: UInt32 = number(value) { group = number } else { good = false }
            case .sha256digest:
                digest = Digest(hex: String(decoding: value, as: UTF8.self))
                good = digest != nil
            case .link: if let bytes = unescaped(value) { target = bytes } else { good = false }
            case .device:
                let parts = value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
                if parts.count == 3, let major: UInt32 = number(parts[1]), let minor: UInt32 = number(parts[2]) {
                    device = (major, minor)
                } else {
                    good = false
                }
            }
            if !good { return .mistake("bad value of \(name)") }
        }
        let kind: NodeKind
        switch (String(decoding: type, as: UTF8.self), digest, device) {
        case ("dir", _, _): kind = .directory
        case ("file", let digest?, _):
            kind = .file(Blob(size: size, digest: digest, source: .absent), linkGroup: group)
        case ("file", nil, _): return .mistake("a file without sha256digest")
        case ("link", _, _): kind = .symbolicLink(target)
        case ("char", _, let device?): kind = .characterDevice(major: device.0, minor: device.1)
        case ("block", _, let device?): kind = .blockDevice(major: device.0, minor: device.1)
        case ("char", _, nil), ("block", _, nil): return .mistake("a device without its numbers")
        case ("fifo", _, _): kind = .fifo
        case ("socket", _, _): kind = .socket
        default: return .mistake("unknown type \(String(decoding: type, as: UTF8.self))")
        }
        return .node(FileNode(path: path, kind: kind, metadata: metadata))
    }

    /// `#xattr name=hex` belongs to the path before it; any other comment is skipped. Gives what is wrong.
    private static func parseAttribute(_ line: ArraySlice<UInt8>, into nodes: inout [FileNode]) -> String? {
        let prefix = Array("#xattr ".utf8)
        guard line.starts(with: prefix) else { return nil }
        let rest = line.dropFirst(prefix.count)
        guard let equals = rest.firstIndex(of: UInt8(ascii: "=")), let name = unescaped(rest[..<equals]),
            let text = String(validating: name, as: UTF8.self), !nodes.isEmpty
        else { return "an extended attribute without a name or a path" }
        let digits = rest[(equals + 1)...]
        var value = [UInt8]()
        var high: UInt8?
        for digit in digits {
            guard let nibble = hexDigitValue(digit) else { return "an extended attribute's value is not hexadecimal" }
            if let first = high {
                value.append(first << 4 | nibble)
                high = nil
            } else {
                high = nibble
            }
        }
        if high != nil { return "an extended attribute's value has an odd number of digits" }
        nodes[nodes.count - 1].metadata.xattrs.append(ExtendedAttribute(name: text, value: value))
        return nil
    }

    private enum Keyword: String {
        case type, mode, uid, gid, size, time, nlink, inode, sha256digest, link, device
    }

    private static func parseTime(_ text: ArraySlice<UInt8>) -> Timestamp? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].count == 9, let nanoseconds: UInt32 = number(parts[1]),
            nanoseconds < 1_000_000_000
        else { return nil }
        let isNegative = parts[0].first == UInt8(ascii: "-")
        guard let seconds: Int64 = number(isNegative ? parts[0].dropFirst() : parts[0]) else { return nil }
        return Timestamp(seconds: isNegative ? -seconds : seconds, nanoseconds: nanoseconds)
    }

    /// The number that these digits are, without a sign; nil for anything else and for one that is too large.
    private static func number<Value: FixedWidthInteger>(_ digits: ArraySlice<UInt8>, radix: UInt8 = 10) -> Value? {
        if digits.isEmpty { return nil }
        var value: Value = 0
        for digit in digits {
            let (product, isTooLarge) = value.multipliedReportingOverflow(by: Value(radix))
            guard digit >= UInt8(ascii: "0"), digit < UInt8(ascii: "0") + radix, !isTooLarge else { return nil }
            let (sum, overflows) = product.addingReportingOverflow(Value(digit - UInt8(ascii: "0")))
            if overflows { return nil }
            value = sum
        }
        return value
    }

    /// Undoes `\ooo`; nil when an escape is cut short.
    private static func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.contains(UInt8(ascii: "\\")) else { return Array(text) }
        var result = [UInt8]()
        var index = text.startIndex
        while index < text.endIndex {
            let byte = text[index]
            index += 1
            if byte != UInt8(ascii: "\\") {
                result.append(byte)
                continue
            }
            guard index + 3 <= text.endIndex else { return nil }
            var value = 0
            for digit in text[index..<(index + 3)] {
                guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit) else { return nil }
                value = value << 3 | Int(digit - UInt8(ascii: "0"))
            }
            guard value <= 255 else { return nil }
            result.append(UInt8(value))
            index += 3
        }
        return result
    }
}
