import Testing

@testable import Sandboxing

@Suite struct OutputLinesTests {
    /// The lines of a text that arrives in pieces of this size.
    private func lines(of text: [UInt8], pieces: Int) -> [[UInt8]] {
        var lines = OutputLines()
        var result = [[UInt8]]()
        for start in stride(from: 0, to: text.count, by: pieces) {
            text[start..<min(start + pieces, text.count)].withUnsafeBytes { lines.add($0) { result.append(Array($0)) } }
        }
        lines.finish { result.append(Array($0)) }
        return result
    }

    @Test(arguments: [1, 2, 3, 7, 64, 10_000])
    func linesDoNotDependOnHowTheyArrive(pieces: Int) {
        let text = Array("one\n\ntwo two two\n\n\nthree\nno end".utf8)
        let expected = ["one", "", "two two two", "", "", "three", "no end"].map { Array($0.utf8) }
        #expect(lines(of: text, pieces: pieces) == expected)
    }

    @Test(arguments: [1000, 65_536, 200_000])
    func aLongLineComesInPieces(pieces: Int) {
        let text = [UInt8](repeating: 120, count: 150_000) + [10, 121, 10]
        let expected = [65_536, 65_536, 18_928, 1]
        #expect(lines(of: text, pieces: pieces).map(\.count) == expected)
    }

    /// 64 KiB that arrive a byte at a time took two thousand million comparisons when each byte searched all of them.
    @Test func anUnfinishedLineIsSearchedOnce() {
        let text = [UInt8](repeating: 120, count: OutputLines.lineLimit)
        let taken = ContinuousClock().measure { _ = lines(of: text, pieces: 1) }
        #expect(taken < .seconds(2))
    }
}
