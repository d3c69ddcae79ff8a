import RootfsModel
import Storage
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct NormalizationTests {
    @Test func `image.json tells what each rule changed`() throws {
        let warm = try World.shared().warm
        let record = try JSON(warm.text("out/demo/image.json"))["normalization"]
        #expect(record["kept"] == .array([]))
        let old = try #require(record["rules"].list.first { $0["rule"].string == "dpkg-old" })
        #expect(old["paths"].list.map(\.string) == ["/var/lib/dpkg/status-old"])
        #expect(old["count"] == .number(1))
        #expect(old["reason"] == .text("a backup of how the file was one change before"))
        #expect(!(try warm.text("out/demo/demo.listing")).contains("./var/lib/dpkg/status-old "))
    }

    @Test func `a rule that is switched off leaves what it is for, and nothing stale is taken for it`() throws {
        let world = try World.shared()
        let workspace = try world.warmWorkspace()
        let kept = try workspace.build("demo", ["--keep", "dpkg-old", "--offline"])
        #expect(kept.status == 0, "\(kept.stderr)")
        #expect(try workspace.text("out/demo/demo.listing").contains("./var/lib/dpkg/status-old "))
        let record = try JSON(workspace.text("out/demo/image.json"))["normalization"]
        #expect(record["kept"].list.map(\.string) == ["dpkg-old"])
        #expect(!record["rules"].list.contains { $0["rule"].string == "dpkg-old" })
        let again = try workspace.build("demo", ["--keep", "dpkg-old", "--offline"])
        #expect(again.stderr.contains("fresh, nothing to do"))
        #expect(again.stdout == kept.stdout)
        // Without it, the tree of the store tells what was changed when it was made.
        let without = try workspace.build("demo", ["--offline"])
        #expect(without.stdout == world.built.stdout)
        #expect(try workspace.text("out/demo/image.json") == world.warm.text("out/demo/image.json"))
    }
}
