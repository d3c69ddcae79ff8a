import Dispatch
import Glibc
import RootfsModel

/// A run of image blocks that hold a file's data.
struct DataPiece {
    var physical: UInt64
    var logical: UInt32
    var count: UInt32
    /// The file's node.
    var node: Int
}

/// Puts an image out: segments of 1 MiB, each filled by one of several threads from metadata in memory and the
/// files' content, written without its zero blocks, and hashed in order. No byte depends on who fills which segment.
struct SegmentWriter {
    static let segmentBlocks = 256
    private static let segmentBytes = segmentBlocks * blockSize

    let tree: FileTree
    /// Sorted by place in the image.
    let pieces: [DataPiece]
    let memory: MemoryImage
    let descriptor: Int32
    /// For messages.
    let path: String
    let size: UInt64

    /// What the threads share.
    private struct State {
        var next = 0
        var nextToHash = 0
        /// Segments that wait for those before them; nil for one that is all zero.
        var filled = [Int: UnsafeMutableRawBufferPointer?]()
        var isHashing = false
        var spare: [UnsafeMutableRawBufferPointer]
        var failure: (any Error)?
    }

    /// Writes everything and gives the SHA-256 of the whole image. `progress` is told of hashed bytes, by one thread at
    /// a time.
    func run(jobs: Int, progress: (UInt64, UInt64) -> Void) throws -> Digest {
        let jobs = max(1, jobs)
        let buffers = (0..<jobs * 2).map { _ in
            UnsafeMutableRawBufferPointer.allocate(byteCount: Self.segmentBytes, alignment: blockSize)
        }
        let zero = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.segmentBytes, alignment: blockSize)
        zero.zero()
        defer {
            buffers.forEach { $0.deallocate() }
            zero.deallocate()
        }
        let lock = Lock(State(spare: buffers))
        // A thread takes a buffer before it takes a segment: the segment that all wait for always has one.
        let available = DispatchSemaphore(value: buffers.count)
        var hasher = DigestHasher()
        let segments = Int((size + UInt64(Self.segmentBytes) - 1) / UInt64(Self.segmentBytes))

