import RootfsModel
import Testing

@testable import rootfs_bench

@Suite struct EquivalenceTests {
    private func file(_ path: TreePath, _ text: String, _ metadata: Metadata = Metadata(mode: 0o644)) -> FileNode {
        FileNode(path: path, kind: .file(Blob(Array(text.utf8)), linkGroup: 0), metadata: metadata)
    }

    private func compare(_ ours: [FileNode], _ theirs: [FileNode]) throws -> [String] {
        let differences = try TreeComparison.differences(try FileTree(ours), try FileTree(theirs)) { blob in
            guard case .bytes(let bytes) = blob.source else { throw Failure("not in memory") }
            return bytes
        }
        return differences.map(\.text)
    }

    @Test func `everything but the time counts`() throws {
        let attribute = ExtendedAttribute(name: "user.x", value: [1, 16])
        let ours = [
            file("a", "same", Metadata(mode: 0o644, mtime: Timestamp(seconds: 7))),
            file("b", "x", Metadata(mode: 0o4755, uid: 1, gid: 2, xattrs: [attribute])), file("c", "one\ntwo\n"),
            file("d", "one\n\ntwo\nmore\n"), file("e", "\0"), file("mine", ""),
            FileNode(path: "l", kind: .symbolicLink(Array("x".utf8)), metadata: Metadata(mode: 0o777)),
            FileNode(path: "n", kind: .characterDevice(major: 1, minor: 3), metadata: Metadata(mode: 0o666)),
        ]
        let theirs = [
            file("a", "same"), file("b", "x"), file("c", "two\none\n"), file("d", "one\ntwo\nother\n"),
            file("e", "\0\0"),
            FileNode(path: "l", kind: .symbolicLink(Array("y".utf8)), metadata: Metadata(mode: 0o777)),
            FileNode(path: "n", kind: .characterDevice(major: 1, minor: 5), metadata: Metadata(mode: 0o666)),
            FileNode(path: "theirs", kind: .directory, metadata: Metadata(mode: 0o755)),
        ]
        #expect(
            try compare(ours, theirs) == [
                "/b: mode: ours 4755, theirs 644", "/b: owner: ours 1, theirs 0", "/b: group: ours 2, theirs 0",
                "/b: xattr: ours user.x=1.10, theirs none", "/c: order: ours `one`, theirs `two`",
                "/d: content: ours `more`, theirs `other`",
                "/e: content: ours 1 bytes 6e340b9cffb3, theirs 2 bytes 96a296d224f2", "/l: target: ours x, theirs y",
                "/mine: ours-only: ours a file, theirs nothing", "/n: device: ours 1:3, theirs 1:5",
                "/theirs: theirs-only: ours nothing, theirs a directory",
            ])
    }

    @Test func `a line that comes twice is a difference`() throws {
        #expect(
            try compare([file("a", "x\n\n"), file("b", "x\n")], [file("a", "x\n"), file("b", "x")]) == [
                "/a: content: ours 3 bytes d1329c6d1284, theirs 2 bytes 73cb3858a687",
                "/b: content: ours ``, theirs no line more",
            ])
    }

    @Test func `the database is told by package and field`() throws {
        let status: TreePath = "var/lib/dpkg/status"
        let ours = "Package: a\nArchitecture: all\nVersion: 1\n\nPackage: b\nArchitecture: all\n"
        let theirs = "Package: a\nArchitecture: all\nVersion: 2\nAuto: x\n"
        #expect(
            try compare([file(status, ours)], [file(status, theirs)]) == [
                "/var/lib/dpkg/status: entry: ours a:all Auto ``, theirs a:all Auto `x`",
                "/var/lib/dpkg/status: entry: ours a:all Version `1`, theirs a:all Version `2`",
                "/var/lib/dpkg/status: entry: ours b:all there, theirs b:all absent",
            ])
    }

    @Test func `names of one file are told`() throws {
        func names(_ group: UInt32) -> [FileNode] {
            ["a", "b"].map {
                FileNode(path: $0, kind: .file(Blob([1]), linkGroup: group), metadata: Metadata(mode: 0o644))
            }
        }
        #expect(
            try compare(names(1), names(0)) == [
                "/a: names: ours /a /b, theirs one", "/b: names: ours /a /b, theirs one",
            ])
    }

    private let difference = Difference(path: "etc/a/b", field: .mode, ours: "644", theirs: "600")

    @Test(arguments: [
        ("* /etc/** mode,owner why\n", true), ("# a comment\n\nbox /etc/a/* mode because of that\n", true),
        ("* /etc/** owner why\n", false), ("* /etc/a mode why\n", false), ("other /etc/** mode why\n", false),
    ])
    func `an allowance is for a recipe, paths and fields`(text: String, allows: Bool) throws {
        let allowances = try Allowances(parsing: text, name: "allow")
        #expect(allowances.judge([difference], of: "box").contains("box: \(difference.text)") == !allows)
    }

    @Test func `an allowance that allows nothing is a mistake, of the recipes that it is for`() throws {
        let allowances = try Allowances(parsing: "* /etc/** mode why\n\nbox /x content why\n", name: "allow")
        #expect(allowances.judge([difference], of: "box") == ["allow:3: allows nothing in box: box /x content why"])
        #expect(allowances.judge([difference], of: "other") == [])
    }

    @Test func `mistakes in the allowances are told at once, with their lines`() throws {
        let failures = #expect(throws: Failures.self) {
            try Allowances(parsing: "* /etc mode\n* /etc contents why\n", name: "allow")
        }
        #expect(
            failures?.all.map(\.message) == [
                "an allowance has a recipe, a pattern, fields and a cause", "there is no field contents",
            ])
        #expect(failures?.all.map { $0.location?.line } == [1, 2])
        #expect(failures?.all.last?.hint == "did you mean content?")
    }
}
