public import RootfsModel

/// Something that is not as the root hash has it.
public enum VerityDamage: Hashable, Sendable {
    case superblock
    /// A block of the tree; levels count from the leaves up, from 0.
    case tree(level: Int, block: UInt64)
    case data(block: UInt64)
    /// The block and its hash in the only block of the tree do not fit, and no root hash says which one is right.
    case dataOrHash(block: UInt64)
    /// The whole tree fits, but to another root hash.
    case rootHash(Digest)
}

extension HashTree {
    /// What differs between this tree, which was made of the data as they are, and the one that stands behind them: at
    /// most `limit` of each kind, and something if a byte does.
    ///
    /// A block is sound if a sound one above has its hash. Below one that is not, the data decide; so they do of the
    /// uppermost block where no root hash is expected.
    ///
    /// - Parameter stored: all bytes behind the data, the superblock's block first.
    public func damage(in stored: [UInt8], rootHash expected: Digest?, limit: Int = 16) -> [VerityDamage] {
        let wanted = bytes
        guard stored.count >= wanted.count else { return [.superblock] }
        var found = [VerityDamage]()
        if !stored[..<verityBlockSize].elementsEqual(wanted[..<verityBlockSize]) { found.append(.superblock) }
        var start = verityBlockSize
        var above: StoredLevel?
        for number in levels.indices.reversed() {
            let computed = levels[number]
            var level = StoredLevel(Array(stored[start..<start + computed.count]), identity)
            start += computed.count
            let isFitting = level.blocks.map { level.bytes[$0] == computed[$0] }
            if let above {
                level.isSound = isFitting.indices.map { index in
                    above.hash(index) == level.hashes[hashPlace(index)]
                        || isFitting[index] && !above.isSound[index / hashesPerBlock]
                }
            } else if let expected {
                if isFitting[0] && expected != rootHash { return found + [.rootHash(rootHash)] }
                level.isSound = [expected.bytes == level.hashes]
            } else {
                let below =
                    number == 0
                    ? nil : StoredLevel(Array(stored[start..<start + levels[number - 1].count]), identity)
                level.isSound = [isFitting[0] || isTopSound(level, number, below)]
            }
            found += level.isSound.indices.filter { !level.isSound[$0] }.prefix(limit).map {
                .tree(level: number, block: UInt64($0))
            }
            above = level
        }
        if let leaves = above {
            let isDecided = levels.count > 1 || expected != nil
            found += (0..<Int(dataBlocks)).lazy
                .filter { leaves.isSound[$0 / hashesPerBlock] && leaves.hash($0) != levels[0][hashPlace($0)] }
                .prefix(limit).map { isDecided ? .data(block: UInt64($0)) : .dataOrHash(block: UInt64($0)) }
        }
        return found.isEmpty ? firstDifference(stored, wanted) : found
    }

    /// Whether the uppermost block, which is not as the data have it, can be right nevertheless: behind its hashes are
    /// zeros, and none of them is another than that of a block below which fits the data.
    private func isTopSound(_ top: StoredLevel, _ number: Int, _ below: StoredLevel?) -> Bool {
        let count = below?.blocks.count ?? Int(dataBlocks)
        guard top.bytes[(count * verityHashSize)...].allSatisfy({ $0 == 0 }) else { return false }
        guard let below else { return true }
        return below.blocks.enumerated().allSatisfy { index, block in
            top.hash(index) == below.hashes[hashPlace(index)] || below.bytes[block] != levels[number - 1][block]
        }
    }

    /// The block of the tree that has the first byte which is another: what is hashed right, and is no zero behind the
    /// last hash of a level.
    private func firstDifference(_ stored: [UInt8], _ wanted: [UInt8]) -> [VerityDamage] {
        guard let place = zip(stored, wanted).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset else {
            return []
        }
        var block = place / verityBlockSize - 1
        for number in levels.indices.reversed() {
            let count = levels[number].count / verityBlockSize
            if block < count { return [.tree(level: number, block: UInt64(block))] }
            block -= count
        }
        return []
    }
}

/// A level as it stands behind the data.
private struct StoredLevel {
    let bytes: [UInt8]
    /// The hash of each of its blocks.
    let hashes: [UInt8]
    /// For each of its blocks.
    var isSound: [Bool] = []

    init(_ bytes: [UInt8], _ identity: VerityIdentity) {
        self.bytes = bytes
        hashes = identity.hashes(of: bytes)
    }

    var blocks: [Range<Int>] {
        stride(from: 0, to: bytes.count, by: verityBlockSize).map { $0..<$0 + verityBlockSize }
    }

    /// The hash that it has of a block below.
    func hash(_ index: Int) -> ArraySlice<UInt8> { bytes[hashPlace(index)] }
}

private func hashPlace(_ index: Int) -> Range<Int> { index * verityHashSize..<(index + 1) * verityHashSize }
