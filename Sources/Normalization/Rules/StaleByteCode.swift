internal import RootfsModel

/// Python's compiled files that go by the time of their source (PEP 552, flags 0) where the source has another one: a
/// script wrote both, or its time was set. Python would compile such a file anew at each start. Under SOURCE_DATE_EPOCH,
/// with which scripts run here, py3compile writes files that go by the source's hash, and these stay.
struct StaleByteCode: NormalizationRule {
    let id = "pyc"
    let reason = "compiled from a file of another time, which is in it, and of no use to Python"

    func change(of tree: FileTree, moment: Timestamp, read: (Blob) throws -> [UInt8]) throws -> TreeChange {
        var change = TreeChange()
        for node in tree.nodes where node.nameHasSuffix(".pyc") {
            guard let blob = node.blob, let source = Self.source(of: node.path).flatMap({ tree.resolvedNode($0) }),
                let size = source.blob?.size, let header = Self.header(try read(blob))
            else { continue }
            let time = UInt32(truncatingIfNeeded: min(source.metadata.mtime, moment).seconds)
            if header.time != time || header.size != UInt32(truncatingIfNeeded: size) {
                change.removals.append(node.path)
            }
        }
        return change
    }

    /// `a/__pycache__/b.cpython-311.pyc` is made of `a/b.py` (PEP 3147).
    private static func source(of path: TreePath) -> TreePath? {
        guard let cache = path.parent, cache.name.elementsEqual("__pycache__".utf8), let directory = cache.parent
        else { return nil }
        return directory.appending(path.name.prefix { $0 != UInt8(ascii: ".") } + Array(".py".utf8))
    }

    /// What stands in a file that goes by its source's time: that time and the source's size, both modulo 2³².
    private static func header(_ bytes: [UInt8]) -> (time: UInt32, size: UInt32)? {
        func number(at offset: Int) -> UInt32 {
            bytes[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        }
        guard bytes.count >= 16, number(at: 4) == 0 else { return nil }
        return (number(at: 8), number(at: 12))
    }
}
