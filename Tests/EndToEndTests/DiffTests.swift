import RootfsModel
import Storage
import SystemPackage
import Testing

/// A second build beside the world's first, with a user, an overlay's file and a service's file more.
func twoBuilds() throws -> Workspace {
    let world = try World.shared()
    let workspace = try world.warmWorkspace()
    try shell("cp -a '\(world.warm.output("demo"))' old", in: workspace.root)
    try workspace.write("overlays/first/etc/first.conf", "second\n")
    try workspace.write("overlays/first/etc/sudoers.d/agent", "agent ALL=(ALL) ALL\n")
    try workspace.recipe(
        "demo",
        Workspace.demo.replacing(
            "shell: /bin/sh}",
            with: "shell: /bin/sh}\n  - {name: more, uid: 1001, home: /home/more, shell: /bin/sh}"))
    let built = try workspace.build("demo", ["-o", "new"])
    #expect(built.status == 0, "\(built.stderr)")
    return workspace
}

/// Two builds of one recipe, compared as a user does.
@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct DiffTests {
    @Test func `what a recipe's change made of an image is told by its causes`() throws {
        let workspace = try twoBuilds()
        let ending = try workspace.program.run(["diff", "old", "new"])
        #expect(ending.status == 0, "\(ending.stderr)")
        let text = ending.stdout
        #expect(text.contains("/etc/sudoers.d/agent is new: who may become root [overlay overlays/first]"))
        #expect(text.contains("new user more"))
        #expect(text.contains("    -first\n    +second\n"))
        #expect(text.contains("\nNot explained: nothing\n"), "\(text)")
        let json = try JSON(workspace.program.run(["diff", "old", "new", "--json"]).stdout)
        #expect(json["notExplained"] == .array([]))
        #expect(json["counts"]["paths"] == .number(Double(json["paths"].list.count)))
        // Images, listings and folders say the same.
        let paths = json["paths"]
        for pair in [
            ["old/demo.ext4", "new/demo.ext4"], ["old/demo.listing", "new/demo.listing"], ["old", "new/demo.ext4"],
        ] {
            let other = try JSON(workspace.program.run(["diff", "--json"] + pair).stdout)
            #expect(other["paths"] == paths, "\(pair)")
        }
        // Where everything is read, nothing is hashed.
        let read = try JSON(workspace.program.run(["diff", "--json", "--paranoid", "old", "new"]).stdout)["paths"]
        func told(_ paths: JSON) -> [String?] {
            paths.list.flatMap { [$0["path"].string, $0["change"].string, $0["cause"]["kind"].string] }
        }
        #expect(told(read) == told(paths))
    }

    @Test func `the exit status is 1 only where it is asked for and something differs`() throws {
        let workspace = try twoBuilds()
        func status(_ arguments: String...) throws -> Int32 { try workspace.program.run(["diff"] + arguments).status }
        #expect(try status("old", "new") == 0)
        #expect(try status("old", "new", "--exit-code") == 1)
        #expect(try status("old", "old", "--exit-code") == 0)
        #expect(try status("old", "old/demo.ext4", "--paranoid", "--exit-code") == 0)
        #expect(try status("old", "new", "--exit-code", "--only", "packages") == 0)
        #expect(try status("old", "new", "--exit-code", "/usr/share/hello") == 0)
        #expect(try status("old", "new", "--exit-code", "--", "/etc/first.conf") == 1)
        #expect(try status("old", "new", "--only", "noises") == 64)
        #expect(try status("old", "nowhere") == 64)
        #expect(try status("old", "recipes/demo.manifest") == 2)
    }

    @Test func `a file that somebody changed in the image is not explained`() throws {
        guard try shell("command -v debugfs") != "status 127\n" else { return print("debugfs is missing: not asked") }
        let workspace = try twoBuilds()
        try workspace.write("evil", "#!/bin/sh\necho evil\n", mode: 0o755)
        try shell("cp -a old evil-build", in: workspace.root)
        // Another file in the place of a package's, without a word to dpkg.
        try shell(
            "debugfs -w -R 'rm /usr/bin/hello' evil-build/demo.ext4; debugfs -w -R 'write evil /usr/bin/hello' evil-build/demo.ext4",
            in: workspace.root)
        let ending = try workspace.program.run(["diff", "old", "evil-build", "--exit-code"])
        #expect(ending.status == 1, "\(ending.stderr)")
        #expect(ending.stdout.contains("/usr/bin/hello is another program outside of any package's change"))
        #expect(ending.stdout.contains("\nNot explained: "))
        #expect(!ending.stdout.contains("\nNot explained: nothing\n"))
        // Nor by an overlay that is laid over the root, has other content, and has no such file.
        try shell(
            """
            cp -a new evil-too; debugfs -w -R 'rm /usr/share/odd/setuid' evil-too/demo.ext4
            debugfs -w -R 'write evil /opt' evil-too/demo.ext4
            """, in: workspace.root)
        let json = try JSON(workspace.program.run(["diff", "--json", "old", "evil-too"]).stdout)
        #expect(json["notExplained"] == .array([.text("/opt"), .text("/usr/share/odd/setuid")]))
        let removed = json["paths"].list.first { $0["path"] == .text("/usr/share/odd/setuid") }
        #expect(removed?["fields"].list == [.object(["name": .text("size"), "old": .text("10")])])
        let overlays = try JSON(workspace.text("new/build.json"))["overlays"].list
        #expect(overlays.map { $0["name"].string } == ["overlays/first"])
        #expect(overlays[0]["paths"].list.contains(.text("/etc/sudoers.d/agent")))
    }

    @Test func `locks are compared by their packages, and a lock with an image too`() throws {
        let workspace = try twoBuilds()
        let lock = try workspace.text("recipes/demo.lock")
        try workspace.write(
            "other.lock", lock.replacing("Package: odd-names\nVersion: 1.0", with: "Package: odd-names\nVersion: 2.0"))
        let ending = try workspace.program.run(["diff", "recipes/demo.lock", "other.lock"])
        #expect(ending.stdout.contains("upgraded  odd-names  1.0 → 2.0"), "\(ending.stdout)\(ending.stderr)")
        #expect(ending.stdout.contains("Not compared"))
        let same = try workspace.program.run(["diff", "recipes/demo.lock", "recipes/demo.lock", "--exit-code"])
        #expect(same.status == 0)
        #expect(same.stdout.contains("the same packages"))
    }
}
