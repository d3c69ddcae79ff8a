import RootfsModel
import Testing
import Verity

/// What is told of bytes behind the data that are not their hash tree, with and without a root hash to go by.
@Suite struct TreeCheckTests {
    private struct Sealed {
        var data: [UInt8]
        var tree: [UInt8]
        let root: Digest
        let identity = VerityIdentity(derivedFrom: Digest(hashing: "a tree"))

        init(blocks: Int) throws {
            data = (0..<blocks * 4096).map { UInt8(truncatingIfNeeded: $0 / 4096 &* 7 &+ $0) }
            let made = try HashTree(leaves: identity.hashes(of: data), identity: identity)
            (tree, root) = (made.bytes, made.rootHash)
        }

        func damage(_ expected: Digest?) throws -> [VerityDamage] {
            try HashTree(leaves: identity.hashes(of: data), identity: identity).damage(in: tree, rootHash: expected)
        }
    }

    /// 300 blocks: the superblock's, the root's and three of leaves.
    @Test func aFlippedByteOfTheTreeIsFoundInItsBlock() throws {
        let cases: [(place: Int, VerityDamage)] = [
            // Of the hashes in the root block, and behind them.
            (4096 + 40, .tree(level: 1, block: 0)), (4096 + 3 * 32, .tree(level: 1, block: 0)),
            (2 * 4096 - 1, .tree(level: 1, block: 0)),
            (2 * 4096 + 5, .tree(level: 0, block: 0)), (3 * 4096, .tree(level: 0, block: 1)),
            (5 * 4096 - 1, .tree(level: 0, block: 2)), (20, .superblock), (4095, .superblock),
        ]
        for (place, damage) in cases {
            var sealed = try Sealed(blocks: 300)
            #expect(sealed.tree.count == 5 * 4096)
            sealed.tree[place] ^= 0x10
            #expect(try sealed.damage(sealed.root) == [damage], "\(place)")
            #expect(try sealed.damage(nil) == [damage], "\(place), without a root")
        }
    }

    @Test func aFlippedByteOfTheDataIsFoundInItsBlock() throws {
        for block in [0, 127, 128, 299] {
            var sealed = try Sealed(blocks: 300)
            sealed.data[block * 4096 + 9] ^= 1
            #expect(try sealed.damage(sealed.root) == [.data(block: UInt64(block))])
            #expect(try sealed.damage(nil) == [.data(block: UInt64(block))])
        }
    }

    @Test func whereTheRootIsTheOnlyBlockOnlyARootHashTellsDataFromHash() throws {
        var flipped = try Sealed(blocks: 100)
        flipped.tree[4096 + 3 * 32] ^= 1
        #expect(try flipped.damage(flipped.root) == [.tree(level: 0, block: 0)])
        #expect(try flipped.damage(nil) == [.dataOrHash(block: 3)])
        var changed = try Sealed(blocks: 100)
        changed.data[3 * 4096] ^= 1
        #expect(try changed.damage(changed.root) == [.data(block: 3)])
        #expect(try changed.damage(nil) == [.dataOrHash(block: 3)])
        var padded = try Sealed(blocks: 100)
        padded.tree[2 * 4096 - 1] = 1
        for root in [padded.root, nil] { #expect(try padded.damage(root) == [.tree(level: 0, block: 0)]) }
    }

    @Test func whatIsNotZeroBehindTheHashesIsFoundAlsoWhereItIsHashedRight() throws {
        var sealed = try Sealed(blocks: 300)
        sealed.tree[5 * 4096 - 1] = 1
        let leaves = sealed.identity.hashes(of: Array(sealed.tree[(2 * 4096)...]))
        sealed.tree.replaceSubrange(4096..<4096 + leaves.count, with: leaves)
        let root = try #require(Digest(hex: hexText(sealed.identity.hashes(of: Array(sealed.tree[4096..<2 * 4096])))))
        #expect(try sealed.damage(root) != [])
        #expect(try sealed.damage(nil) != [])
    }

    @Test func soundBytesAreNoDamage() throws {
        for blocks in [2, 128, 129, 300] {
            let sealed = try Sealed(blocks: blocks)
            #expect(try sealed.damage(sealed.root) == [])
            #expect(try sealed.damage(nil) == [])
            let other = Digest(hashing: "other")
            #expect(try sealed.damage(other) == [.rootHash(sealed.root)])
        }
    }
}
