import RootfsModel
import Testing

@testable import Normalization

@Suite struct BuildTimesTests {
    private static let layer: Int64 = 1_600_000_000

    private func times(_ nodes: [FileNode]) throws -> [String: Int64] {
        let tree = try FileTree([directory(.root, at: moment.seconds), file("usr/lib/os-release", [1], at: 5)] + nodes)
        let rule = BuildTimes(layerMoments: [Timestamp(seconds: Self.layer)])
        let (after, _) = try normalised(tree, by: rule)
        #expect(try normalised(after, by: rule).1 == [])
        return Dictionary(uniqueKeysWithValues: after.nodes.map { ($0.path.description, $0.metadata.mtime.seconds) })
    }

    @Test func `what was made is as old as the newest packaged file beside it`() throws {
        let found = try times([
            directory("usr/a", at: moment.seconds), file("usr/a/1", [1], at: 10), file("usr/a/2", [1], at: 20),
            file("usr/a/cache", [1], at: moment.seconds), file("usr/a/list", [1], at: Self.layer),
        ])
        #expect(found["/usr/a"] == 20 && found["/usr/a/cache"] == 20 && found["/usr/a/list"] == 20)
        #expect(found["/usr/a/1"] == 10)
    }

    @Test func `where nothing packaged is beside it, what is above says it, and at last the release`() throws {
        let found = try times([
            directory("usr/a", at: moment.seconds), file("usr/a/1", [1], at: 10),
            directory("usr/a/pyc", at: moment.seconds), file("usr/a/pyc/1", [1], at: moment.seconds),
            directory("var/made", at: moment.seconds), file("var/made/status", [1], at: moment.seconds),
        ])
        #expect(found["/usr/a/pyc"] == 10 && found["/usr/a/pyc/1"] == 10)
        #expect(found["/var/made"] == 5 && found["/var/made/status"] == 5 && found["/"] == 5)
    }

    @Test func `packaged directories, fonts and other times stay`() throws {
        let found = try times([
            directory("usr/b", at: 9), file("usr/b/made", [1], at: moment.seconds),
            directory("usr/share/fonts/x", at: moment.seconds), file("usr/share/fonts/x/1", [1], at: 3),
            file("usr/later", [1], at: moment.seconds + 1),
        ])
        #expect(found["/usr/b"] == 9 && found["/usr/b/made"] == 9)
        #expect(found["/usr/share/fonts/x"] == moment.seconds && found["/usr/later"] == moment.seconds + 1)
    }

    @Test func `all names of a file have one time`() throws {
        var names = ["usr/a/x", "usr/b/x"].map { file($0, [1], at: moment.seconds) }
        for index in names.indices { names[index].kind = .file(Blob([1]), linkGroup: 1) }
        let found = try times([file("usr/a/1", [1], at: 10), file("usr/b/1", [1], at: 20)] + names)
        #expect(found["/usr/a/x"] == 10 && found["/usr/b/x"] == 10)
    }

    @Test func `without a release nothing is known and nothing changes`() throws {
        let tree = try FileTree([file("usr/a", [1], at: moment.seconds)])
        #expect(try normalised(tree, by: BuildTimes()).0 == tree)
    }
}
