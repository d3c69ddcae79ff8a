import RootfsModel

/// Checks the files whose parts do not stand in the image in the file's order. They are read a second time, in order,
/// and compared as a whole with what the tree says; and each part must be the same bytes that went into the image.
///
/// One thread at a time may take a step, and each part is noted once: `SegmentWriter` sees to both.
final class ScatteredChecks {
    private let tree: FileTree
    private let pieces: [DataPiece]
    /// The parts in the order of their files.
    private let order: [Int]
    private var next = 0
    private var running: (check: ContentCheck, position: UInt64)?
    /// By part, of what went into the image and of what was compared.
    private let written: UnsafeMutableBufferPointer<Checksum?>
    private let compared: UnsafeMutableBufferPointer<Checksum?>
    private let buffer: UnsafeMutableRawBufferPointer

    init(_ pieces: [DataPiece], of tree: FileTree) {
        self.tree = tree
        self.pieces = pieces
        order = pieces.indices.filter { pieces[$0].isScattered }.sorted {
            (pieces[$0].node, pieces[$0].logical) < (pieces[$1].node, pieces[$1].logical)
        }
        written = .allocate(capacity: pieces.count)
        compared = .allocate(capacity: pieces.count)
        written.initialize(repeating: nil)
        compared.initialize(repeating: nil)
        buffer = .allocate(byteCount: order.isEmpty ? 0 : SegmentWriter.segmentBlocks * blockSize, alignment: blockSize)
    }

    deinit {
        written.deallocate()
        compared.deallocate()
        buffer.deallocate()
    }

    var isDone: Bool { next == order.count }

    /// Notes what of a file goes into the image as one part.
    func note(_ bytes: UnsafeRawBufferPointer, of piece: Int) {
        written[piece] = Checksum(of: bytes)
    }

    /// Reads and compares the next parts, up to 1 MiB.
    func step() throws {
        var room = SegmentWriter.segmentBlocks
        while next < order.count, Int(pieces[order[next]].count) <= room {
            room -= Int(pieces[order[next]].count)
            try compare(order[next])
            next += 1
        }
    }

    private func compare(_ number: Int) throws {
        let piece = pieces[number]
        let node = tree.nodes[piece.node]
        guard let blob = node.blob else { return }
        let offset = UInt64(piece.logical) * UInt64(blockSize)
        let count = Int(min(UInt64(piece.count) * UInt64(blockSize), blob.size - offset))
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        try ContentReader(blob, of: node.path).read(into: part, at: offset)
        compared[number] = Checksum(of: UnsafeRawBufferPointer(part))
        guard var (check, position) = running ?? ContentCheck(of: blob, at: node.path).map({ ($0, 0) }) else { return }
        check.addZeros(offset - position)
        check.add(UnsafeRawBufferPointer(part))
        position = offset + UInt64(count)
        running = (check, position)
        let isLast = next + 1 == order.count || pieces[order[next + 1]].node != piece.node
        if isLast {
            check.addZeros(blob.size - position)
            try check.finish()
            running = nil
        }
    }

    /// All was written and compared. Throws where a file changed between.
    func finish() throws(Failure) {
        for number in order where written[number] != compared[number] {
            throw ContentCheck.failure(tree.nodes[pieces[number].node].path)
        }
    }
}
