import RootfsModel

/// Gives every piece its blocks, such that a piece stays where it is when others come, go or grow (docs/layout.md).
///
/// The image is seen as units of 64 to 256 blocks. Parts of large files take a unit each. Pieces of one size below share
/// units that are cut into slots of this size: which slot it is of all slots of the size, and which unit those slots are
/// in, is chosen by name. What finds no unit, because the image is small or nearly full, takes the first blocks that are
/// free.
struct PiecePlacement {
    private(set) var map: BlockMap
    /// The runs of all pieces, one piece's after another's, and where each piece's are.
    private(set) var runs = [BlockRun]()
    private(set) var ranges: [Range<Int>]
    /// The blocks for which there was no room.
    private(set) var missing: UInt64 = 0

    /// Blocks. A unit holds so many of each that less than a seventh of it is left over.
    private let slotSizes: [Int]
    private let unit: Int
    /// By size of the slots: their units, in the units' own order; nil for one that found no place.
    private var slotUnits = [Int: [Int?]]()

    /// A part of a piece that is placed as a whole.
    private struct Share {
        var piece: Int
        /// The blocks of the piece before it.
        var offset: Int
        var blocks: Int
        var places: StablePlaces
        var group: (seed: UInt64, place: Int)?
        /// Where it was put; empty while it has no place.
        var runs = [BlockRun]()
    }

