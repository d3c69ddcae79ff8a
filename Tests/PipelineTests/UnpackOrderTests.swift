import TestSupport
import Testing

@testable import Pipeline

@Suite struct UnpackOrderTests {
    @Test func `earlier layers come first, the largest of each first`() {
        let packages: [(layer: Int, size: UInt64)] = [(1, 30), (0, 10), (0, 20), (1, 31), (0, 20), (2, 5)]
        #expect(unpackOrder(packages, jobs: 1) == [2, 4, 1, 3, 0, 5])
    }

    @Test func `a package as large as half of the rest is begun before it would run alone`() {
        // With two threads: while one unpacks the 100, the other has 90 to do.
        let packages: [(layer: Int, size: UInt64)] = [(0, 30), (0, 20), (1, 40), (1, 40), (2, 100), (2, 10)]
        #expect(unpackOrder(packages, jobs: 2) == [0, 1, 4, 2, 3, 5])
        // One thread is never alone, and the order of the layers is the best.
        #expect(unpackOrder(packages, jobs: 1) == [0, 1, 2, 3, 4, 5])
    }

    @Test func `no order of any packages leaves a thread idle for longer than the largest takes`() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<200 {
            let jobs = Int.random(in: 1...6, using: &random)
            let packages = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                (layer: Int.random(in: 0...4, using: &random), size: UInt64.random(in: 1...1000, using: &random))
            }
            let order = unpackOrder(packages, jobs: jobs)
            #expect(order.sorted() == Array(packages.indices))
            var busy = [UInt64](repeating: 0, count: jobs)
            for index in order {
                let first = busy.indices.min { busy[$0] < busy[$1] } ?? 0
                busy[first] += packages[index].size
            }
            let largest = packages.map(\.size).max() ?? 0
            #expect((busy.max() ?? 0) - (busy.min() ?? 0) <= largest)
        }
    }
}
