import RootfsModel
import SystemPackage
import Testing

/// A layer's own scripts: where they run, what of them counts, and how they fail.
@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct LayerScriptTests {
    private static let layers = """
        layers:
          - {name: system, packages: [hello], run: [{script: recipes/scripts/index}, {script: recipes/scripts/second}]}
          - {name: odd, packages: [odd-names]}
        """

    /// What it finds of its packages and its environment, and what there is of it afterwards.
    private static let index = """
        #!/bin/sh
        set -e
        mkdir -p /var/cache/index
        echo "$(cat /etc/hello.conf), $SOURCE_DATE_EPOCH, $LANG" > /var/cache/index/found
        # What its package's script made just now has the layer's moment already.
        touch -d "@$SOURCE_DATE_EPOCH" /var/cache/index/moment
        if test /var/lib/hello/configured -nt /var/cache/index/moment; then echo "a later time" >&2; exit 1; fi
        touch -d 2099-01-01 /var/cache/index/later
        echo one > /var/cache/index/order

        """

    private func workspace() throws -> Workspace {
        let workspace = try World.shared().warmWorkspace()
        try workspace.recipe("scripts", Self.layers)
        try workspace.write("recipes/scripts/index", Self.index)
        try workspace.write("recipes/scripts/second", "#!/bin/sh\necho two >> /var/cache/index/order\n")
        return workspace
    }

    @Test func `they run in their order after the packages of their layer`() throws {
        let workspace = try workspace()
        let ending = try workspace.build("scripts")
        #expect(ending.status == 0, "\(ending.stderr)")
        func file(_ path: String) throws -> String {
            try workspace.program.run(["inspect", "cat", workspace.output("scripts", "scripts.ext4").string, path])
                .stdout
        }
        let moment = try #require(
            workspace.text("recipes/scripts.lock").split(separator: "\n").first { $0.hasPrefix("Moment: ") }
        ).dropFirst("Moment: ".count)
        #expect(try file("/var/cache/index/found") == "greeting = hello, \(moment), C.UTF-8\n")
        #expect(try file("/var/cache/index/order") == "one\ntwo\n")
        let listing = try workspace.text("out/scripts/scripts.listing")
        #expect(listing.contains("/later ") && !listing.contains("tmp.ci"))
        #expect(!listing.contains("time=4070908800"))
        // Nothing of it is done again, and the same is told.
        #expect(try workspace.build("scripts").stderr.contains("fresh, nothing to do"))
    }

    @Test func `a script that changed makes its layer and those above anew`() throws {
        let workspace = try workspace()
        #expect(try workspace.build("scripts").status == 0)
        try workspace.write("recipes/scripts/second", "#!/bin/sh\necho three >> /var/cache/index/order\n")
        let explained = try workspace.run(["explain", "recipes/scripts.manifest"]).stdout
        #expect(explained.contains("script 2 recipes/scripts/second"))
        let ending = try workspace.build("scripts", ["--offline"])
        #expect(ending.status == 0)
        #expect(ending.stderr.contains("layer base: ") && ending.stderr.contains("fresh"))
        let image = workspace.output("scripts", "scripts.ext4").string
        #expect(
            try workspace.program.run(["inspect", "cat", image, "/var/cache/index/order"]).stdout == "one\nthree\n")
    }

    @Test func `one that fails stops the build with its last words`() throws {
        let workspace = try workspace()
        try workspace.previousOutputs(of: "scripts")
        try workspace.write("recipes/scripts/second", "#!/bin/sh\necho no index >&2\nexit 3\n")
        let before = try workspace.state()
        let ending = try workspace.build("scripts")
        #expect(ending.status == 2)
        #expect(ending.stderr.contains("error: recipes/scripts/second failed: exit status 3"))
        #expect(ending.stderr.contains("no index"))
        #expect(try workspace.state().contains(before))
        #expect(try workspace.leftovers == [])
    }

    @Test func `one that is not there is told before anything is done`() throws {
        let workspace = try workspace()
        try workspace.recipe("scripts", Self.layers.replacing("scripts/second", with: "scripts/sekond"))
        let ending = try workspace.build("scripts")
        #expect(ending.status == 2)
        #expect(ending.stderr.contains("there is no script recipes/scripts/sekond"))
        #expect(ending.stderr.contains("did you mean recipes/scripts/second?"))
    }

    @Test func `a layer that installs nothing runs none`() throws {
        let workspace = try workspace()
        try workspace.recipe(
            "scripts",
            """
            layers:
              - {name: system, packages: [hello]}
              - {name: again, packages: [hello], run: [{script: recipes/scripts/index}]}
            """)
        let ending = try workspace.build("scripts")
        #expect(ending.status == 2)
        #expect(ending.stderr.contains("the layer again has scripts and installs nothing"))
    }
}