        func hashFilled() {
            while true {
                // Taken out under the lock; hashed outside, by the one thread that holds `isHashing`.
                let ready = lock.withLock { state -> (number: Int, buffer: UnsafeMutableRawBufferPointer?)? in
                    guard state.failure == nil, let buffer = state.filled.removeValue(forKey: state.nextToHash) else {
                        state.isHashing = false
                        return nil
                    }
                    return (state.nextToHash, buffer)
                }
                guard let ready else { return }
                if Task.isCancelled {
                    lock.withLock { $0.failure = $0.failure ?? CancellationError() }
                    available.signal()
                }
                let start = UInt64(ready.number * Self.segmentBytes)
                let count = Int(min(UInt64(Self.segmentBytes), size - start))
                hasher.update(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(ready.buffer ?? zero)[..<count]))
                progress(start + UInt64(count), size)
                lock.withLock { state in
                    state.nextToHash += 1
                    if let buffer = ready.buffer { state.spare.append(buffer) }
                }
                if ready.buffer != nil { available.signal() }
            }
        }

        runConcurrently(jobs) {
            while true {
                available.wait()
                let work = lock.withLock { state -> (Int, UnsafeMutableRawBufferPointer)? in
                    guard state.failure == nil, state.next < segments, let buffer = state.spare.popLast() else {
                        return nil
                    }
                    state.next += 1
                    return (state.next - 1, buffer)
                }
                guard let (number, buffer) = work else {
                    available.signal()
                    return
                }
                do {
                    try Task.checkCancellation()
                    let holdsData = try fill(segment: number, buffer)
                    let hashes = lock.withLock { state in
                        state.filled.updateValue(holdsData ? buffer : nil, forKey: number)
                        if !holdsData { state.spare.append(buffer) }
                        if state.isHashing { return false }
                        state.isHashing = true
                        return true
                    }
                    if !holdsData { available.signal() }
                    if hashes { hashFilled() }
                } catch {
                    lock.withLock { $0.failure = $0.failure ?? error }
                    available.signal()
                }
            }
        }
        if let failure = lock.withLock({ $0.failure }) { throw failure }
        return hasher.finalized()
    }

    /// Fills one segment and writes its blocks; false where it is all zero.
    private func fill(segment: Int, _ buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
        let first = UInt64(segment * Self.segmentBlocks)
        let end = min(first + UInt64(Self.segmentBlocks), blockCount(size))
        var holds = [Bool](repeating: false, count: Self.segmentBlocks)
        var position = firstPiece(endingAfter: first)
        while position < pieces.count, pieces[position].physical < end {
            try read(pieces[position], first..<end, into: buffer, &holds)
            position += 1
        }
        for number in first..<end {
            if let block = memory.block(number) {
                let index = Int(number - first)
                UnsafeMutableRawBufferPointer(rebasing: buffer[index * blockSize..<(index + 1) * blockSize])
                    .copyMemory(from: block)
                holds[index] = true
            }
        }
        for index in 0..<Self.segmentBlocks {
            let block = UnsafeMutableRawBufferPointer(rebasing: buffer[index * blockSize..<(index + 1) * blockSize])
            // A block of zeros stays a hole of the host's file.
            if holds[index] { holds[index] = !UnsafeRawBufferPointer(block).isZero } else { block.zero() }
        }
        return try write(buffer, holds, at: first)
    }

    /// The first piece that ends behind a block.
    private func firstPiece(endingAfter block: UInt64) -> Int {
        var low = 0, high = pieces.count
        while low < high {
            let middle = (low + high) / 2
            if pieces[middle].physical + UInt64(pieces[middle].count) <= block { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func read(
        _ piece: DataPiece, _ segment: Range<UInt64>, into buffer: UnsafeMutableRawBufferPointer, _ holds: inout [Bool]
    ) throws {
        let node = tree.nodes[piece.node]
        guard let blob = node.blob else { return }
        let start = max(piece.physical, segment.lowerBound)
        let end = min(piece.physical + UInt64(piece.count), segment.upperBound)
        let offset = (UInt64(piece.logical) + start - piece.physical) * UInt64(blockSize)
        let place = Int(start - segment.lowerBound) * blockSize
        let room = Int(end - start) * blockSize
        let count = Int(min(UInt64(room), blob.size - offset))
        let reader = try ContentReader(blob, of: node.path)
        try reader.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[place..<place + count]), at: offset)
        UnsafeMutableRawBufferPointer(rebasing: buffer[place + count..<place + room]).zero()
        for index in Int(start - segment.lowerBound)..<Int(end - segment.lowerBound) { holds[index] = true }
    }

    /// Writes the longest runs of blocks that hold something.
    private func write(_ buffer: UnsafeMutableRawBufferPointer, _ holds: [Bool], at first: UInt64) throws -> Bool {
        var index = 0
        var wroteAny = false
        while index < holds.count {
            if !holds[index] {
                index += 1
                continue
            }
            let start = index
            while index < holds.count && holds[index] { index += 1 }
            var part = UnsafeRawBufferPointer(rebasing: buffer[start * blockSize..<index * blockSize])
            var offset = off_t(first + UInt64(start)) * off_t(blockSize)
            while !part.isEmpty {
                let count = pwrite(descriptor, part.baseAddress, part.count, offset)
                if count < 0 && errno == EINTR { continue }
                if count <= 0 { throw ImageFile.writeFailure(path, errno: errno, needed: neededBytes) }
                part = UnsafeRawBufferPointer(rebasing: part[count...])
                offset += off_t(count)
            }
            wroteAny = true
        }
        return wroteAny
    }

    /// The bytes that the image takes on the host's disk.
    var neededBytes: UInt64 {
        (pieces.reduce(0) { $0 + UInt64($1.count) } + memory.writtenBlocks) * UInt64(blockSize)
    }
}
