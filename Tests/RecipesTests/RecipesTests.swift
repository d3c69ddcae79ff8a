import Recipes
import RootfsModel
import Testing

@Suite struct ReadingARecipe {
    @Test func theExampleSaysWhatItSays() throws {
        let recipe = try load(example)
        #expect(recipe.name.value == "browser")
        #expect(recipe.archive.suite.value == "bookworm")
        #expect(recipe.archive.architecture?.value == "amd64")
        #expect(recipe.archive.mirror == nil)
        #expect(recipe.archive.exclude.map(\.value) == ["usrmerge"])
        #expect(recipe.layers.map(\.name.value) == ["system", "media", "browser"])
        #expect(recipe.layers[2].packages.map(\.description) == ["chromium", "xvfb", "fonts-dejavu-core"])
        guard case .package(let node) = recipe.node else { throw NoSuchFile() }
        #expect(node.value == Recipe.PackageRequest(name: "nodejs"))
        guard let kernel = recipe.kernel, case .package(let package) = kernel.source else { throw NoSuchFile() }
        #expect(package.value.name == "linux-image-cloud-amd64")
        #expect(kernel.initrd == .auto)
        #expect(kernel.modules?.map(\.value) == ["virtio_mmio", "virtio_blk", "virtio_net"])
        #expect(kernel.arguments.map(\.value) == ["console=ttyS0", "reboot=k", "panic=1"])
        #expect(recipe.overlays.map(\.source.value) == ["overlays/supervisor", "overlays/webrtc"])
        #expect(recipe.overlays[0].target.value == .root)
        #expect(recipe.overlays[1].target.value == "/opt/vm-browser-agent")
        #expect(recipe.overlays[1].owner.value == Recipe.Owner(user: .name("agent"), group: .name("agent")))
        #expect(recipe.overlays[1].modes.map(\.pattern.value) == ["*.sh"])
        #expect(recipe.overlays[1].modes.map(\.mode) == [0o755])
        #expect(recipe.overlays[1].templates.map(\.value) == ["*.conf"])
        #expect(recipe.users[0].uid?.value == 1000)
        #expect(recipe.users[0].groups.map(\.value) == ["video", "audio"])
        #expect(recipe.files.map(\.path.value) == ["/etc/motd"])
        #expect(recipe.files[0].content == "golden image browser\n")
        #expect(recipe.remove.map(\.value) == ["/usr/share/doc/*", "/usr/share/man/*"])
        let service = recipe.services[1]
        #expect(service.name.value == "webrtc")
        #expect(service.command.map(\.value) == ["/usr/bin/node", "/opt/vm-browser-agent/webrtc-server.js"])
        #expect(service.after.map(\.value) == ["display"])
        #expect(service.environment == [Recipe.EnvironmentVariable(name: "DISPLAY", value: ":99")])
        #expect(service.restart.backoff == Recipe.Backoff(first: .seconds(1), longest: .seconds(30)))
        #expect(service.restart.limit == Recipe.RestartLimit(count: 5, window: .seconds(60)))
        #expect(service.ready?.probe.value == .http("http://127.0.0.1:8080/healthz"))
        #expect(recipe.image.size.value == .free(ByteCount(bytes: 512 << 20)))
        #expect(recipe.machine.vcpus == 2)
        #expect(recipe.machine.memory.bytes == 4 << 30)
        #expect(recipe.boot.within == .seconds(120))
        #expect(recipe.boot.expect.map(\.value) == ["login:"])
        #expect(recipe.variables["fps"] == "30")
        #expect(recipe.variables["name"] == "browser")
        #expect(recipe.root == ".")
        #expect(recipe.sources == [.init(path: "recipes/a.manifest", digest: Digest(hashing: example))])
    }
}
