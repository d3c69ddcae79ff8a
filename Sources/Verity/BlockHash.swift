internal import Crypto

extension VerityIdentity {
    /// Puts the hash of each block of 4,096 bytes into `hashes`, 32 bytes each. May be called by several threads at once.
    public func hash(_ blocks: UnsafeRawBufferPointer, into hashes: UnsafeMutableRawBufferPointer) {
        for index in 0..<blocks.count / verityBlockSize {
            let block = UnsafeRawBufferPointer(
                rebasing: blocks[index * verityBlockSize..<(index + 1) * verityBlockSize])
            var hasher = SHA256()
            salt.withUnsafeBytes { hasher.update(bufferPointer: $0) }
            hasher.update(bufferPointer: block)
            hasher.finalize().withUnsafeBytes {
                UnsafeMutableRawBufferPointer(
                    rebasing: hashes[index * verityHashSize..<(index + 1) * verityHashSize]
                ).copyMemory(from: $0)
            }
        }
    }

    /// The hashes of these blocks, 32 bytes each.
    public func hashes(of blocks: [UInt8]) -> [UInt8] {
        var hashes = [UInt8](repeating: 0, count: blocks.count / verityBlockSize * verityHashSize)
        blocks.withUnsafeBytes { source in hashes.withUnsafeMutableBytes { hash(source, into: $0) } }
        return hashes
    }
}
