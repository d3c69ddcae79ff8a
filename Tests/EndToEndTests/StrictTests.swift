import ArchiveFixture
import RootfsModel
import Storage
import SystemPackage
import Testing

/// What nothing pins: told by every build, refused by a strict one.
@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct StrictTests {
    private static let filed = "layers: [{name: system, packages: [hello]}]\nkernel: {file: kernels/vmlinuz"

    private func unpinned(_ workspace: Workspace, _ name: String) throws -> [String?] {
        try JSON(workspace.text("out/\(name)/build.json"))["unpinned"].list.map(\.string)
    }

    @Test func `a recipe with its lock leaves nothing open`() throws {
        let world = try World.shared()
        let workspace = try world.warmWorkspace()
        let built = try workspace.build("demo", ["--strict"])
        #expect(built.status == 0, "\(built.stderr)")
        #expect(built.stdout == world.built.stdout)
        #expect(!built.stderr.contains("not pinned"))
        #expect(try unpinned(workspace, "demo") == [])
    }

    @Test func `all that is not pinned is refused at once, before anything is asked or made`() throws {
        let workspace = try World.shared().coldWorkspace()
        try workspace.write("kernels/vmlinuz", bytes: try FixtureKernel.bzImage())
        try workspace.recipe("filed", Self.filed + "}\nvariables: {greeting: hello}")
        let nowhere = "http://127.0.0.1:1/debian"
        let words = ["recipes/filed.manifest", "recipes/demo.manifest", "--strict"]
        let refused = try workspace.run(words, mirror: nowhere)
        #expect(refused.status == 2)
        #expect(refused.stdout == "")
        same(
            refused.stderr,
            """
            error: filed: --strict takes nothing that is not pinned
              packages: there is no recipes/filed.lock
              the kernel kernels/vmlinuz: kernel.sha256 in the recipe pins it
            hint: rootfs-build lock recipes/filed.manifest writes the lock
            error: demo: --strict takes nothing that is not pinned
              packages: there is no recipes/demo.lock
            hint: rootfs-build lock recipes/demo.manifest writes the lock

            """)
        #expect(!exists(workspace.path("recipes/demo.lock")))
        #expect(!exists(workspace.path("out")))
    }

    @Test func `a kernel's file and --set are told until the recipe pins them`() throws {
        let workspace = try World.shared().warmWorkspace()
        try workspace.write("kernels/vmlinuz", bytes: try FixtureKernel.bzImage())
        let variables = "\nvariables: {greeting: hello}\nhostname: \"${greeting}\""
        try workspace.recipe("filed", Self.filed + "}" + variables)
        let file = "the kernel kernels/vmlinuz: kernel.sha256 in the recipe pins it"
        let variable = "the variable greeting of --set: a value in the recipe pins it"
        let first = try workspace.build("filed", ["--set", "greeting=one", "--set", "greeting=two"])
        #expect(first.status == 0, "\(first.stderr)")
        let told = [
            "packages were resolved now: recipes/filed.lock pins them from now on", file, variable,
        ]
        #expect(try unpinned(workspace, "filed") == told)
        #expect(untimed(first.stderr).hasSuffix(told.map { "filed: not pinned: \($0)\n" }.joined()))
        // A fresh build tells it too.
        let again = try workspace.build("filed", ["--set", "greeting=two"])
        #expect(
            untimed(again.stderr) == """
                filed: not pinned: \(file)
                filed: not pinned: \(variable)
                filed: fresh, nothing to do

                """)
        let digest = Digest(hashing: try FixtureKernel.bzImage())
        try workspace.recipe("filed", Self.filed + ", sha256: \(digest)}" + variables)
        let strict = try workspace.build("filed", ["--strict"])
        #expect(strict.status == 0, "\(strict.stderr)")
        #expect(!strict.stderr.contains("not pinned"))

        try workspace.write("kernels/vmlinuz", bytes: FixtureKernel.elf)
        let other = try workspace.build("filed")
        #expect(other.status == 2)
        same(
            other.stderr.replacing(#/sha256:[0-9a-f]{64}/#, with: "sha256:N").replacing(#/\^+/#, with: "^"),
            """
            recipes/filed.manifest:5:41: error: kernels/vmlinuz is not the file that the recipe means
             5 | kernel: {file: kernels/vmlinuz, sha256: sha256:N}
               |                                         ^
              the recipe says sha256:N
              the file has    sha256:N
            hint: fetch it again, or correct the digest if the file is right

            """)
    }
}