    init(_ pieces: [ContentPiece], unit: Int, on map: BlockMap) {
        self.map = map
        self.unit = unit
        slotSizes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 21, 32, 42, 51, 64, 85, 128]
            .filter { $0 * 2 <= unit && unit % $0 * 7 < unit }
        ranges = []
        ranges.reserveCapacity(pieces.count)
        var shares = shares(of: pieces)
        var large = [Int]()
        var small = [Int: [Int]]()
        for (index, share) in shares.enumerated() {
            if let size = slotSizes.first(where: { $0 >= share.blocks }) {
                small[size, default: []].append(index)
            } else {
                large.append(index)
            }
        }
        let need = pieces.reduce(0) { $0 + $1.blocks }
        let slack = Self.slack(free: map.freeBlocks, need: UInt64(need))
        takeUnits(for: large, and: small, of: &shares, slack: slack)
        for size in slotSizes {
            if let chosen = small[size] { fillSlots(of: size, with: chosen, of: &shares) }
        }
        placeRest(&shares)
        collect(shares, pieces: pieces.count)
    }

    /// How many slots of a size stay free, in 32nds: fewer where the image is nearly full. Of four values, so that they
    /// do not become others with each file.
    private static func slack(free: UInt64, need: UInt64) -> Int {
        let spare = free - min(free, need)
        return spare * 8 >= need * 3 ? 8 : spare * 16 >= need * 3 ? 4 : spare * 32 >= need * 3 ? 2 : 0
    }

    private func shares(of pieces: [ContentPiece]) -> [Share] {
        var shares = [Share]()
        shares.reserveCapacity(pieces.count)
        for (number, piece) in pieces.enumerated() {
            var offset = 0
            for blocks in parts(of: piece.blocks) {
                shares.append(
                    Share(
                        piece: number, offset: offset, blocks: blocks,
                        places: StablePlaces(seed: piece.seed &+ UInt64(offset)),
                        group: piece.blocks == unit ? piece.group : nil))
                offset += blocks
            }
        }
        return shares
    }

    /// A piece takes a slot of its own, or, where that would leave more than a sixth of it empty, two or three.
    private func parts(of blocks: Int) -> [Int] {
        var parts = [Int]()
        var left = blocks
        while left > 0 {
            let slot = slotSizes.first { $0 >= left } ?? unit
            let half = 1 << (Int.bitWidth - 1 - left.leadingZeroBitCount)
            if parts.count == 2 || (slot - left) * 6 <= left {
                parts.append(left)
                left = 0
            } else {
                parts.append(half)
                left -= half
            }
        }
        return parts
    }

    /// Large shares and the units that are cut into slots choose among all units, in an order that follows from their
    /// names.
    private mutating func takeUnits(
        for large: [Int], and small: [Int: [Int]], of shares: inout [Share], slack: Int
    ) {
        enum Taker {
            case share(Int)
            case slots(size: Int, number: Int)
        }
        var takers = large.map { (seed: shares[$0].places.seed, taker: Taker.share($0)) }
        for size in slotSizes {
            guard let count = small[size]?.count else { continue }
            let wanted = count + count * slack / 32
            let inUnit = unit / size
            let units = (wanted + inUnit - 1) / inUnit
            slotUnits[size] = [Int?](repeating: nil, count: units)
            takers += (0..<units).map {
                (StablePlaces(seed: UInt64(size) << 32 | UInt64($0)).seed, Taker.slots(size: size, number: $0))
            }
        }
        takers.sort { $0.seed < $1.seed }
        for (seed, taker) in takers {
            var places = StablePlaces(seed: seed)
            switch taker {
            case .slots(let size, let number):
                guard let unit = freeUnit(&places, group: nil) else { continue }
                map.take(BlockRun(start: UInt64(unit * self.unit), count: UInt64(self.unit)))
                slotUnits[size]?[number] = unit
            case .share(let index):
                guard let unit = freeUnit(&places, group: shares[index].group) else { continue }
                put(&shares[index], at: unit * self.unit)
                for run in shares[index].runs { map.take(run) }
            }
        }
    }

    private mutating func fillSlots(of size: Int, with chosen: [Int], of shares: inout [Share]) {
        let slotsInUnit = unit / size
        let places = slotUnits[size] ?? []
        var isUsed = [Bool](repeating: false, count: places.count * slotsInUnit)
        for index in chosen.sorted(by: { shares[$0].places.seed < shares[$1].places.seed }) {
            var tries = shares[index].places
            guard let slot = tries.choose(among: isUsed.count, of: isUsed.count, where: { !isUsed[$0] }) else {
                continue
            }
            isUsed[slot] = true
            guard let unit = places[slot / slotsInUnit] else { continue }
            put(&shares[index], at: unit * self.unit + slot % slotsInUnit * size)
        }
        // What the slots leave over is free for what finds no place.
        for unit in places.compactMap({ $0 }) { map.release(unit: unit) }
        for index in chosen { for run in shares[index].runs { map.take(run) } }
    }

    private mutating func put(_ share: inout Share, at block: Int) {
        share.runs = [BlockRun(start: UInt64(block), count: UInt64(share.blocks))]
    }

    /// A free unit: with its neighbours in the file if it can be.
    private func freeUnit(_ places: inout StablePlaces, group: (seed: UInt64, place: Int)?) -> Int? {
        if map.freeBlocks < UInt64(self.unit) { return nil }
        if let group {
            var first = StablePlaces(seed: group.seed)
            let wanted = first.next(below: max(1, map.preferredUnits)) + group.place
            if wanted < map.units && map.isFree(unit: wanted) { return wanted }
        }
        return places.choose(among: map.preferredUnits, of: map.units, where: map.isFree(unit:))
    }

    /// The first free blocks, in the order of the tree, for all that has no place yet.
    private mutating func placeRest(_ shares: inout [Share]) {
        for index in shares.indices where shares[index].runs.isEmpty {
            var left = UInt64(shares[index].blocks)
            while left > 0 {
                guard let run = map.takeFirst(left) else {
                    missing += left
                    break
                }
                shares[index].runs.append(run)
                left -= run.count
            }
        }
    }

    /// Joins the shares of each piece, which stand in its order.
    private mutating func collect(_ shares: [Share], pieces: Int) {
        var index = 0
        for piece in 0..<pieces {
            let first = runs.count
            while index < shares.count && shares[index].piece == piece {
                runs += shares[index].runs
                index += 1
            }
            ranges.append(first..<runs.count)
        }
    }
}
