import TestSupport
import Testing

@testable import Comparing

@Suite struct LineDifferenceTests {
    private func lines(_ text: [Int]) -> [ArraySlice<UInt8>] { text.map { ArraySlice(Array("\($0)\n".utf8)) } }

    /// The length of a longest common subsequence, by the table.
    private func common(_ left: [Int], _ right: [Int]) -> Int {
        var row = [Int](repeating: 0, count: right.count + 1)
        for item in left {
            var diagonal = 0
            for (index, other) in right.enumerated() {
                let above = row[index + 1]
                row[index + 1] = item == other ? diagonal + 1 : max(above, row[index])
                diagonal = above
            }
        }
        return row[right.count]
    }

    @Test(arguments: 0..<400) func theScriptIsAShortestOne(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        func text() -> [Int] {
            (0..<Int.random(in: 0...24, using: &random)).map { _ in Int.random(in: 0...4, using: &random) }
        }
        let (left, right) = (text(), text())
        let difference = LineDifference(lines(left), lines(right))
        let kept = zip(left, difference.isRemoved).filter { !$0.1 }.map(\.0)
        #expect(kept == zip(right, difference.isAdded).filter { !$0.1 }.map(\.0), "seed \(seed)")
        #expect(kept.count == common(left, right), "seed \(seed)")
    }

    @Test func textsWithoutALineInCommonEndSoon() {
        let difference = LineDifference(lines(Array(0..<20_000)), lines(Array(30_000..<50_000)))
        #expect(difference.isRemoved.allSatisfy { $0 })
        #expect(difference.isAdded.allSatisfy { $0 })
    }

    private func patch(_ old: String, _ new: String) -> String? { unifiedPatch(Array(old.utf8), Array(new.utf8))?.text }

    @Test func aPatchIsAsDiffWritesIt() {
        #expect(patch("a\nb\nc\n", "a\nB\nc\n") == "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n")
        #expect(patch("", "one\n") == "@@ -0,0 +1 @@\n+one\n")
        #expect(patch("one\n", "") == "@@ -1 +0,0 @@\n-one\n")
        #expect(patch("a", "a\n") == "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n")
        #expect(patch("same\n", "same\n") == nil)
    }

    @Test func changesFarApartAreHunksOfTheirOwn() {
        let old = (1...20).map { "\($0)\n" }.joined()
        let new = old.replacing("\n2\n", with: "\ntwo\n").replacing("19\n", with: "nineteen\n")
        #expect(
            patch(old, new)
                == "@@ -1,5 +1,5 @@\n 1\n-2\n+two\n 3\n 4\n 5\n@@ -16,5 +16,5 @@\n 16\n 17\n 18\n-19\n+nineteen\n 20\n")
    }
}
