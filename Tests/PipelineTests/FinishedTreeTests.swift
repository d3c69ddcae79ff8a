import Normalization
import RootfsModel
import Testing

@testable import Pipeline

@Suite struct FinishedTreeTests {
    private let moment = Timestamp(seconds: 1_700_000_000)

    private func tree() throws -> FileTree {
        let late = Metadata(mode: 0o644, mtime: Timestamp(seconds: 1_800_000_000))
        return try FileTree([
            FileNode(path: .root, kind: .directory, metadata: Metadata(mode: 0o755)),
            FileNode(path: "late", kind: .file(Blob([1]), linkGroup: 0), metadata: late),
        ])
    }

    @Test func `no time is later than the moment`() throws {
        let finished = try FinishedTree(try tree(), moment: moment, kept: [])
        #expect(finished.tree["late"]?.metadata.mtime == moment)
        #expect(finished.reports.map(\.paths) == [["/late"]])
    }

    @Test func `times are kept where that is asked for`() throws {
        let finished = try FinishedTree(try tree(), moment: moment, kept: ["times"])
        #expect(finished.tree["late"]?.metadata.mtime == Timestamp(seconds: 1_800_000_000))
        #expect(finished.reports == [])
    }
}
