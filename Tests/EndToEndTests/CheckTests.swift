import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct CheckTests {
    /// A recipe with a machine's id in its image.
    private func faulty(_ more: String = "") throws -> Workspace {
        let workspace = try World.shared().warmWorkspace()
        let file = "files:\n  /etc/machine-id: \"0123456789abcdef0123456789abcdef\"\n"
        try workspace.recipe("demo", Workspace.demo.replacing("files:\n", with: file) + "\n" + more)
        return workspace
    }

    @Test func `an error fails the build, with the reason and what to do, and leaves the outputs alone`() throws {
        let workspace = try faulty()
        try workspace.previousOutputs(of: "demo")
        let before = try workspace.state()
        let ending = try workspace.build("demo")
        #expect(ending.status == 2)
        #expect(ending.stdout == "")
        let said = ending.stderr
        #expect(
            said.contains("error: hygiene/machine-id: every machine of this image would have the same id\n"), "\(said)")
        #expect(said.contains("  /etc/machine-id holds 0123456789abcdef0123456789abcdef\n"))
        #expect(said.contains("hint: leave /etc/machine-id empty"))
        #expect(said.contains("check.suppress"))
        #expect(try workspace.state() == before)
        #expect(try workspace.leftovers == [])
    }

    @Test func `with --no-check the image is written, and a build without it is not fresh`() throws {
        let workspace = try faulty()
        let accepted = try workspace.build("demo", ["--no-check"])
        #expect(accepted.status == 0, "\(accepted.stderr)")
        #expect(accepted.stderr.contains("demo: check: 1 error"))
        #expect(try JSON(workspace.text("out/demo/check.json"))["errors"] == .number(1))
        let again = try workspace.build("demo", ["--no-check"])
        #expect(again.stderr.contains("fresh, nothing to do"))
        let explained = try workspace.run(["explain", "recipes/demo.manifest"])
        #expect(explained.stdout.contains("check: found 1 error"), "\(explained.stdout)")
        #expect(try workspace.build("demo").status == 2)
        #expect(exists(workspace.output("demo", "demo.ext4")))
    }

    @Test func `what the recipe suppresses is accepted with its reason, by the build and by a check of its image`()
        throws
    {
        let workspace = try faulty(
            """
            check:
              suppress:
                - {id: hygiene/machine-id, because: "one machine only"}
                - {id: hygiene/token, path: /etc/gone, because: "of old"}
            """)
        let built = try workspace.build("demo")
        #expect(built.status == 0, "\(built.stderr)")
        for subject in ["out/demo", "out/demo/demo.ext4", "recipes/demo.manifest"] {
            let checked = try workspace.run(["check", subject, "--json"])
            #expect(checked.status == 0, "\(checked.stderr)")
            let report = try JSON(checked.stdout)
            #expect(report["errors"] == .number(0))
            #expect(report["accepted"].list.map { $0["id"].string } == ["hygiene/machine-id"])
            #expect(report["accepted"].list.map { $0["acceptedBecause"].string } == ["one machine only"])
            let unused = report["findings"].list.filter { $0["id"] == .text("suppress/unused") }
            #expect(unused.map { $0["path"].string } == ["/etc/gone"])
            #expect(
                unused.first?["location"]["file"].string == (subject.hasPrefix("out") ? nil : "recipes/demo.manifest"))
        }
    }

    @Test func `an image, its directory, its recipe and an unpacked tree have the same findings`() throws {
        let workspace = try faulty()
        #expect(try workspace.build("demo", ["--no-check"]).status == 0)
        #expect(try workspace.program.run(["inspect", "extract", "out/demo/demo.ext4", "/", "-o", "tree"]).status == 0)
        var seen = [String]()
        for (subject, more) in [
            ("out/demo", []), ("out/demo/demo.ext4", []), ("recipes/demo.manifest", []),
            ("tree", ["--kernel", "out/demo"]),
        ] {
            let checked = try workspace.run(["check", subject, "--json"] + more)
            #expect(checked.status == 1, "\(checked.stderr)")
            let report = try JSON(checked.stdout)
            #expect(report["kernel"]["hasConfiguration"] == .boolean(true))
            seen.append("\(report["findings"].list.map { "\($0["id"]) \($0["path"]) \($0["reasons"])" })")
        }
        #expect(Set(seen).count == 1, "\(seen)")
    }

    @Test func `the text says the verdict, the chain and what to do`() throws {
        let workspace = try faulty()
        #expect(try workspace.build("demo", ["--no-check"]).status == 0)
        let checked = try workspace.run(["check", "out/demo"])
        #expect(checked.status == 1)
        #expect(checked.stderr == "")
        #expect(
            checked.stdout.hasPrefix(
                """
                out/demo/demo.ext4: 1 error, 2 notes
                  machine  amd64, firecracker, 1024 MiB
                  kernel   6.1.0-test

                error: hygiene/machine-id: every machine of this image would have the same id
                  - /etc/machine-id holds 0123456789abcdef0123456789abcdef
                  - DHCP leases, journals and cluster members go by it
                  do: leave /etc/machine-id empty: systemd fills it at first boot

                """), "\(checked.stdout)")
    }

    @Test func `the package that has what is missing is named, from the image and from the store`() throws {
        let workspace = try World.shared().warmWorkspace()
        let links = workspace.path("overlays/first/etc/alternatives")
        try makeDirectory(at: links)
        try shell("ln -s /usr/share/hello/empty lost; ln -s /usr/share/odd/gone nobodys", in: links)
        #expect(try workspace.build("demo").status == 0)
        let checked = try JSON(try workspace.run(["check", "out/demo", "--json"]).stdout)
        let found = checked["findings"].list.filter { $0["id"] == .text("state/alternative") }
        #expect(found.map { $0["missing"].string } == ["/usr/share/hello/empty", "/usr/share/odd/gone"])
        let package = try #require(found.first?["packages"].list.first)
        #expect(package["package"] == .text("hello") && package["version"] == .text("2.10-3"))
        #expect(package["isInstalled"] == .boolean(true))
        #expect(found.last?["packages"].list.isEmpty == true)
        // Another recipe's image has no package hello; the store has.
        try workspace.recipe("bare", "layers: [{name: system, packages: [odd-names]}]\noverlays: [overlays/first]")
        #expect(try workspace.build("bare").status == 0)
        let text = try workspace.run(["check", "out/bare"]).stdout
        #expect(text.contains("\n  = the package hello 2.10-3 brings /usr/share/hello/empty\n"), "\(text)")
        // Without a store nobody knows.
        let alone = try workspace.program.run(["check", "out/bare", "--cache", "nowhere"])
        #expect(!alone.stdout.contains("the package hello") && !exists(workspace.path("nowhere")))
    }

    @Test func `SARIF has a result for each finding, and the accepted ones suppressed`() throws {
        let workspace = try faulty("check: {suppress: [{id: hygiene/machine-id, because: known}]}")
        #expect(try workspace.build("demo").status == 0)
        let log = try JSON(try workspace.run(["check", "out/demo", "--sarif"]).stdout)
        #expect(log["version"] == .text("2.1.0"))
        let run = try #require(log["runs"].list.first)
        let rules = run["tool"]["driver"]["rules"].list.map { $0["id"].string }
        for result in run["results"].list {
            let index = try #require(rules.firstIndex(of: result["ruleId"].string))
            #expect(result["ruleIndex"] == .number(Double(index)))
            #expect(["error", "warning", "note"].contains(result["level"].string))
            #expect(result["message"]["text"].string?.isEmpty == false)
        }
        let known = try #require(run["results"].list.first { $0["ruleId"] == .text("hygiene/machine-id") })
        #expect(known["suppressions"].list.map { $0["justification"].string } == ["known"])
        let uri = known["locations"].list.first?["physicalLocation"]["artifactLocation"]["uri"].string
        #expect(uri?.hasSuffix("out/demo/demo.ext4/etc/machine-id") == true, "\(uri ?? "")")
    }

    @Test(arguments: [
        (["check", "gone.ext4"], "there is no image"),
        (["check", "out"], "there is no image"),
        (["check", "zeros"], "zeros"),
        (["check", "empty"], "empty"),
        (["check", "folder"], "is empty"),
        (["check", "overlays", "--kernel", "nowhere"], "nowhere"),
    ]) func `what is no image is said to be none`(words: [String], says: String) throws {
        let workspace = try World.shared().coldWorkspace()
        try workspace.write("zeros", bytes: [UInt8](repeating: 0, count: 100_000))
        try workspace.write("empty", "")
        try makeDirectory(at: workspace.path("folder"))
        let ending = try workspace.run(words)
        #expect(ending.status == 2 || ending.status == 64)
        #expect(ending.stderr.contains("error: ") && ending.stderr.contains(says), "\(ending.stderr)")
    }

    @Test func `a configuration that sets nothing is none`() throws {
        let workspace = try World.shared().coldWorkspace()
        try makeDirectory(at: workspace.path("kernel"))
        try workspace.write("kernel/vmlinux", bytes: readFile(at: World.shared().warm.output("demo", "vmlinux")))
        try workspace.write("kernel/config", "<html>not found</html>\n")
        let ending = try workspace.run(["check", "overlays", "--kernel", "kernel"])
        #expect(ending.status == 2)
        #expect(ending.stderr.contains("kernel/config is no kernel's configuration"), "\(ending.stderr)")
    }

    @Test func `a damaged image is an error that says where`() throws {
        let workspace = try World.shared().warmWorkspace()
        var bytes = try readFile(at: World.shared().warm.output("demo", "demo.ext4"))
        for offset in 0x2000..<min(bytes.count, 0x40_0000) { bytes[offset] ^= 0x5A }
        try workspace.write("damaged.ext4", bytes: bytes)
        let ending = try workspace.run(["check", "damaged.ext4"])
        #expect(ending.status == 2)
        #expect(ending.stderr.contains("damaged.ext4"), "\(ending.stderr)")
    }
}
