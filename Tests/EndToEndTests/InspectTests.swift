import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct InspectTests {
    /// The image, and the same tree as a directory.
    private func sources() throws -> (workspace: Workspace, names: [String]) {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        try shell("cp '\(world.warm.output("demo", "demo.ext4"))' demo.ext4", in: workspace.root)
        let extracted = try workspace.program.run(["inspect", "extract", "demo.ext4", "/", "-o", "tree"])
        #expect(extracted.status == 0, "\(extracted.stderr)")
        return (workspace, ["demo.ext4", "tree"])
    }

    @Test func `an extracted tree is the image's tree`() throws {
        let (workspace, names) = try sources()
        let lists = try names.map { try workspace.program.run(["inspect", "list", $0]) }
        #expect(lists[0].status == 0)
        #expect(lists[0] == lists[1])
        let part = try workspace.program.run(["inspect", "extract", "demo.ext4", "/usr/share/odd", "-o", "odd"])
        #expect(untimed(part.stderr) == "6 paths copied\n")
        #expect(try shell("diff -r --no-dereference odd tree/usr/share/odd", in: workspace.root) == "")
        #expect(try shell("stat -c '%a %u %g' odd/sticky odd/setuid", in: workspace.root) == "3775 1 4\n4755 0 0\n")
    }

    @Test func `an image is told in one screen, and as a page`() throws {
        let (workspace, names) = try sources()
        for name in names {
            let told = try workspace.program.run(["inspect", name])
            #expect(told.status == 0, "\(told.stderr)")
            #expect(told.stdout.hasPrefix("\(name): \(name == "tree" ? "directory" : "image"), "))
            #expect(told.stdout.contains("\nLargest packages\n"))
            #expect(told.stdout.split(separator: "\n").count < 40)
            let json = try JSON(workspace.program.run(["inspect", "show", name, "--json"]).stdout)
            #expect(json["fileSystem"]["label"] == (name == "tree" ? .null : .text("demo")))
            let page = try workspace.program.run(["inspect", "--html", name])
            #expect(page.stdout.hasPrefix("<!DOCTYPE html>"))
            #expect(try page == workspace.program.run(["inspect", name, "--html"]))
        }
        #expect(try workspace.program.run(["inspect", "--html", "--json", "tree"]).status == 64)
        let page = try workspace.program.run(["diff", "--format", "html"] + names)
        #expect(page.status == 0, "\(page.stderr)")
        #expect(page.stdout.hasPrefix("<!DOCTYPE html>"))
        #expect(page.stdout.hasSuffix("</html>\n"))
        let nothing = try workspace.program.run(["inspect", "missing"])
        #expect(nothing.status == 64)
        same(nothing.stderr, "error: there is no \(workspace.path("missing"))\n")
    }

    @Test func `cat follows links inside the tree, and nowhere else`() throws {
        let (workspace, names) = try sources()
        for name in names {
            func cat(_ path: String) throws -> String {
                let ending = try workspace.program.run(["inspect", "cat", name, path])
                return ending.status == 0 ? ending.stdout : "\(ending.status) \(ending.stderr)"
            }
            #expect(try cat("/etc/alternatives/greeting") == "#!/bin/sh\necho hello\n")
            #expect(try cat("bin/hello-again") == "#!/bin/sh\necho hello\n")
            same(
                try cat("../etc/motd"),
                "2 error: \(workspace.path(name)) has no ../etc/motd\nhint: did you mean /etc/motd?\n")
            #expect(try cat("/etc/machine-id") == "")
            let shown = workspace.path(name)
            #expect(try cat("/etc/moth") == "2 error: \(shown) has no /etc/moth\nhint: did you mean /etc/motd?\n")
            #expect(try cat("/usr/bin") == "2 error: /usr/bin is no regular file in \(shown)\n")
            same(try cat("/dev/stdin"), "2 error: \(shown) has no /dev/stdin\nhint: did you mean /dev/stdin?\n")
        }
    }

    @Test func `list takes a path, and says as JSON what the file system is`() throws {
        let (workspace, names) = try sources()
        for name in names {
            let listed = try workspace.program.run(["inspect", "list", name, "/usr/share/hello"])
            #expect(
                listed.stdout == "#mtree\n./usr/share/hello type=dir mode=0755 uid=0 gid=0 time=1767225600.000000000\n")
            let json = try JSON(workspace.program.run(["inspect", "list", name, "--json"]).stdout)
            let listing = try World.shared().warm.text("out/demo/demo.listing")
            #expect(json["contentHash"] == .text("\(Digest(hashing: listing))"))
            #expect(json["fileSystem"]["label"] == (name == "tree" ? .null : .text("demo")))
        }
    }

    @Test func `extract refuses what is there, and gives a file its name`() throws {
        let (workspace, _) = try sources()
        let first = try workspace.program.run(["inspect", "extract", "demo.ext4", "/etc/motd"])
        #expect(untimed(first.stderr) == "1 path copied\n")
        #expect(try workspace.text("motd") == "hello from demo\n")
        let second = try workspace.program.run(["inspect", "extract", "demo.ext4", "/etc/motd"])
        #expect(
            second
                == .init(
                    status: 2, stdout: "",
                    stderr: "error: motd exists\nhint: remove it, or name another place with -o\n"))
    }

    @Test func `an image that is none is refused`() throws {
        let workspace = try World.shared().coldWorkspace()
        try workspace.write("text", "not an image\n")
        for (name, reason) in [
            ("text", "it is no ext2, ext3 or ext4 file system"), ("missing", "No such file or directory"),
        ] {
            let ending = try workspace.program.run(["inspect", "list", name])
            let text = "error: cannot read the image \(workspace.path(name)): \(reason)\n"
            #expect(ending == .init(status: 2, stdout: "", stderr: text))
        }
    }
}
