import RootfsModel
import Testing

@Suite struct TreeDifferenceTests {
    private func file(_ path: TreePath, _ text: String, mode: UInt16 = 0o644, group: UInt32 = 0) -> FileNode {
        FileNode(path: path, kind: .file(Blob(Array(text.utf8)), linkGroup: group), metadata: Metadata(mode: mode))
    }

    private func differences(_ old: [FileNode], _ new: [FileNode]) throws -> [String] {
        try FileTree(new).differences(from: FileTree(old)).map(\.description)
    }

    @Test func equalTreesHaveNone() throws {
        let nodes = [file("a", "x"), file("b", "y")]
        #expect(try differences(nodes, nodes) == [])
    }

    @Test func eachPathIsNamedWithWhatItHasOtherwise() throws {
        var attributed = file("d", "same")
        attributed.metadata.xattrs = [ExtendedAttribute(name: "user.a", value: [1, 0xAB])]
        let link = FileNode(path: "e", kind: .symbolicLink(Array("x".utf8)), metadata: Metadata(mode: 0o777))
        var other = link
        other.kind = .symbolicLink(Array("y".utf8))
        #expect(
            try differences(
                [file("a", "x"), file("b", "y"), file("d", "same"), link],
                [file("b", "yy", mode: 0o4755), file("c", "new"), attributed, other]) == [
                    "/a: missing",
                    "/b: mode 4755 instead of 0644, size 2 instead of 1, content \(Digest(hashing: "yy")) instead of \(Digest(hashing: "y"))",
                    "/c: not in what was expected", "/d: xattr user.a 01ab instead of none",
                    "/e: target y instead of x",
                ])
    }

    @Test func anotherGroupOfHardLinksDoesNotRenameTheRest() throws {
        let old = [file("m", "x", group: 1), file("n", "x", group: 1)]
        let new = [
            file("a", "x", group: 1), file("b", "x", group: 1), file("m", "x", group: 2), file("n", "x", group: 2),
        ]
        #expect(try differences(old, new) == ["/a: not in what was expected", "/b: not in what was expected"])
        #expect(
            try differences(old, [file("m", "x"), file("n", "x")]) == [
                "/m: first of its names none instead of /m", "/n: first of its names none instead of /m",
            ])
    }
}
