import RootfsModel
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct MatrixTests {
    @Test func `recipes times architectures are rows, and each is in one shard`() throws {
        let workspace = try World.shared().coldWorkspace()
        let layers = "layers: [{name: system, packages: [hello]}]"
        for name in ["one", "two", "three"] { try workspace.recipe(name, layers) }
        try workspace.recipe(
            "bound", layers, archive: "{suite: bookworm, keyring: keys/fixture.gpg, architecture: arm64}")
        let recipes = ["one", "two", "three", "bound"].map { "recipes/\($0).manifest" }
        func rows(_ more: [String]) throws -> [String] {
            let ending = try workspace.program.run(["matrix"] + recipes + more)
            #expect(ending.status == 0, "\(ending.stderr)")
            return ending.stdout.split(separator: "\n").map(String.init)
        }
        #expect(try rows([]) == ["one", "two", "three"].map { "\($0) amd64 recipes/\($0).manifest" })
        let all = try rows(["--arch", "amd64,arm64"])
        #expect(all.count == 7)
        #expect(all.last == "bound arm64 recipes/bound.manifest")
        let shards = try (1...3).map { try rows(["--arch", "amd64,arm64", "--shard", "\($0)/3"]) }
        #expect(shards.flatMap(\.self).sorted() == all.sorted())
        #expect(shards.contains { $0.count < 7 && !$0.isEmpty })
        // A row stays in its shard when others go.
        for (index, shard) in shards.enumerated() {
            let ending = try workspace.program.run(["matrix", "recipes/two.manifest", "--shard", "\(index + 1)/3"])
            #expect(!ending.stdout.isEmpty == shard.contains("two amd64 recipes/two.manifest"))
        }
        let json = try workspace.program.run(["matrix", "--json"] + recipes).stdout
        #expect(json.split(separator: "\n").count == 1)
        #expect(try JSON(json)["include"].list.first?["architecture"].string == "amd64")
        #expect(try JSON(json)["include"].names == ["one", "two", "three"])
    }

    @Test(arguments: ["0/3", "4/3", "1/0", "x/3", "1", "1/2/3", "-1/3", "1/1001"])
    func `a shard that is none is refused`(
        _ shard: String
    ) throws {
        let workspace = try World.shared().coldWorkspace()
        let ending = try workspace.program.run(["matrix", "recipes/demo.manifest", "--shard=\(shard)"])
        #expect(ending.status == 64)
        #expect(ending.stderr.contains("--shard takes i/n"))
    }

    @Test func `mistakes of all recipes are told, and an architecture that nobody has`() throws {
        let workspace = try World.shared().coldWorkspace()
        try workspace.recipe("wrong", "layer: []")
        let wrong = try workspace.program.run(["matrix", "recipes/wrong.manifest", "recipes/missing.manifest"])
        #expect(wrong.status != 0)
        #expect(wrong.stderr.contains("recipes/wrong.manifest:"))
        #expect(wrong.stderr.contains("missing.manifest"))
        let unknown = try workspace.program.run(["matrix", "recipes/demo.manifest", "--arch", "amd46"])
        #expect(unknown.status == 64)
        #expect(unknown.stderr.contains("hint: did you mean amd64?"), "\(unknown.stderr)")
        let twice = try workspace.program.run(["matrix", "recipes/demo.manifest", "recipes/demo.manifest"])
        #expect(twice.status == 64)
    }
}
