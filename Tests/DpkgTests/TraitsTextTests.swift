import RootfsModel
import Testing

@testable import Dpkg

@Suite struct TraitsTextTests {
    private func node(_ path: TreePath, _ traits: ContentTraits) -> FileNode {
        let blob = Blob(size: 1, digest: nil, source: .absent, traits: traits)
        return FileNode(path: path, kind: .file(blob, linkGroup: 0), metadata: Metadata(mode: 0o644))
    }

    @Test func whatIsWrittenIsRead() throws {
        let traits = [
            ContentTraits(checksum: Checksum(high: .max, low: 0), dataRuns: nil),
            ContentTraits(checksum: Checksum(high: 1, low: 0xabcd), dataRuns: []),
            ContentTraits(
                checksum: Checksum(high: 0, low: 7),
                dataRuns: [DataRun(start: 0, count: 17), DataRun(start: 40, count: .max)]),
        ]
        let tree = try FileTree(zip(["a", "b", "c"], traits).map { node($0, $1) })
        let text = TraitsText.bytes(of: tree)
        #expect(
            String(decoding: text, as: UTF8.self) == """
                ffffffffffffffff0000000000000000
                0000000000000001000000000000abcd holes
                00000000000000000000000000000007 holes 0+17 40+4294967295

                """)
        #expect(try TraitsText.parse(text, name: "traits") == traits)
    }

    @Test(arguments: [
        "0", "g0000000000000000000000000000000", "00000000000000000000000000000007x",
        "00000000000000000000000000000007 holes 1", "00000000000000000000000000000007 holes 1+2+3",
        "00000000000000000000000000000007 holes 1+4294967296", "00000000000000000000000000000007 1+2",
    ])
    func anotherFormIsRefused(line: String) {
        let good = "00000000000000000000000000000007\n"
        let failure = #expect(throws: Failure.self) {
            _ = try TraitsText.parse(Array((good + line + "\n").utf8), name: "traits")
        }
        #expect(failure?.message == "traits: line 2 is no checksum and runs")
    }
}
