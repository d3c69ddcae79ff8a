import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct InjectTests {
    /// A workspace with the image of `demo`, and the folder overlays/second.
    private func workspace() throws -> Workspace {
        let workspace = try World.shared().warmWorkspace()
        _ = try workspace.build("demo", ["--offline"])
        try workspace.write("overlays/second/etc/first.conf", "from the second\n")
        try workspace.write("overlays/second/usr/bin/hi", "a file in a link's place\n", mode: 0o755)
        try workspace.write("overlays/second/opt/new/file", "new\n")
        symlink("file", workspace.path("overlays/second/opt/new/link").string)
        return workspace
    }

    @Test(arguments: [
        (options: [], overlay: "overlays/second"),
        (options: ["--target", "/srv/app"], overlay: "{source: overlays/second, target: /srv/app}"),
        (options: ["--owner", "agent:adm"], overlay: "{source: overlays/second, owner: \"agent:adm\"}"),
    ])
    func `injecting gives the bytes of a build with the overlay last`(options: [String], overlay: String) throws {
        let workspace = try workspace()
        let injected = try workspace.program.run(
            ["inject", "out/demo/demo.ext4", "--overlay", "overlays/second", "-o", "new.ext4"] + options)
        #expect(injected.status == 0, "\(injected.stderr)")
        try workspace.recipe(
            "demo", Workspace.demo.replacing("[overlays/first]", with: "[overlays/first, \(overlay)]"))
        let built = try workspace.build("demo", ["--offline"])
        #expect(built.status == 0, "\(built.stderr)")
        #expect(built.stdout.prefix(71) == injected.stdout.prefix(71))
        #expect(injected.stdout.hasSuffix("  new.ext4\n"))
        #expect(try readFile(at: workspace.path("new.ext4")) == readFile(at: workspace.output("demo", "demo.ext4")))
        // The record of an injected image serves the next injection.
        try workspace.write("overlays/third/etc/third", "third\n")
        let again = try workspace.program.run(
            ["inject", "new.ext4", "--overlay", "overlays/third", "-o", "newer.ext4"])
        #expect(again.status == 0, "\(again.stderr)")
        let content = try workspace.program.run(["inspect", "cat", "newer.ext4", "etc/third"])
        #expect(content.stdout == "third\n")
    }

    @Test func `injecting nothing new gives the same image`() throws {
        let workspace = try workspace()
        let injected = try workspace.program.run(
            ["inject", "out/demo/demo.ext4", "--overlay", "overlays/first", "-o", "same.ext4"])
        #expect(try injected.stdout.prefix(71) == World.shared().built.stdout.prefix(71))
    }

    @Test func `what injection cannot do, it says, and leaves no file`() throws {
        let workspace = try workspace()
        try workspace.write("there.ext4", "precious\n")
        func refusal(_ words: String...) throws -> String {
            let ending = try workspace.program.run(["inject"] + words)
            #expect(ending.stdout == "")
            return "\(ending.status) \(ending.stderr)".replacing(workspace.root.string, with: "HERE")
        }
        let image = "out/demo/demo.ext4"
        #expect(
            try refusal(image, "--overlay", "overlays/second", "-o", "there.ext4") == """
                2 error: HERE/there.ext4 exists
                hint: remove it, or name another file with -o

                """)
        #expect(try workspace.text("there.ext4") == "precious\n")
        #expect(
            try refusal(image, "--overlay", "overlays/secnd", "-o", "new.ext4") == """
                2 error: there is no folder HERE/overlays/secnd to lay over the image

                """)
        same(
            try refusal(image, "--overlay", "overlays/second", "--owner", "nobdy", "-o", "new.ext4"),
            """
            2 error: overlay HERE/overlays/second is to be owned by the user 'nobdy', which the image does not have
            hint: did you mean nobody?

            """)
        same(
            try refusal(image, "--overlay", "overlays/second", "-o", "missing/new.ext4"),
            "2 error: there is no directory HERE/missing to write the image to\n")
        try shell("mkdir alone && cp \(image) alone/demo.ext4", in: workspace.root)
        #expect(
            try refusal("alone/demo.ext4", "--overlay", "overlays/second", "-o", "new.ext4") == """
                2 error: nothing says how HERE/alone/demo.ext4 was made: there is no image.json beside it that fits
                hint: keep the image with the image.json of its build

                """)
        same(
            try refusal("there.ext4", "--overlay", "overlays/second", "-o", "new.ext4"),
            "2 error: cannot read the image HERE/there.ext4: it is no ext2, ext3 or ext4 file system\n")
        #expect(
            try refusal(image, "-o", "new.ext4").hasPrefix(
                "64 Error: Missing expected argument '--overlay <directory> ...'\n"))
        #expect(try shell("ls -A | sort", in: workspace.root) == "alone\nkeys\nout\noverlays\nrecipes\nthere.ext4\n")
    }
}
