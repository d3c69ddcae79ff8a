internal import CXXHash
internal import Glibc

/// Blocks of a file that hold something, counted from the file's start in blocks of `ContentTraits.blockSize`.
public struct DataRun: Hashable, Sendable {
    public var start: UInt32
    public var count: UInt32

    public init(start: UInt32, count: UInt32) {
        self.start = start
        self.count = count
    }
}

/// XXH3 of some bytes, 128 bits. It tells that bytes are still what they were some ten times faster than SHA-256. It
/// is no identity: one who means to can make other bytes with the same checksum.
public struct Checksum: Hashable, Sendable, CustomStringConvertible {
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The checksum of these bytes.
    public init(of bytes: UnsafeRawBufferPointer) {
        self.init(XXH3_128bits(bytes.baseAddress, bytes.count))
    }

    fileprivate init(_ hash: XXH128_hash_t) {
        self.init(high: hash.high64, low: hash.low64)
    }

    /// 32 lower-case hexadecimal digits.
    public var description: String {
        hexText([high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - $0 * 8)) } })
    }
}

/// Takes a checksum while the bytes pass.
public final class ChecksumHasher {
    private let state: OpaquePointer

    public init() {
        // It gives nothing only where no memory is left, and there Swift itself ends the program.
        state = XXH3_createState().unsafelyUnwrapped
        XXH3_128bits_reset(state)
    }

    deinit {
        XXH3_freeState(state)
    }

    public func update(_ bytes: UnsafeRawBufferPointer) {
        XXH3_128bits_update(state, bytes.baseAddress, bytes.count)
    }

    /// The checksum of all bytes so far.
    public func finalized() -> Checksum {
        Checksum(XXH3_128bits_digest(state))
    }
}

/// What an image's writer would have to read a file for, before and after: known where the content was seen once.
public struct ContentTraits: Hashable, Sendable {
    /// Bytes. ext4's block, as every image here has it.
    public static let blockSize = 4096
    /// In files of at least so many bytes, blocks that are all zero are holes of the image; a hole in a smaller one
    /// saves little and costs an extent.
    public static let holeThreshold: UInt64 = 1 << 20

    public var checksum: Checksum
    /// The blocks that are not all zero, sorted, none touching the next; nil where that is all of them, and for files
    /// below the threshold.
    public var dataRuns: [DataRun]?

    public init(checksum: Checksum, dataRuns: [DataRun]?) {
        self.checksum = checksum
        self.dataRuns = dataRuns
    }
}

/// Finds the blocks of a file that hold something while its bytes pass, in pieces of any length.
public struct DataRunFinder: Sendable {
    private var runs = [DataRun]()
    private var position: UInt64 = 0
    /// Whether the block that the position is in holds something so far.
    private var holdsData = false

    public init() {}

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        let size = ContentTraits.blockSize
        var start = 0
        while start < bytes.count {
            let inBlock = Int(position % UInt64(size))
            let end = min(bytes.count, start + size - inBlock)
            if !holdsData { holdsData = !UnsafeRawBufferPointer(rebasing: bytes[start..<end]).isZero }
            position += UInt64(end - start)
            start = end
            if position % UInt64(size) == 0 { endBlock(position / UInt64(size) - 1) }
        }
    }

    /// The next bytes are so many zeros.
    public mutating func skip(zeros count: UInt64) {
        let size = UInt64(ContentTraits.blockSize)
        let next = position + count
        if position / size != next / size, position % size != 0 { endBlock(position / size) }
        position = next
    }

    private mutating func endBlock(_ number: UInt64) {
        guard holdsData else { return }
        holdsData = false
        let number = UInt32(number)
        if let last = runs.last, last.start + last.count == number {
            runs[runs.count - 1].count += 1
        } else {
            runs.append(DataRun(start: number, count: 1))
        }
    }

    /// The runs of all that has passed.
    public consuming func finish() -> [DataRun] {
        if position % UInt64(ContentTraits.blockSize) != 0 { endBlock(position / UInt64(ContentTraits.blockSize)) }
        return runs
    }
}

/// Takes a file's traits while its bytes pass.
public struct ContentTraitsTaker {
    private let hasher = ChecksumHasher()
    private var finder = DataRunFinder()
    private var size: UInt64 = 0

    public init() {}

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        hasher.update(bytes)
        finder.update(bytes)
        size += UInt64(bytes.count)
    }

    /// The traits of all that has passed.
    public consuming func finish() -> ContentTraits {
        let runs = finder.finish()
        let blocks = (size + UInt64(ContentTraits.blockSize) - 1) / UInt64(ContentTraits.blockSize)
        let isWhole = runs.count == 1 && UInt64(runs[0].count) == blocks
        let keeps = size >= ContentTraits.holeThreshold && !isWhole
        return ContentTraits(checksum: hasher.finalized(), dataRuns: keeps ? runs : nil)
    }
}

extension UnsafeRawBufferPointer {
    /// Whether all bytes are zero; quick in both cases.
    public var isZero: Bool {
        guard let baseAddress, count > 0 else { return true }
        // Each byte equals its neighbour and the first is zero.
        return self[0] == 0 && (count == 1 || memcmp(baseAddress, baseAddress + 1, count - 1) == 0)
    }
}
