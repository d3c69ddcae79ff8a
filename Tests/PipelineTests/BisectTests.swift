import TestSupport
import Testing

@testable import Pipeline

/// The order of changes and the halving, on what chance gives.
@Suite struct BisectOrderTests {
    @Test func everyFirstFewGroupsAreComplete() {
        for seed in UInt64(1)...200 {
            var random = SeededGenerator(seed: seed)
            let count = Int.random(in: 0...30, using: &random)
            let needs = (0..<count).map { _ in
                Set((0..<Int.random(in: 0...2, using: &random)).map { _ in Int.random(in: 0..<count, using: &random) })
            }
            let groups = BisectGroups.ordered(needs, ranks: (0..<count).map { $0 % 3 })
            #expect(groups.joined().sorted() == Array(0..<count), "seed \(seed)")
            var made = Set<Int>()
            for group in groups {
                made.formUnion(group)
                #expect(made.allSatisfy { needs[$0].isSubset(of: made) }, "seed \(seed)")
            }
        }
    }

    @Test func whatNeedsNothingComesInTheOrderOfTheLayersOneByOne() {
        #expect(BisectGroups.ordered([[], [], [], []], ranks: [2, 0, 1, 0]) == [[1], [3], [2], [0]])
        // 0 and 1 need each other; 2 needs them, and stays behind although its layer is lower.
        #expect(BisectGroups.ordered([[1], [0], [0]], ranks: [1, 1, 0]) == [[0, 1], [2]])
    }

    @Test func halvingEndsAtTheFirstBadOne() {
        for seed in UInt64(1)...300 {
            var random = SeededGenerator(seed: seed)
            let count = Int.random(in: 1...40, using: &random)
            let first = Int.random(in: 1...count, using: &random)
            let skipped = Set(
                (0..<Int.random(in: 0...count, using: &random)).map { _ in
                    Int.random(in: 0...count, using: &random)
                }
            ).subtracting([0, count])
            var search = BisectSearch(groups: count)
            var steps = 0
            let most = search.most
            while let next = search.next {
                #expect((1..<count).contains(next))
                steps += 1
                search.note(skipped.contains(next) ? .skipped : next < first ? .good : .bad, of: next)
            }
            #expect(search.good < first && first <= search.bad, "seed \(seed)")
            #expect((search.good + 1..<search.bad).allSatisfy(skipped.contains), "seed \(seed)")
            if skipped.isEmpty { #expect(search.bad - search.good == 1 && steps <= most, "seed \(seed)") }
        }
    }
}
