/// What says how a tree was made: 512 bytes in front of it.
public struct VeritySuperblock: Hashable, Sendable {
    public var identity: VerityIdentity
    public var dataBlocks: UInt64

    static let size = 512
    private static let signature = Array("verity".utf8) + [0, 0]
    private static let algorithm = Array("sha256".utf8) + [UInt8](repeating: 0, count: 26)

    init(identity: VerityIdentity, dataBlocks: UInt64) {
        self.identity = identity
        self.dataBlocks = dataBlocks
    }

    var bytes: [UInt8] {
        var bytes = Self.signature
        append(UInt32(1), to: &bytes)
        // The kernel's format version 1: the salt comes before the block.
        append(UInt32(1), to: &bytes)
        bytes += identity.uuid
        bytes += Self.algorithm
        append(UInt32(verityBlockSize), to: &bytes)
        append(UInt32(verityBlockSize), to: &bytes)
        append(dataBlocks, to: &bytes)
        append(UInt16(identity.salt.count), to: &bytes)
        bytes += [UInt8](repeating: 0, count: 6)
        bytes += identity.salt
        return bytes + [UInt8](repeating: 0, count: Self.size - bytes.count)
    }

    /// What the bytes at the tree's beginning say; nil where they are no superblock of the kind that this module writes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.size, bytes.starts(with: Self.signature) else { return nil }
        func number(_ offset: Int, _ count: Int) -> UInt64 {
            (0..<count).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64($1 * 8) }
        }
        let saltSize = Int(number(80, 2))
        guard number(8, 4) == 1, number(12, 4) == 1, Array(bytes[32..<64]) == Self.algorithm,
            number(64, 4) == verityBlockSize, number(68, 4) == verityBlockSize, saltSize <= 256
        else { return nil }
        identity = VerityIdentity(salt: Array(bytes[88..<88 + saltSize]), uuid: Array(bytes[16..<32]))
        dataBlocks = number(72, 8)
    }

    private func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
}
