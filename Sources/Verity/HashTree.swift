public import RootfsModel

/// A tree over the hashes of all data blocks.
public struct HashTree: Hashable, Sendable {
    public let identity: VerityIdentity
    public let dataBlocks: UInt64
    /// What the kernel is told, and all that has to be trusted.
    public let rootHash: Digest
    /// The levels' blocks, the leaves first.
    let levels: [[UInt8]]

    /// - Parameter leaves: the hashes of the data blocks in order, 32 bytes each, of two blocks at least.
    public init(leaves: [UInt8], identity: VerityIdentity) throws(Failure) {
        guard leaves.count >= 2 * verityHashSize, leaves.count % verityHashSize == 0 else {
            throw Failure("no hash tree can be made of \(leaves.count / verityHashSize) blocks")
        }
        self.identity = identity
        dataBlocks = UInt64(leaves.count / verityHashSize)
        var levels = [Self.padded(leaves)]
        while let last = levels.last, last.count > verityBlockSize {
            levels.append(Self.padded(identity.hashes(of: last)))
        }
        guard let root = Digest(hex: hexText(identity.hashes(of: levels[levels.count - 1]))) else {
            throw Failure("the hash tree has no root")
        }
        rootHash = root
        self.levels = levels
    }

    private static func padded(_ hashes: [UInt8]) -> [UInt8] {
        let rest = hashes.count % verityBlockSize
        return rest == 0 ? hashes : hashes + [UInt8](repeating: 0, count: verityBlockSize - rest)
    }

    /// What stands behind the data: a block with the superblock, then the levels, the uppermost first.
    public var bytes: [UInt8] {
        var bytes = VeritySuperblock(identity: identity, dataBlocks: dataBlocks).bytes
        bytes += [UInt8](repeating: 0, count: verityBlockSize - bytes.count)
        for level in levels.reversed() { bytes += level }
        return bytes
    }

    /// The length of `bytes` for so many data blocks.
    public static func size(dataBlocks: UInt64) -> UInt64 {
        var count = dataBlocks
        var sum: UInt64 = 1
        repeat {
            count = (count + UInt64(hashesPerBlock) - 1) / UInt64(hashesPerBlock)
            sum += count
        } while count > 1
        return sum * UInt64(verityBlockSize)
    }

    /// The arguments with which a kernel that has CONFIG_DM_INIT and CONFIG_DM_VERITY makes the verified device itself
    /// and mounts it, without an initrd (Documentation/admin-guide/device-mapper/dm-init.rst and verity.rst).
    ///
    /// - Parameter device: the disk that holds the data and, behind them, this tree.
    public func kernelArguments(device: String) -> [String] {
        [mappingArgument(device: device), "root=/dev/dm-0", "ro"]
    }

    /// The first of them: the table of the verified device, which is dm-0.
    public func mappingArgument(device: String) -> String {
        let sectors = dataBlocks * UInt64(verityBlockSize / 512)
        let table = [
            "0 \(sectors) verity 1 \(device) \(device) \(verityBlockSize) \(verityBlockSize) \(dataBlocks)",
            "\(dataBlocks + 1) sha256 \(rootHash.hex) \(hexText(identity.salt))",
        ]
        return "dm-mod.create=rootfs,\(identity.uuidText),0,ro,\(table.joined(separator: " "))"
    }
}
