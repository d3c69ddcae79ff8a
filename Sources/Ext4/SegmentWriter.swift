import Glibc
import RootfsModel

/// A run of image blocks that hold a file's data.
struct DataPiece {
    var physical: UInt64
    var logical: UInt32
    var count: UInt32
    /// The file's node.
    var node: Int
    /// Whether no piece of the same file comes behind it.
    var isLast: Bool
    /// Whether the file's pieces do not stand in its order. Such a piece lies in one segment.
    var isScattered: Bool
}

/// Puts an image out: segments of 1 MiB, each filled by one of several threads from metadata in memory and the
/// files' content, written without its zero blocks, and shown in order to who takes its digest. No byte depends on who
/// fills which segment.
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

    /// A segment that is filled and waits to be written and hashed.
    private struct Filled {
        var number: Int
        /// nil where it is all zero: there is nothing to write.
        var buffer: UnsafeMutableRawBufferPointer?
        /// Which of its blocks hold something.
        var holds: [Bool]
        /// How many of writing and hashing are still to be done.
        var uses: Int
    }

    /// What a thread does next.
    private enum Step {
        case fill(Int, UnsafeMutableRawBufferPointer)
        case write(Filled)
        case hash(Filled)
        case compare
        case stop
    }

    /// What the threads share. One of them hashes at a time, as the order asks, and one writes, because the kernel lets
    /// one write to a file at a time and others would only spin; all the others read. Who has nothing else to do goes on
    /// with the comparing of scattered files.
    private struct State {
        let segments: Int
        var next = 0
        var hashed = 0
        var filled = [Int: Filled]()
        var toWrite = [Int]()
        var isHashing = false
        var isWriting = false
        var isComparing = false
        var isCompared: Bool
        var spare: [UnsafeMutableRawBufferPointer]
        var failure: (any Error)?

        /// nil where there is nothing to do until another thread is done.
        mutating func takeStep() -> Step? {
            if failure != nil { return .stop }
            if !isHashing, let ready = filled[hashed] {
                isHashing = true
                return .hash(ready)
            }
            if !isWriting, let number = toWrite.first, let ready = filled[number] {
                toWrite.removeFirst()
                isWriting = true
                return .write(ready)
            }
            if next < segments, let buffer = spare.popLast() {
                next += 1
                return .fill(next - 1, buffer)
            }
            if !isComparing && !isCompared {
                isComparing = true
                return .compare
            }
            return hashed == segments && filled.isEmpty && isCompared ? .stop : nil
        }

        mutating func used(_ number: Int) {
            guard let uses = filled[number]?.uses else { return }
            if uses > 1 {
                filled[number]?.uses = uses - 1
            } else if let buffer = filled.removeValue(forKey: number)?.buffer {
                spare.append(buffer)
            }
        }
    }

    /// Writes everything. `inOrder` sees the whole image's bytes, holes as zeros, and `progress` is told how many it
    /// saw; both by one thread at a time. `filled` sees them too, segment by segment with the place of each in the image,
    /// in any order and from several threads at once.
    func run(
        jobs: Int, inOrder: (UnsafeRawBufferPointer) -> Void,
        filled: (UInt64, UnsafeRawBufferPointer) -> Void = { _, _ in }, progress: (UInt64, UInt64) -> Void
    ) throws {
        let jobs = max(1, jobs)
        let buffers = (0..<jobs * 2 + 4).map { _ in
            UnsafeMutableRawBufferPointer.allocate(byteCount: Self.segmentBytes, alignment: blockSize)
        }
        let zero = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.segmentBytes, alignment: blockSize)
        zero.zero()
        defer {
            for buffer in buffers { buffer.deallocate() }
            zero.deallocate()
        }
        let segments = Int((size + UInt64(Self.segmentBytes) - 1) / UInt64(Self.segmentBytes))
        let scattered = ScatteredChecks(pieces, of: tree)
        let lock = Lock(State(segments: segments, isCompared: scattered.isDone, spare: buffers))
        var checks = PassingChecks()

        runConcurrently(jobs) {
            while true {
                let step = lock.wait(for: { $0.takeStep() })
                do {
                    switch step {
                    case .stop: return
                    case .compare:
                        try scattered.step()
                        lock.withLock { state in
                            state.isComparing = false
                            state.isCompared = scattered.isDone
                        }
                    case .fill(let number, let buffer):
                        try Task.checkCancellation()
                        let holds = try fill(segment: number, buffer, scattered)
                        filled(UInt64(number * Self.segmentBytes), bytes(ofSegment: number, in: buffer))
                        let isZero = !holds.contains(true)
                        lock.withLock { state in
                            state.filled[number] = Filled(
                                number: number, buffer: isZero ? nil : buffer, holds: holds, uses: isZero ? 1 : 2)
                            if isZero { state.spare.append(buffer) } else { state.toWrite.append(number) }
                        }
                    case .write(let ready):
                        if let buffer = ready.buffer {
                            try write(buffer, ready.holds, at: UInt64(ready.number * Self.segmentBlocks))
                        }
                        lock.withLock { state in
                            state.isWriting = false
                            state.used(ready.number)
                        }
                    case .hash(let ready):
                        let start = UInt64(ready.number * Self.segmentBytes)
                        let bytes = bytes(ofSegment: ready.number, in: ready.buffer ?? zero)
                        inOrder(bytes)
                        try check(segment: ready.number, bytes, &checks)
                        progress(start + UInt64(bytes.count), size)
                        lock.withLock { state in
                            state.hashed += 1
                            state.isHashing = false
                            state.used(ready.number)
                        }
                    }
                } catch {
                    lock.withLock { $0.failure = $0.failure ?? error }
                }
            }
        }
        if let failure = lock.withLock({ $0.failure }) { throw failure }
        try scattered.finish()
    }

    /// The part of a segment's buffer that the image has: the last segment may be cut off.
    private func bytes(ofSegment number: Int, in buffer: UnsafeMutableRawBufferPointer) -> UnsafeRawBufferPointer {
        let count = Int(min(UInt64(Self.segmentBytes), size - UInt64(number * Self.segmentBytes)))
        return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])
    }

    /// The part of a piece that lies in a range of blocks, and where in its file that begins, in bytes.
    private struct Part {
        var blocks: Range<UInt64>
        var offset: UInt64
        /// Bytes of the file; what the last block has behind them is zero.
        var count: Int
        /// Whether it is all of the file.
        var isWhole: Bool
        /// Whether no other part of the file comes behind it.
        var isLast: Bool

        init(of piece: DataPiece, in segment: Range<UInt64>, _ blob: Blob) {
            let end = min(piece.physical + UInt64(piece.count), segment.upperBound)
            blocks = max(piece.physical, segment.lowerBound)..<end
            offset = (UInt64(piece.logical) + blocks.lowerBound - piece.physical) * UInt64(blockSize)
            count = Int(min(UInt64(blocks.count * blockSize), blob.size - offset))
            isWhole = offset == 0 && UInt64(count) == blob.size
            isLast = piece.isLast && end == piece.physical + UInt64(piece.count)
        }
    }

    /// Compares files with what the tree says of them that the filling of a segment could not see whole. Those whose
    /// holes had to be looked for were compared then.
    private func check(segment: Int, _ bytes: UnsafeRawBufferPointer, _ checks: inout PassingChecks) throws {
        let first = UInt64(segment * Self.segmentBlocks)
        let range = first..<first + UInt64(Self.segmentBlocks)
        var position = firstPiece(endingAfter: first)
        while position < pieces.count, pieces[position].physical < range.upperBound {
            let piece = pieces[position]
            position += 1
            let node = tree.nodes[piece.node]
            guard let blob = node.blob, !piece.isScattered, !HoleScan.looks(at: blob) else { continue }
            let part = Part(of: piece, in: range, blob)
            if part.isWhole { continue }
            let place = Int(part.blocks.lowerBound - first) * blockSize
            try checks.pass(
                UnsafeRawBufferPointer(rebasing: bytes[place..<place + part.count]), of: blob, at: node.path,
                node: piece.node, offset: part.offset, isLast: part.isLast)
        }
    }

    /// Fills one segment; tells which of its blocks hold something.
    private func fill(
        segment: Int, _ buffer: UnsafeMutableRawBufferPointer, _ scattered: ScatteredChecks
    ) throws -> [Bool] {
        let first = UInt64(segment * Self.segmentBlocks)
        let end = min(first + UInt64(Self.segmentBlocks), blockCount(size))
        var holds = [Bool](repeating: false, count: Self.segmentBlocks)
        var position = firstPiece(endingAfter: first)
        while position < pieces.count, pieces[position].physical < end {
            let content = try read(pieces[position], first..<end, into: buffer, &holds)
            if pieces[position].isScattered { scattered.note(content, of: position) }
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
        return holds
    }

    /// The first piece that ends behind a block.
    private func firstPiece(endingAfter block: UInt64) -> Int {
        var low = 0
        var high = pieces.count
        while low < high {
            let middle = (low + high) / 2
            if pieces[middle].physical + UInt64(pieces[middle].count) <= block {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    /// Gives the bytes of the file that the segment has of a piece.
    private func read(
        _ piece: DataPiece, _ segment: Range<UInt64>, into buffer: UnsafeMutableRawBufferPointer, _ holds: inout [Bool]
    ) throws -> UnsafeRawBufferPointer {
        let node = tree.nodes[piece.node]
        guard let blob = node.blob else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let part = Part(of: piece, in: segment, blob)
        let place = Int(part.blocks.lowerBound - segment.lowerBound) * blockSize
        let room = part.blocks.count * blockSize
        let content = UnsafeMutableRawBufferPointer(rebasing: buffer[place..<place + part.count])
        let reader = try ContentReader(blob, of: node.path)
        try reader.read(into: content, at: part.offset)
        if part.isWhole && !HoleScan.looks(at: blob) {
            try ContentCheck.run(on: UnsafeRawBufferPointer(content), of: blob, at: node.path)
        }
        UnsafeMutableRawBufferPointer(rebasing: buffer[place + part.count..<place + room]).zero()
        for index in place / blockSize..<(place + room) / blockSize { holds[index] = true }
        return UnsafeRawBufferPointer(content)
    }

    /// Writes the longest runs of blocks that hold something.
    private func write(_ buffer: UnsafeMutableRawBufferPointer, _ holds: [Bool], at first: UInt64) throws {
        var index = 0
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
        }
    }

    /// The bytes that the image takes on the host's disk.
    var neededBytes: UInt64 {
        (pieces.reduce(0) { $0 + UInt64($1.count) } + memory.writtenBlocks) * UInt64(blockSize)
    }
}
