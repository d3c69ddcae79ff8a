public import RootfsModel

/// Something that is not as the root hash has it.
public enum VerityDamage: Hashable, Sendable {
    case superblock
    /// A block of the tree; levels count from the leaves up, from 0.
    case tree(level: Int, block: UInt64)
    case data(block: UInt64)
    /// The whole tree fits, but to another root hash.
    case rootHash(Digest)
}

extension HashTree {
    /// What differs between this tree, which was made of the data as they are, and the one that stands behind them; nil
    /// hash: whatever the stored tree has for a root. At most `limit` of each kind.
    ///
    /// - Parameter stored: all bytes behind the data, the superblock's block first.
    public func damage(in stored: [UInt8], rootHash expected: Digest?, limit: Int = 16) -> [VerityDamage] {
        var found = [VerityDamage]()
        let wanted = bytes
        guard stored.count >= wanted.count else { return [.superblock] }
        if !stored[..<verityBlockSize].elementsEqual(wanted[..<verityBlockSize]) { found.append(.superblock) }
        // From the root down: what a sound block says of the one below is right.
        var start = verityBlockSize
        var above = expected.map(\.bytes)
        for level in levels.indices.reversed() {
            let size = levels[level].count
            let block = Array(stored[start..<start + size])
            let hashes = identity.hashes(of: block)
            if let above {
                var damaged = 0
                for index in 0..<size / verityBlockSize where damaged < limit {
                    let place = index * verityHashSize..<(index + 1) * verityHashSize
                    guard above.count >= place.upperBound, above[place] != hashes[place] else { continue }
                    if level == levels.count - 1, block == levels[level], let root = Digest(hex: hexText(hashes)) {
                        return found + [.rootHash(root)]
                    }
                    found.append(.tree(level: level, block: UInt64(index)))
                    damaged += 1
                }
            }
            above = block
            start += size
        }
        var damaged = 0
        let leaves = above ?? []
        for index in 0..<Int(dataBlocks) where damaged < limit {
            let place = index * verityHashSize..<(index + 1) * verityHashSize
            guard leaves[place] != levels[0][place] else { continue }
            let isTold = found.contains(.tree(level: 0, block: UInt64(index / hashesPerBlock)))
            if !isTold {
                found.append(.data(block: UInt64(index)))
                damaged += 1
            }
        }
        return found
    }
}
