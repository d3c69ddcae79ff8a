import RootfsModel
import Storage
import SystemPackage
import Testing

/// What a build would make and why: told before, and what the build then does.
@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct ExplainTests {
    /// A change of one input, and the stale stages that follow from it with their reasons, a line each; none where
    /// nothing is to become stale.
    struct Case: Sendable {
        var name: String
        var stale: [String]
        var change: @Sendable (Workspace) throws -> Void
        var arguments: [String] = []

        init(
            _ name: String, _ stale: [String] = [], arguments: [String] = [],
            _ change: @escaping @Sendable (Workspace) throws -> Void
        ) {
            self.name = name
            self.stale = stale
            self.change = change
            self.arguments = arguments
        }

        /// Replaces a part of the recipe.
        static func recipe(_ old: String, _ new: String, _ stale: [String] = []) -> Case {
            Case("recipe: \(new)", stale) { try ExplainTests.edit("recipes/demo.manifest", old, new, in: $0) }
        }

        /// Replaces a part of the lock.
        static func lock(_ old: String, _ new: String, _ stale: [String]) -> Case {
            Case("lock: \(new)", stale) { try ExplainTests.edit("recipes/demo.lock", old, new, in: $0) }
        }

        /// What follows from a key that provisioning reads, or the kernel, or the image alone.
        static func provision(_ what: String) -> [String] {
            ["kernel: image", "provision: \(what)", "image: \(what)"]
        }
        static func kernel(_ what: String) -> [String] {
            ["kernel: \(what)", "provision: image", "image: \(what)"]
        }
        static func image(_ what: String) -> [String] {
            ["kernel: image", "provision: image", "image: \(what)"]
        }
    }

    private static func edit(_ file: String, _ old: String, _ new: String, in workspace: Workspace) throws {
        let text = try workspace.text(file)
        try #require(text.contains(old), "\(file) has no \(old)")
        try workspace.write(file, text.replacing(old, with: new))
    }

    private static let more = "image: {label: demo, free: 1MiB}"

    /// Every key of the recipe and every option of a build.
    private static let cases: [Case] = [
        Case("nothing") { _ in },
        // What cannot change a byte.
        .recipe("layers:", "# a comment\nlayers:"),
        .recipe("keyring: keys/fixture.gpg", "keyring: keys/other.gpg"),
        .recipe("suite: bookworm,", "suite: bookworm, mirror: \"http://127.0.0.1:1/\","),
        .recipe("suite: bookworm,", "suite: bookworm, architecture: amd64,"),
        .recipe("free: 1MiB", "free: 1024KiB"),
        .recipe(more, more + "\nvariables: {unused: value}"),
        .recipe(more, more + "\nmachine: {vcpus: 1}"),
        Case("options", arguments: ["--jobs", "1", "--offline"]) { _ in },
        Case("another overlay checkout") {
            try shell(
                "touch -d 1999-01-01 first/etc/first.conf; chmod 600 first/etc/first.conf; chown 5:5 first/usr/local/bin/tool; echo > first/.gitkeep",
                in: $0.path("overlays"))
        },
        // What provisioning reads.
        .recipe(more, more + "\nhostname: host", Case.provision("recipe hostname")),
        .recipe(more, more + "\ntimezone: Etc/UTC", Case.provision("recipe timezone")),
        .recipe(more, more + "\nlocale: C", Case.provision("recipe locale")),
        .recipe("uid: 1000", "uid: 1001", Case.provision("recipe users")),
        .recipe("hello from demo", "good bye", Case.provision("recipe files./etc/motd")),
        .recipe("remove: [", "remove: [\"/nothing\", ", Case.provision("recipe remove")),
        .recipe(more, more + "\nservices: {web: {command: [/usr/bin/hello]}}", Case.provision("recipe services.web")),
        Case("an overlay's file", Case.provision("overlay overlays/first")) {
            try $0.write("overlays/first/etc/first.conf", "other\n")
        },
        Case("an overlay's mode", Case.provision("overlay overlays/first")) {
            try shell("chmod -x first/usr/local/bin/tool", in: $0.path("overlays"))
        },
        Case("one more file in an overlay", Case.provision("overlay overlays/first")) {
            try $0.write("overlays/first/etc/more", "")
        },
        .recipe(
            "overlays: [overlays/first]", "overlays: [{source: overlays/first, target: /opt}]",
            Case.provision("recipe overlays")),
        .recipe(
            "overlays: [overlays/first]", "overlays: [{source: overlays/first, template: [\"*\"]}]\nvariables: {a: b}",
            [
                "kernel: image", "provision: recipe overlays, recipe variables.a",
                "image: recipe overlays, recipe variables.a",
            ]),
        // What the kernel is made of.
        .recipe("arguments: [console=ttyS0]", "arguments: [quiet]", Case.kernel("recipe kernel.arguments")),
        .recipe("arguments:", "initrd: always, arguments:", Case.kernel("recipe kernel.initrd")),
        .recipe("arguments:", "modules: [virtio_net], arguments:", Case.kernel("recipe kernel.modules")),
        // What is said of the image and beside it.
        .recipe("free: 1MiB", "free: 2MiB", Case.image("recipe image.free")),
        .recipe("label: demo", "label: other", Case.image("recipe image.label")),
        .recipe("label: demo", "journal: true, label: demo", Case.image("recipe image.journal")),
        .recipe(more, more + "\ndescription: what it is for", Case.image("recipe description")),
        .recipe(more, more + "\nboot: {expect: [\"login:\"]}", Case.image("recipe boot.expect")),
        .recipe(more, more + "\nmachine: {memory: 2GiB}", Case.image("recipe machine.memory")),
        // What the lock says.
        .lock("Solver: ", "Solver: other-", Case.image("lock")),
        .lock(
            "Moment: 1", "Moment: 2",
            ["layer base: moment", "layer system: the layer below, moment", "layer odd: the layer below, moment"]
                + Case.image("lock")),
        .lock(
            "Package: hello\nVersion: 2.10-3\n", "Package: hello\nVersion: 2.10-4\n",
            ["layer system: package hello (all)", "layer odd: the layer below"] + Case.image("lock")),
        .lock(
            "Package: odd-names\nVersion: 1.0\n", "Package: odd-names\nVersion: 1.1\n",
            ["layer odd: package odd-names (all)"] + Case.image("lock")),
        .lock(
            "Package: linux-image-builtin\nVersion: 6.1.1-1\n", "Package: linux-image-builtin\nVersion: 6.1.1-2\n",
            [
                "kernel: kernel package linux-image-builtin (amd64)", "provision: image",
                "image: lock, kernel package linux-image-builtin (amd64)",
            ]),
        // Where the outputs are.
        Case("elsewhere", Case.image("outputs"), arguments: ["-o", "elsewhere"]) { _ in },
        // The one option that goes into the image.
        Case("a rule that is switched off", Case.image("kept"), arguments: ["--keep", "logs"]) { _ in },
    ]

    /// The stale stages of a recipe with their reasons, a line each.
    private func stale(_ explanation: JSON) -> [String] {
        explanation["stages"].list.filter { $0["fresh"] == .boolean(false) }.map { stage in
            let reasons = stage["because"].list.map { $0["what"].string ?? "" }
            return "\(stage["stage"].string ?? ""): \(reasons.joined(separator: ", "))"
        }
    }

    private func explain(_ workspace: Workspace, _ recipes: [String] = ["demo"], _ more: [String] = []) throws -> [JSON]
    {
        let ending = try workspace.run(["explain", "--json"] + recipes.map { "recipes/\($0).manifest" } + more)
        #expect(ending.status == 0, "\(ending.stderr)")
        #expect(ending.stderr == "")
        return try JSON(ending.stdout).list
    }

    /// A workspace with the outputs of `demo`.
    private func built() throws -> Workspace {
        let workspace = try World.shared().warmWorkspace()
        try shell("cp fixture.gpg other.gpg", in: workspace.path("keys"))
        let built = try workspace.build("demo", ["--offline"])
        #expect(built.status == 0, "\(built.stderr)")
        return workspace
    }

    @Test func `each input makes stale what depends on it, and nothing else`() throws {
        let workspace = try built()
        try shell("mkdir kept && cp -a recipes overlays kept/", in: workspace.root)
        for test in Self.cases {
            try test.change(workspace)
            let explanation = try #require(try explain(workspace, ["demo"], test.arguments).first)
            #expect(stale(explanation) == test.stale, "\(test.name)")
            #expect(explanation["fresh"] == .boolean(test.stale.isEmpty), "\(test.name)")
            try shell("rm -rf recipes overlays && cp -a kept/recipes kept/overlays .", in: workspace.root)
        }
        #expect(untimed(try workspace.build("demo").stderr) == "demo: fresh, nothing to do\n")
    }

    /// What happens to a workspace with outputs, and what is stale then.
    private static let situations: [Case] = [
        Case("the outputs are fresh, whatever is gone from the store") {
            try shell("rm -r payloads/* layers/* files/*", in: $0.cache)
        },
        Case("the outputs are gone", Case.image("outputs")) { try removeTree(at: $0.output("demo")) },
        Case("an output was touched", Case.image("demo.listing")) { try $0.write("out/demo/demo.listing", "other") },
        Case("the record of another version", Case.image("outputs")) { try $0.write("out/demo/build.json", "{}") },
        Case("a payload is gone", ["unpack: hello 2.10-3 (all)"] + Case.image("demo.ext4")) { workspace in
            try shell(
                "rm -r $(dirname $(find payloads -name tree -exec test -e {}/usr/bin/hello ';' -print))",
                in: workspace.cache)
            try removeTree(at: workspace.output("demo", "demo.ext4"))
        },
        Case("a payload's listing is damaged", ["unpack: hello 2.10-3 (all)"] + Case.image("demo.ext4")) { workspace in
            try shell(
                "cd $(dirname $(find payloads -name tree -exec test -e {}/usr/bin/hello ';' -print)) && mv listing kept && sed s/usr/usR/ kept > listing && rm kept",
                in: workspace.cache)
            try removeTree(at: workspace.output("demo", "demo.ext4"))
        },
        Case("a package file is gone", ["fetch: hello 2.10-3 (all)"] + Case.image("demo.ext4")) { workspace in
            let payload = try shell(
                "dirname $(find payloads -name tree -exec test -e {}/usr/bin/hello ';' -print)", in: workspace.cache)
            try shell("rm files/\(payload.split(separator: "\n")[0].dropFirst("payloads/".count))", in: workspace.cache)
            try removeTree(at: workspace.output("demo", "demo.ext4"))
        },
        Case("a layer is gone", ["layer system: layer system"] + Case.image("demo.ext4")) { workspace in
            try shell(
                "rm -r $(dirname $(find layers -name delta -exec test -e {}/var/lib/hello ';' -print))",
                in: workspace.cache)
            try removeTree(at: workspace.output("demo", "demo.ext4"))
        },
        Case("a layer is damaged", ["layer system: layer system"] + Case.image("demo.ext4")) { workspace in
            try shell(
                "cd $(find layers -name delta -exec test -e {}/var/lib/hello ';' -print)/var/lib/hello && rm configured && echo > configured",
                in: workspace.cache)
            try removeTree(at: workspace.output("demo", "demo.ext4"))
        },
        Case(
            "the store is another",
            [
                "fetch: base-files 1.0 (all), busybox-static 1.35 (amd64), dpkg 1.21 (amd64), hello 2.10-3 (all), libhello1 2.1 (amd64), linux-image-builtin 6.1.1-1 (amd64), odd-names 1.0 (all)",
                "unpack: base-files 1.0 (all), busybox-static 1.35 (amd64), dpkg 1.21 (amd64), hello 2.10-3 (all), libhello1 2.1 (amd64), linux-image-builtin 6.1.1-1 (amd64), odd-names 1.0 (all)",
                "layer base: layer base", "layer system: layer system", "layer odd: layer odd",
            ] + Case.image("demo.ext4")
        ) { workspace in
            try shell("rm -r payloads/* layers/* files/*", in: workspace.cache)
            try removeTree(at: workspace.output("demo", "demo.ext4"))
        },
        Case(
            "the moment is another",
            [
                "layer base: moment", "layer system: the layer below, moment", "layer odd: the layer below, moment",
            ] + Case.image("lock")
        ) { try edit("recipes/demo.lock", "Moment: 1", "Moment: 2", in: $0) },
        .recipe("hello from demo", "good bye", Case.provision("recipe files./etc/motd")),
    ]

    @Test(arguments: situations.indices) func `a build does what was explained`(index: Int) throws {
        let test = Self.situations[index]
        let workspace = try built()
        try test.change(workspace)
        let explanation = try #require(try explain(workspace).first)
        #expect(stale(explanation) == test.stale, "\(test.name)")
        let ending = try workspace.build("demo", ["--json"])
        #expect(ending.status == 0, "\(test.name): \(ending.stderr)")
        let built = try #require(try JSON(ending.stdout).list.first)
        #expect(built["fresh"] == explanation["fresh"], "\(test.name)")
        #expect(stale(try #require(try explain(workspace).first)) == [], "\(test.name)")
        if test.stale.isEmpty { return }
        // build.json says the same of the layers, in the same words.
        let layers = try JSON(workspace.text("out/demo/build.json"))["layers"].list
        let told = explanation["stages"].list.filter { $0["stage"].string?.hasPrefix("layer ") == true }
        #expect(layers.map { $0["stage"] } == told.map { $0["stage"] }, "\(test.name)")
        #expect(layers.map { $0["fresh"] } == told.map { $0["fresh"] }, "\(test.name)")
        #expect(layers.map { $0["because"] } == told.map { $0["because"] }, "\(test.name)")
        let fetch = built["stages"].list.first { $0["stage"] == .text("fetch") }
        let isFetched = test.stale.contains { $0.hasPrefix("fetch") }
        #expect(fetch?["detail"].string?.hasSuffix("in the store") == !isFetched, "\(test.name)")
    }

    @Test func `the text says it with old and new value`() throws {
        let workspace = try built()
        let fresh = try workspace.run(["explain", "recipes/demo.manifest"])
        same(
            fresh.stdout,
            """
            demo: fresh
              fetch         fresh
              unpack        fresh
              layer base    fresh
              layer system  fresh
              layer odd     fresh
              kernel        fresh
              provision     fresh
              image         fresh

            """)
        try Self.edit("recipes/demo.manifest", "free: 1MiB", "free: 2MiB", in: workspace)
        try Self.edit(
            "recipes/demo.lock", "Package: odd-names\nVersion: 1.0\n", "Package: odd-names\nVersion: 1.1\n",
            in: workspace)
        let stale = try workspace.run(["explain", "recipes/demo.manifest"])
        #expect(stale.status == 0)
        same(
            stale.stdout.replacing(#/sha256:[0-9a-f]{12}/#, with: "sha256:N"),
            """
            demo: stale
              fetch         fresh
              unpack        fresh
              layer base    fresh
              layer system  fresh
              layer odd     stale
                package odd-names (all): 1.0 sha256:N → 1.1 sha256:N
              kernel        stale
                image: is made anew
              provision     stale
                image: is made anew
              image         stale
                recipe image.free: "1MiB" → "2MiB"
                lock: sha256:N → sha256:N

            """)
    }

    @Test func `another program makes the outputs stale, not the layers`() throws {
        let workspace = try built()
        let other = workspace.path("other-program")
        try shell("cp '\(Program.path)' '\(other)' && echo >> '\(other)'")
        let running = try Running(
            [other.string] + workspace.words(["explain", "--json", "recipes/demo.manifest"]), in: workspace.root,
            environment: workspace.program.environment)
        let explanation = try #require(try JSON(running.wait().stdout).list.first)
        #expect(stale(explanation) == Case.image("program"))
    }

    @Test func `without a lock all is to be made, and the lock comes first`() throws {
        let workspace = try built()
        try removeTree(at: workspace.path("recipes/demo.lock"))
        let explanation = try #require(try explain(workspace).first)
        #expect(
            stale(explanation)
                == [
                    "resolve", "fetch", "unpack", "layer base", "layer system", "layer odd", "kernel", "provision",
                    "image",
                ].map { "\($0): lock" })
        #expect(!exists(workspace.path("recipes/demo.lock")))
    }

    @Test func `what a build refuses is refused in the same words`() throws {
        let workspace = try built()
        for (old, new) in [
            ("packages: [hello]", "packages: [hello, extra]"),
            ("overlays: [overlays/first]", "overlays: [overlays/none]"),
            ("suite: bookworm,", "suite: bookworm, architecture: arm64,"),
        ] {
            let text = try workspace.text("recipes/demo.manifest")
            try Self.edit("recipes/demo.manifest", old, new, in: workspace)
            let explained = try workspace.run(["explain", "recipes/demo.manifest"])
            #expect(explained.status == 2)
            #expect(try explained == workspace.build("demo"))
            try workspace.write("recipes/demo.manifest", text)
        }
    }

    @Test func `what an earlier recipe brings is there for the next`() throws {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        try workspace.write("recipes/demo.lock", try world.warm.text("recipes/demo.lock"))
        let lock = try world.warm.text("recipes/demo.lock")
        try workspace.write("recipes/other.lock", lock.replacing("Recipe: demo", with: "Recipe: other"))
        try workspace.recipe("other", Workspace.demo)
        let explained = try explain(workspace, ["demo", "other"])
        #expect(stale(explained[1]) == Case.image("outputs"))
        #expect(stale(explained[0]).contains("layer base: layer base"))
        // And so it goes: another recipe's name changes no layer.
        let built = try workspace.run(["recipes/demo.manifest", "recipes/other.manifest"])
        for how in ["fresh", "configured"] {
            let lines = untimed(built.stderr).split(separator: "\n").filter {
                $0.hasSuffix(": layer odd: 1 package, \(how)")
            }
            #expect(lines.count == 1, "\(built.stderr)")
        }
    }
}
