import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct VerityTests {
    /// A workspace with the image of `demo`, made read-only with a hash tree.
    private func verified(_ kernel: String = "kernel: none") throws -> (workspace: Workspace, built: Program.Ending) {
        let workspace = try World.shared().coldWorkspace()
        try workspace.recipe(
            "sealed",
            "layers: [{name: system, packages: [hello]}]\noverlays: [overlays/first]\n\(kernel)\nimage: {verity: true}")
        let built = try workspace.build("sealed")
        #expect(built.status == 0, "\(built.stderr)")
        return (workspace, built)
    }

    @Test func `the root hash is in image.json and on the command line, and the image has it`() throws {
        let (workspace, built) = try verified("kernel: {package: linux-image-builtin, arguments: [console=ttyS0]}")
        let record = try JSON(workspace.text("out/sealed/image.json"))
        let verity = record["verity"]
        let root = try #require(verity["rootHash"].string)
        let salt = try #require(verity["salt"].string)
        let uuid = try #require(verity["uuid"].string)
        guard case .number(let blocks) = verity["dataBlocks"], case .number(let offset) = verity["hashOffset"] else {
            throw Failure("no numbers in \(verity)")
        }
        #expect(offset == blocks * 4096)
        let table = """
            dm-mod.create=rootfs,\(uuid),0,ro,0 \(Int(blocks) * 8) verity 1 /dev/vda /dev/vda 4096 4096 \(Int(blocks)) \
            \(Int(blocks) + 1) sha256 \(root) \(salt)
            """
        // The fixture's kernel has no device mapper.
        #expect(verity["arguments"].list.map(\.string) == [table, "root=/dev/vda", "ro"])
        #expect(
            built.stderr.contains(
                "image.verity: the kernel will mount the image without verifying it: CONFIG_DM_INIT=y and CONFIG_DM_VERITY=y are missing"
            ), "\(built.stderr)")
        let machine = try JSON(workspace.text("out/sealed/firecracker.json"))
        let quoted = table.replacing("create=", with: "create=\"") + "\""
        #expect(machine["boot-source"]["boot_args"].string == "console=ttyS0 \(quoted) root=/dev/vda ro")
        let drive = try #require(machine["drives"].list.first)
        #expect(drive["is_read_only"] == .boolean(true))
        #expect(drive["is_root_device"] == .boolean(false))
        let image = workspace.output("sealed", "sealed.ext4")
        #expect(try Digest(hashing: readFile(at: image)).description == record["imageHash"].string)
        if exists("/usr/sbin/veritysetup") {
            #expect(try shell("veritysetup verify --hash-offset=\(Int(offset)) \(image) \(image) \(root)") == "")
        }
    }

    @Test func `inject makes the tree anew, as a build with that overlay does`() throws {
        let (workspace, built) = try verified()
        try workspace.write("overlays/second/etc/second", "second\n")
        let injected = try workspace.program.run([
            "inject", "out/sealed/sealed.ext4", "--overlay", "overlays/second", "-o", "new.ext4",
        ])
        #expect(injected.status == 0, "\(injected.stderr)")
        #expect(injected.stdout != built.stdout)
        try workspace.write(
            "recipes/sealed.manifest",
            try workspace.text("recipes/sealed.manifest")
                .replacing("[overlays/first]", with: "[overlays/first, overlays/second]"))
        let again = try workspace.build("sealed")
        #expect(again.stdout.prefix(71) == injected.stdout.prefix(71))
        let records = try ["new.ext4.json", "out/sealed/image.json"].map { try JSON(workspace.text($0))["verity"] }
        #expect(records[0] == records[1])
    }
}
