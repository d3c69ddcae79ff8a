import ArchiveFixture
import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(.serialized, .enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct ReproduceTests {
    private func reproduce(
        _ recipe: String, _ more: [String] = [], in workspace: Workspace
    ) throws -> Program.Ending {
        try makeDirectory(at: workspace.path("work"))
        return try workspace.run(
            ["reproduce", "recipes/\(recipe).manifest", "--work", workspace.path("work").string] + more)
    }

    @Test func `a recipe that gives the same twice is reproducible`() throws {
        let world = try World.shared()
        let workspace = try world.warmWorkspace()
        let server = try FixtureServer(serving: world.archive.root)
        try makeDirectory(at: workspace.path("work"))
        let ending = try workspace.run(
            ["reproduce", "recipes/demo.manifest", "--work", workspace.path("work").string], mirror: server.uri)
        #expect(ending.status == 0, "\(ending.stderr)\(ending.stdout)")
        // The hash is that of any build of this lock.
        #expect(ending.stdout.hasSuffix("\nreproducible: \(world.built.stdout.prefix(71))\n"), "\(ending.stdout)")
        for what in ["clock of the program", "jobs", "umask", "TZ", "HOME", "SWIFT_DETERMINISTIC_HASHING"] {
            #expect(ending.stdout.contains("\n\(what) "), "\(ending.stdout)")
        }
        #expect(ending.stdout.contains("\nnot varied: the clock that maintainer scripts see"))
        // The store had all packages.
        #expect(server.requests == [])
        #expect(try directoryNames(at: workspace.path("work")) == [])
        #expect(!exists(workspace.path("out")))
    }

    @Test func `rules that are switched off are so for both builds`() throws {
        let world = try World.shared()
        let workspace = try world.warmWorkspace()
        let kept = try workspace.build("demo", ["--keep", "dpkg-old"])
        #expect(kept.status == 0, "\(kept.stderr)")
        #expect(kept.stdout != world.built.stdout)
        let ending = try reproduce("demo", ["--keep", "dpkg-old"], in: workspace)
        #expect(ending.status == 0, "\(ending.stderr)\(ending.stdout)")
        #expect(ending.stdout.hasSuffix("\nreproducible: \(kept.stdout.prefix(71))\n"), "\(ending.stdout)")
    }

    @Test func `packages that only a directory of the user's has are found for both builds`() throws {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        try workspace.write("recipes/demo.lock", try world.warm.text("recipes/demo.lock"))
        try makeDirectory(at: workspace.path("work"))
        // The directory from where the program is called, no mirror anywhere, and one file that only its owner reads.
        try shell(
            "mkdir kept && cp $(find '\(world.archive.root)/pool' -name '*.deb') kept/ && cd kept && "
                + "mv hello_2.10-3_all.deb b && chown 1000 b && chmod 600 b",
            in: workspace.root)
        let state = try shell("stat -c '%n %i %h %a %u' kept/*", in: workspace.root)
        let ending = try workspace.program.run([
            "reproduce", "recipes/demo.manifest", "--work", workspace.path("work").string, "--cache",
            workspace.cache.string, "--offline", "--package-dir", "kept",
        ])
        #expect(ending.status == 0, "\(ending.stderr)\(ending.stdout)")
        #expect(ending.stdout.hasSuffix("\nreproducible: \(world.built.stdout.prefix(71))\n"), "\(ending.stdout)")
        #expect(try shell("stat -c '%n %i %h %a %u' kept/*", in: workspace.root) == state)
    }

    @Test func `a script that writes the time is named with its file and its package`() throws {
        let world = try World.shared()
        let archive = try FixtureArchive(key: world.key)
        let stamper = FixturePackage(
            "stamper", files: [.file("usr/share/stamper/own", "own\n")],
            scripts: [
                "postinst": """
                #!/bin/sh
                set -e
                mkdir -p /var/lib/stamper
                read uptime rest < /proc/uptime
                read id < /proc/sys/kernel/random/uuid
                echo "made by $id" > /var/lib/stamper/stamp
                echo "$id" >> /usr/share/stamper/own

                """
            ])
        for suite in World.suites(try World.packages() + [stamper]) { try archive.write(suite) }
        let workspace = try Workspace(key: world.key, archive: archive)
        try workspace.recipe("odd", "layers: [{name: system, packages: [hello, stamper]}]\nkernel: none")
        let ending = try reproduce("odd", ["--json"], in: workspace)
        #expect(ending.status == 1, "\(ending.stderr)")
        let report = try JSON(ending.stdout)
        #expect(report["reproducible"] == .boolean(false))
        let differences = report["differences"].list
        #expect(
            differences.map { $0["place"].string } == ["/usr/share/stamper/own", "/var/lib/stamper/stamp"],
            "\(ending.stdout)")
        // Two random identifiers may begin alike.
        for field in differences.map({ $0["field"].string ?? "" }) {
            #expect(field.wholeMatch(of: /content from byte [0-9]+ on/) != nil, "\(field)")
        }
        #expect(
            differences.map { $0["madeBy"].string } == [
                "from the package stamper, changed by a script: postinst of stamper names it",
                "made by a script: postinst of stamper names it",
            ])
        let changed = report["outputs"].list.filter { $0["first"] != $0["second"] }.map { $0["name"].string }
        #expect(changed == ["image.json", "odd.ext4", "odd.listing"])
        #expect(try directoryNames(at: workspace.path("work")) == [])
    }

    @Test func `a build that fails is told with its own words, and nothing is left`() throws {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        try workspace.recipe("bad", "layers: [{name: system, packages: [hello, broken]}]\nkernel: none")
        let ending = try reproduce("bad", ["--quiet"], in: workspace)
        #expect(ending.status == 2)
        #expect(ending.stdout == "")
        #expect(
            ending.stderr.hasPrefix(
                """
                error: the first build of recipes/bad.manifest failed
                  error: postinst configure of broken failed: exit status 3
                """), "\(ending.stderr)")
        #expect(try directoryNames(at: workspace.path("work")) == [])
    }
}
