/// Which blocks of an image are in use, a bit each.
struct BlockMap {
    /// 64 blocks each, that of the lowest number in the lowest bit.
    private(set) var words: [UInt64]
    private let wordsInUnit: Int
    private(set) var freeBlocks: UInt64 = 0
    /// All below are in use.
    private var firstFree = 0

    /// - Parameters:
    ///   - blocks: how many there are.
    ///   - free: those that are not in use.
    ///   - unit: how many blocks a unit has, a multiple of 64.
    init(blocks: UInt64, free: [BlockRun], unit: Int) {
        wordsInUnit = unit / 64
        words = [UInt64](repeating: .max, count: (Int(blocks) + unit - 1) / unit * wordsInUnit)
        for run in free {
            freeBlocks += run.count
            change(run) { $0 &= ~$1 }
        }
    }

    /// How many units there are, the last one perhaps cut off.
    var units: Int { words.count / wordsInUnit }

    /// The units that are chosen by name: as many as there are, rounded down by at most a seventh, so that the number
    /// seldom becomes another when the image grows: then a part of everything moves. Those behind them are for what
    /// finds no other place.
    var preferredUnits: Int {
        let step = max(1, (1 << (Int.bitWidth - 1 - max(1, units).leadingZeroBitCount)) / (units < 1024 ? 4 : 8))
        return units / step * step
    }

    func isFree(unit: Int) -> Bool { words[range(unit)].allSatisfy { $0 == 0 } }

    func isFree(block: Int) -> Bool { words[block / 64] >> UInt64(block % 64) & 1 == 0 }

    mutating func take(_ run: BlockRun) {
        freeBlocks -= run.count
        change(run) { $0 |= $1 }
    }

    /// Gives all blocks of a unit back.
    mutating func release(unit: Int) {
        for word in range(unit) {
            freeBlocks += UInt64(words[word].nonzeroBitCount)
            words[word] = 0
        }
    }

    private func range(_ unit: Int) -> Range<Int> { unit * wordsInUnit..<(unit + 1) * wordsInUnit }

    /// The first free blocks that stand together, at most so many; nil where none is free.
    mutating func takeFirst(_ count: UInt64) -> BlockRun? {
        while firstFree < words.count && words[firstFree] == .max { firstFree += 1 }
        guard firstFree < words.count else { return nil }
        let start = firstFree * 64 + (~words[firstFree]).trailingZeroBitCount
        var end = start + 1
        while end < words.count * 64 && UInt64(end - start) < count && isFree(block: end) { end += 1 }
        let run = BlockRun(start: UInt64(start), count: UInt64(end - start))
        take(run)
        return run
    }

    /// What is in use here and was not there.
    func runsTaken(since before: BlockMap) -> [BlockRun] {
        var runs = [BlockRun]()
        for index in words.indices {
            var new = words[index] & ~before.words[index]
            while new != 0 {
                let first = new.trailingZeroBitCount
                let count = (~(new >> UInt64(first))).trailingZeroBitCount
                let start = UInt64(index * 64 + first)
                if let last = runs.last, last.start + last.count == start {
                    runs[runs.count - 1].count += UInt64(count)
                } else {
                    runs.append(BlockRun(start: start, count: UInt64(count)))
                }
                new &= count + first == 64 ? 0 : ~UInt64(0) << UInt64(first + count)
            }
        }
        return runs
    }

    private mutating func change(_ run: BlockRun, _ body: (inout UInt64, UInt64) -> Void) {
        var start = Int(run.start)
        let end = Int(run.start + run.count)
        while start < end {
            let bit = start % 64
            let count = min(64 - bit, end - start)
            let mask = count == 64 ? UInt64.max : ((1 << UInt64(count)) - 1) << UInt64(bit)
            body(&words[start / 64], mask)
            start += count
        }
    }
}
