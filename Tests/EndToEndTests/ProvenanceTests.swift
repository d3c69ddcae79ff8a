import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct ProvenanceTests {
    private func outputs() throws -> Workspace {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        try shell(
            "mkdir out && cp -r '\(world.warm.output("demo"))' out/ && cp '\(world.warm.root)'/recipes/demo.lock recipes/",
            in: workspace.root)
        return workspace
    }

    private func statement(_ workspace: Workspace, _ more: [String] = []) throws -> JSON {
        let ending = try workspace.program.run(["provenance", "out/demo"] + more)
        #expect(ending.status == 0, "\(ending.stderr)")
        return try JSON(ending.stdout)
    }

    @Test func `a statement names the outputs, the settings and every material by its digest`() throws {
        let workspace = try outputs()
        let plain = try statement(workspace)
        #expect(plain["_type"].string == "https://in-toto.io/Statement/v1")
        #expect(plain["predicateType"].string == "https://slsa.dev/provenance/v1")
        for subject in plain["subject"].list {
            let name = try #require(subject["name"].string)
            let digest = try Blob(file: workspace.output("demo", name)).takeDigest()
            #expect(subject["digest"]["sha256"].string == digest.hex, "\(name)")
        }
        #expect(plain["subject"].names.contains("demo.ext4"))
        #expect(plain["subject"].names.contains("vmlinux"))
        let definition = plain["predicate"]["buildDefinition"]
        #expect(definition["buildType"].string == "urn:rootfs-build:build-type:image:1")
        #expect(definition["externalParameters"]["recipe"].string == "demo")
        #expect(definition["externalParameters"]["settings"]["image.label"].string == "\"demo\"")
        let materials = definition["resolvedDependencies"]
        let lock = try readFile(at: workspace.path("recipes/demo.lock"))
        #expect(materials.list.first?["digest"]["sha256"].string == Digest(hashing: lock).hex)
        #expect(materials.names.contains("hello_2.10-3_all.deb"))
        #expect(
            materials.names.contains("linux-image-builtin_1.0_all.deb")
                || materials.names.contains { $0?.hasPrefix("linux-image-builtin_") == true })
        #expect(materials.names.contains("overlay overlays/first"))
        #expect(plain["predicate"]["runDetails"]["builder"]["id"].string == "urn:rootfs-build:builder:local")
        #expect(plain["predicate"]["runDetails"]["byproducts"].names == ["build.json"])
        #expect(!materials.list.contains { $0["uri"] != .null })

        let located = try statement(
            workspace, ["--lock", "recipes/demo.lock", "--builder", "https://ci.example.org/builders/7"])
        let more = located["predicate"]["buildDefinition"]["resolvedDependencies"]
        #expect(more.names.contains("bookworm InRelease"))
        let hello = try #require(more.list.first { $0["name"].string == "hello_2.10-3_all.deb" })
        #expect(hello["annotations"]["pool path"].string?.hasPrefix("pool/main/h/hello/hello_") == true)
        #expect(hello["uri"].string?.hasPrefix("pkg:deb/") == true)
        #expect(located["predicate"]["runDetails"]["builder"]["id"].string == "https://ci.example.org/builders/7")

        let file = ["provenance", "out/demo", "-o", "out/demo/demo.intoto.json"]
        #expect(try workspace.program.run(file).status == 0)
        #expect(try JSON(workspace.text("out/demo/demo.intoto.json")) == plain)
    }

    @Test func `nothing is stated of outputs that are not the build's`() throws {
        let workspace = try outputs()
        #expect(try workspace.program.run(["provenance", "out/demo", "--builder", "me"]).status == 64)
        try shell("cp -r out/demo out/alone && rm out/alone/build.json", in: workspace.root)
        let alone = try workspace.program.run(["provenance", "out/alone"])
        #expect(alone.status == 2)
        #expect(alone.stderr.contains("nothing says how "))
        try workspace.write("out/demo/firecracker.json", "{}")
        let changed = try workspace.program.run(["provenance", "out/demo"])
        #expect(changed.status == 1)
        #expect(changed.stderr.contains("firecracker.json is sha256:"), "\(changed.stderr)")
    }
}
