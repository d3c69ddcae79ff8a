import RootfsModel

/// Finds the blocks of large files that are all zero: they become holes. Decided by content alone, so that the same
/// bytes give the same image whatever holes the host's copy has. Files whose traits are known need no look; others are
/// read whole, and in order, and so this is also what compares them with their digests.
enum HoleScan {

    private struct State {
        var next = 0
        var found = [Int: [DataRun]]()
        var failure: (any Error)?
    }

    /// The runs with data of each large file that has holes, by node.
    static func run(_ tree: FileTree, jobs: Int) throws -> [Int: [DataRun]] {
        var groups = Set<UInt32>()
        let large = tree.nodes.indices.filter { index in
            guard case .file(let blob, let group) = tree.nodes[index].kind, looks(at: blob) else { return false }
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

    private static func spread(_ found: [Int: [DataRun]], over tree: FileTree) -> [Int: [DataRun]] {
        var byGroup = [UInt32: [DataRun]]()
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

    /// Whether a file is large and nothing is known of its holes.
    static func looks(at blob: Blob) -> Bool {
        blob.traits == nil && blob.size >= ContentTraits.holeThreshold
    }

    /// The runs of a file's blocks that are not all zero. Throws where the content is not the digest's.
    static func scan(_ node: FileNode) throws -> [DataRun] {
        guard let blob = node.blob else { return [] }
        var check = ContentCheck(of: blob, at: node.path)
        let reader = try ContentReader(blob, of: node.path)
        let chunk = UInt64(1 << 18)
        var finder = DataRunFinder()
        try withUnsafeTemporaryAllocation(byteCount: Int(chunk), alignment: 16) { buffer in
            var offset: UInt64 = 0
            while offset < blob.size {
                let data = reader.dataRange(from: offset)
                check?.addZeros(data.lowerBound - offset)
                finder.skip(zeros: data.lowerBound - offset)
                offset = data.lowerBound
                while offset < data.upperBound {
                    try Task.checkCancellation()
                    let part = UnsafeMutableRawBufferPointer(
                        rebasing: buffer[..<Int(min(chunk, data.upperBound - offset))])
                    try reader.read(into: part, at: offset)
                    check?.add(UnsafeRawBufferPointer(part))
                    finder.update(UnsafeRawBufferPointer(part))
                    offset += UInt64(part.count)
                }
            }
        }
        try check?.finish()
        return finder.finish()
    }
}
