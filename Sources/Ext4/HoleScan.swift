import RootfsModel

/// Finds the blocks of large files that are all zero: they become holes. Decided by content alone, so that the same
/// bytes give the same image whatever holes the host's copy has. It reads large files whole, and in order, and so it is
/// also what compares them with their digests.
enum HoleScan {
    /// Smaller files are written whole: a hole in them saves little and costs an extent.
    static let threshold: UInt64 = 1 << 20

    private struct State {
        var next = 0
        var found = [Int: [LogicalRun]]()
        var failure: (any Error)?
    }

    /// The runs with data of each large file that has holes, by node.
    static func run(_ tree: FileTree, jobs: Int) throws -> [Int: [LogicalRun]] {
        var groups = Set<UInt32>()
        let large = tree.nodes.indices.filter { index in
            guard case .file(let blob, let group) = tree.nodes[index].kind, blob.size >= threshold else { return false }
            return group == 0 || groups.insert(group).inserted
        }
        let state = Lock(State())
        runConcurrently(min(jobs, large.count)) {
            while let index = state.withLock({ state -> Int? in
                guard state.failure == nil, state.next < large.count else { return nil }
                state.next += 1
                return large[state.next - 1]
            }) {
                do {
                    try Task.checkCancellation()
                    let runs = try scan(tree.nodes[index])
                    state.withLock { $0.found[index] = runs }
                } catch {
                    state.withLock { $0.failure = $0.failure ?? error }
                }
            }
        }
        let result = state.withLock { $0 }
        if let failure = result.failure { throw failure }
        // Hard links have their first name's runs; the plan may come by another name first.
        return spread(result.found, over: tree)
    }

    private static func spread(_ found: [Int: [LogicalRun]], over tree: FileTree) -> [Int: [LogicalRun]] {
        var byGroup = [UInt32: [LogicalRun]]()
        for (index, runs) in found where tree.nodes[index].linkGroup != 0 {
            byGroup[tree.nodes[index].linkGroup] = runs
        }
        if byGroup.isEmpty { return found }
        var result = found
        for index in tree.nodes.indices {
            if let runs = byGroup[tree.nodes[index].linkGroup] { result[index] = runs }
        }
        return result
    }

    /// The runs of a file's blocks that are not all zero. Throws where the content is not the digest's.
    static func scan(_ node: FileNode) throws -> [LogicalRun] {
        guard let blob = node.blob else { return [] }
        var check = ContentCheck(of: blob, at: node.path)
        let reader = try ContentReader(blob, of: node.path)
        let size = UInt64(blockSize)
        let chunk = UInt64(1 << 18)
        var runs = [LogicalRun]()
        try withUnsafeTemporaryAllocation(byteCount: Int(chunk), alignment: 16) { buffer in
            var offset: UInt64 = 0
            while offset < blob.size {
                let data = reader.dataRange(from: offset)
                if data.isEmpty { break }
                let first = data.lowerBound / size * size
                check?.addZeros(first - min(offset, first))
                offset = max(offset, first)
                // To the end of the last block that has data, a hole in it included.
                let end = min(blob.size, blockCount(data.upperBound) * size)
                while offset < end {
                    try Task.checkCancellation()
                    let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(chunk, end - offset))])
                    try reader.read(into: part, at: offset)
                    check?.add(UnsafeRawBufferPointer(part))
                    for start in stride(from: 0, to: part.count, by: blockSize) {
                        let block = UnsafeRawBufferPointer(
                            rebasing: part[start..<min(start + blockSize, part.count)])
                        if block.isZero { continue }
                        let number = UInt32((offset + UInt64(start)) / size)
                        if let last = runs.last, last.start + last.count == number {
                            runs[runs.count - 1].count += 1
                        } else {
                            runs.append(LogicalRun(start: number, count: 1))
                        }
                    }
                    offset += UInt64(part.count)
                }
            }
            check?.addZeros(blob.size - min(offset, blob.size))
        }
        try check?.finish()
        return runs
    }
}
