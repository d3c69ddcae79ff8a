import ArchiveFixture
import RootfsModel
import Storage
import SystemPackage
import Testing

/// The versions of a recipe's images, listed as a user does.
@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct LogTests {
    /// A folder of two builds, between which three packages moved.
    private func twoVersions() throws -> Workspace {
        let world = try World.shared()
        let workspace = try world.warmWorkspace()
        let archive = try LockUpdateTests.newer(world)
        try shell("mkdir builds && cp -a '\(world.warm.output("demo"))' builds/1", in: workspace.root)
        let update = try workspace.run(["lock", "--update", "recipes/demo.manifest"], mirror: archive.uri)
        #expect(update.status == 0, "\(update.stderr)")
        let built = try workspace.build("demo", ["-o", "builds/2"], mirror: archive.uri)
        #expect(built.status == 0, "\(built.stderr)")
        return workspace
    }

    private func log(_ workspace: Workspace, _ arguments: String...) throws -> Program.Ending {
        try workspace.program.run(["log"] + arguments)
    }

    @Test func `a version is a line with what moved since the one before`() throws {
        let workspace = try twoVersions()
        // The older one of the two by its build, not by its name: both are of one moment.
        try shell("mv builds/1 builds/3", in: workspace.root)
        let ending = try log(workspace, "builds")
        #expect(ending.status == 0, "\(ending.stderr)")
        let lines = ending.stdout.split(separator: "\n")
        #expect(lines.count == 2)
        let text = untimed(ending.stdout).replacing(#/\d{4}-\d\d-\d\d \d\d:\d\d/#, with: "TIME")
            .replacing(#/\b[0-9a-f]{12}\b/#, with: "HASH")
        #expect(
            text.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") } == [
                "2026-01-01 built TIME HASH builds/2 +0 -0 ~3 # (+#) not booted closes CVE-2023-99999, CVE-2024-0101",
                "2026-01-01 built TIME HASH builds/3 5 packages # not booted",
            ], "\(text)")
        let hash = try JSON(workspace.text("builds/2/image.json"))["contentHash"].string ?? ""
        #expect(lines[0].contains(hash.dropFirst("sha256:".count).prefix(12)))

        // Named one by one it is the same, whatever the order; listings without images too, but for the changelogs.
        let versions = try JSON(log(workspace, "--json", "builds").stdout)["versions"]
        #expect(try JSON(log(workspace, "--json", "builds/3", "builds/2", "builds").stdout)["versions"] == versions)
        #expect(versions.list[0]["since"]["before"] == .text("builds/3"))
        #expect(versions.list[0]["since"]["packages"].names == ["hello", "libhello1", "odd-names"])
        #expect(versions.list[1]["since"] == .null)
        try shell("rm builds/*/demo.ext4", in: workspace.root)
        let listed = try log(workspace, "builds")
        #expect(listed.status == 0, "\(listed.stdout)")
        #expect(listed.stdout.contains("+0 -0 ~3"))
        #expect(listed.stdout.contains("no changelogs at hand"))
    }

    @Test func `what is damaged or foreign is named, and the others are listed`() throws {
        let workspace = try twoVersions()
        try shell(
            """
            mkdir builds/.demo.new builds/foreign && cp -a builds/1 builds/cut
            truncate -s 100000 builds/cut/demo.ext4; echo notes > builds/README; cp builds/1/demo.ext4 builds/alone.ext4
            cp -a builds/1 builds/mixed; cp builds/2/demo.ext4 builds/mixed/
            """, in: workspace.root)
        let ending = try log(workspace, "builds")
        #expect(ending.status == 1)
        let lines = ending.stdout.split(separator: "\n")
        #expect(lines.count == 6, "\(ending.stdout)")
        #expect(lines.prefix(4).count { $0.contains("  builds/") } == 4)
        #expect(lines.contains { $0.contains("builds/mixed") && $0.hasSuffix("image.json is of another image") })
        #expect(lines.contains { $0.contains("builds/alone.ext4") && $0.contains("5 packages") })
        #expect(lines[4].hasPrefix("not listed: builds/cut: cannot read the image builds/cut/demo.ext4: it is cut off"))
        #expect(lines[5] == "not listed: builds/foreign: it holds no build: it has no image.json")
        let json = try JSON(log(workspace, "builds", "--json").stdout)
        #expect(json["problems"].names == ["builds/cut", "builds/foreign"])

        #expect(try log(workspace, "nowhere").status == 64)
        let empty = try log(workspace, "builds/foreign")
        same(
            empty.stderr,
            "error: builds/foreign holds neither builds nor images\nhint: name a folder of builds, a build's folder, or images\n"
        )
        #expect(try log(workspace, "recipes/demo.lock").status == 1)
    }

    @Test func `records of another version are left aside, and the image is told by itself`() throws {
        let workspace = try twoVersions()
        let image = try workspace.text("builds/1/image.json")
        // Of a version that calls the content hash something else, and of one whose build.json is another.
        try workspace.write("builds/1/image.json", image.replacing("\"contentHash\"", with: "\"content\""))
        try workspace.write("builds/2/build.json", "{\"toolVersion\": \"9.0\", \"went\": \"well\"}")
        let compared = try workspace.program.run(["diff", "builds/1", "builds/2"])
        #expect(compared.status == 0, "\(compared.stderr)")
        #expect(compared.stdout.contains("records  of builds/1: image.json is not a record of this version (rootfs-"))
        #expect(
            compared.stdout.contains(
                "records  of builds/2: build.json is not a record of this version (rootfs-build 9.0 wrote it)"))
        #expect(compared.stdout.contains("odd-names  1.0 → 1.1"))
        for command in [["check", "builds/1"], ["inspect", "builds/1"], ["inspect", "builds/1/demo.ext4"]] {
            let ending = try workspace.program.run(command)
            #expect(ending.status == 0, "\(command): \(ending.stderr)")
            #expect(ending.stderr.contains("image.json is not a record of this version"), "\(command)")
            #expect(ending.stdout.contains(command[0] == "check" ? "demo.ext4: " : "5 packages"), "\(command)")
        }
        let listed = try log(workspace, "builds")
        #expect(listed.status == 0)
        #expect(listed.stdout.contains("image.json is not a record of this version"))
        // A record that is none at all: the only image there is.
        try workspace.write("builds/1/image.json", "what")
        #expect(try workspace.program.run(["diff", "builds/1", "builds/2"]).stdout.contains("odd-names  1.0 → 1.1"))
        try shell("cd builds/1; for x in ext4 listing; do cp demo.$x other.$x; done", in: workspace.root)
        let unknown = try workspace.program.run(["inspect", "builds/1"])
        #expect(unknown.status == 2)
        #expect(unknown.stderr.contains("nothing else says which file of"))
    }
}
