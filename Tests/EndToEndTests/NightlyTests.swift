import ArchiveFixture
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

/// What a night decides, and what it leaves.
@Suite(.serialized, .enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct NightlyTests {
    @Test func `a first night, one without a change, one with, and what each leaves`() throws {
        let nights = try Nights("{report: reports}")
        let workspace = nights.workspace
        let first = try nights.night()
        #expect(first.ending.status == 0, "\(first.ending.stderr)\(first.ending.stdout)")
        #expect(first.ending.stdout.hasPrefix("accepted  demo: "), "\(first.ending.stdout)")
        #expect(first.record["decision"].string == "accepted")
        #expect(first.record.gate("boot") == "passed" && first.record.gate("size-growth") == "skipped")
        let version = try #require(first.record["version"].string)
        #expect(try nights.versions() == [version])
        let image = try JSON(workspace.text("out/demo/image.json"))
        #expect(image["proof"]["proven"] == .boolean(true))
        #expect(image["imageHash"] == first.record["figures"]["imageHash"])
        #expect(
            try workspace.text("recipes/demo.lock") == workspace.text("out/demo.nights/\(version)/demo.lock"))
        // The outputs in place are those that a build finds fresh.
        #expect(untimed(try workspace.build("demo").stderr) == "demo: fresh, nothing to do\n")

        let before = try nights.inPlace()
        let second = try nights.night()
        #expect(second.ending.stdout == "unchanged  demo: nothing moved\n", "\(second.ending.stderr)")
        #expect(second.ending.status == 0)
        #expect(second.record["figures"]["imageHash"] == image["imageHash"])
        #expect(try nights.inPlace() == before)
        #expect(try nights.versions() == [version])

        try nights.move("hello", to: "2.12-1") { $0.files.append(.file("usr/share/hello/new", "new\n")) }
        try nights.publish()
        let third = try nights.night()
        #expect(third.ending.status == 0, "\(third.ending.stderr)\(third.ending.stdout)")
        #expect(third.record["lastGood"] == image["imageHash"])
        #expect(third.record["moved"].list.map { $0["name"].string } == ["hello"])
        #expect(third.record.gate("new-setuid") == "passed" && third.record.gate("size-growth") == "passed")
        #expect(try workspace.text("recipes/demo.lock").contains("2.12-1"))
        #expect(try nights.inPlace() != before)
        #expect(try nights.versions().count == 2)

        // The kept nights are versions of the image.
        let log = try workspace.program.run(["log", "out/demo.nights"])
        #expect(log.status == 0, "\(log.stderr)")
        let lines = log.stdout.split(separator: "\n")
        #expect(lines.count == 2 && lines[0].contains("+0 -0 ~1") && lines[1].contains("packages"), "\(log.stdout)")

        let changelog = try workspace.text("out/demo.nights/CHANGELOG.md")
        let newest = try #require(changelog.firstRange(of: "- upgraded hello from 2.10-3 to 2.12-1"))
        let oldest = try #require(changelog.firstRange(of: "- the first image"))
        #expect(changelog.hasPrefix("# demo\n") && newest.lowerBound < oldest.lowerBound)
        for file in [
            "report.md", "report.html", "junit.xml", "check.sarif", "diff.json", "nightly.json", "CHANGELOG.md",
        ] {
            #expect(exists(workspace.path("reports/demo.\(file)")), "\(file)")
        }
        let page = try workspace.text("reports/demo.report.html")
        #expect(page.contains("<h1>demo: accepted</h1>") && page.contains("Trend over 2 builds"))
        #expect(page.contains("<svg class=\"trend\"") && page.contains("<h2>Boot</h2>"))
        #expect(try workspace.text("reports/demo.report.md").contains("- upgraded hello from 2.10-3 to 2.12-1\n"))
        #expect(
            try shell(
                "python3 -c 'import xml.dom.minidom; xml.dom.minidom.parse(\"reports/demo.junit.xml\")'",
                in: workspace.root) == "")
    }

    @Test func `of the archive's moves only security fixes are taken where the recipe says so`() throws {
        let nights = try Nights("{allow: security}")
        #expect(try nights.night().ending.status == 0)
        var fix = try #require(nights.packages.first { $0.name == "daemon" })
        fix.version = "1.0+deb12u1"
        nights.security = [fix]
        try nights.move("hello", to: "2.12-1")
        try nights.publish()
        let night = try nights.night()
        #expect(night.ending.status == 0, "\(night.ending.stderr)\(night.ending.stdout)")
        #expect(night.record["moved"].list.map { $0["name"].string } == ["daemon"])
        #expect(night.record["waiting"].list.map { $0["name"].string } == ["hello"])
        #expect(try nights.workspace.text("recipes/demo.lock").contains("2.10-3"))
        let waiting = try nights.night()
        #expect(
            waiting.ending.stdout.hasPrefix("unchanged  demo: what moved waits for a person: 1 package\n"),
            "\(waiting.ending.stdout)")
        // A person's word.
        #expect(try nights.night(["--allow", "all"]).record["moved"].list.map { $0["name"].string } == ["hello"])
    }

    @Test func `a kernel's security fix is a package of another name, and is taken too`() throws {
        let nights = try Nights("{allow: security}")
        func kernels(_ version: String, _ name: String) throws -> [FixturePackage] {
            let meta = FixturePackage(
                "linux-image-amd64", version: version, architecture: "amd64", fields: ["Depends": name])
            return [meta, try FixtureKernel.package(name, modular: false)]
        }
        let recipe = Nights.recipe("{allow: security}").replacing("linux-image-builtin", with: "linux-image-amd64")
        try nights.workspace.recipe("demo", recipe)
        nights.packages += try kernels("6.1.1", "linux-image-6.1.0-1-amd64")
        try nights.publish()
        #expect(try nights.night().ending.status == 0)
        nights.security = try kernels("6.1.2", "linux-image-6.1.0-2-amd64")
        try nights.move("hello", to: "2.12-1")
        try nights.publish()
        let night = try nights.night()
        #expect(night.ending.status == 0, "\(night.ending.stderr)\(night.ending.stdout)")
        #expect(
            Set(night.record["moved"].list.compactMap { $0["name"].string })
                == ["linux-image-6.1.0-1-amd64", "linux-image-6.1.0-2-amd64"])
        #expect(night.record["waiting"].list.map { $0["name"].string } == ["hello"])
        #expect(night.record.gate("package-removed") == "passed")
    }

    @Test func `what was refused is not built again while it is the same`() throws {
        let nights = try Nights()
        #expect(try nights.night().ending.status == 0)
        let before = try nights.inPlace()
        try nights.move("hello", to: "2.12-1") { $0.files.append(.file("usr/bin/gain", "#!/bin/sh\n", mode: 0o4755)) }
        try nights.publish()
        let refused = try nights.night()
        #expect(refused.ending.status == 1)
        #expect(refused.record.gate("new-setuid") == "refused" && refused.record.gate("boot") == "skipped")
        #expect(try nights.inPlace() == before)
        let version = try #require(refused.record["version"].string)
        #expect(version.hasSuffix("-refused"))
        for file in ["demo/check.json", "demo/demo.ext4", "demo.lock", "diff.json", "report.html", "nightly.json"] {
            #expect(exists(nights.workspace.path("out/demo.nights/\(version)/\(file)")), "\(file)")
        }
        let again = try nights.night()
        #expect(again.ending.status == 1)
        #expect(again.record["because"].string?.hasPrefix("as in the night of ") == true, "\(again.record)")
        #expect(try nights.versions().count == 2)
        #expect(try nights.night(["--again"]).ending.status == 1)
        #expect(try nights.versions().count == 3)
        // Another policy is another question.
        try nights.workspace.recipe("demo", Nights.recipe("{new-setuid: allow}"))
        #expect(try nights.night().ending.status == 0)
        #expect(try nights.inPlace() != before)
    }

    @Test func `what nothing pins is refused, and an image that is built twice is the same`() throws {
        let nights = try Nights("{reproduced: true, boot: false}")
        let recipe = "variables: {word: a}\n" + Nights.recipe("{reproduced: true, boot: false}")
        try nights.workspace.recipe("demo", recipe)
        let refused = try nights.night(["--set", "word=b"])
        #expect(refused.ending.status == 1)
        #expect(refused.record.gate("unpinned") == "refused" && refused.record.gate("reproduced") == "skipped")
        #expect(!exists(nights.workspace.path("out/demo")) && !exists(nights.workspace.path("recipes/demo.lock")))
        let accepted = try nights.night(["--work", nights.workspace.path("tmp").string])
        #expect(accepted.ending.status == 0, "\(accepted.ending.stderr)")
        #expect(accepted.record.gate("reproduced") == "passed" && accepted.record.gate("boot") == "off")
    }

    @Test func `several recipes are decided each alone`() throws {
        let nights = try Nights()
        let other = Nights.recipe("{boot: false}").replacing("[daemon]", with: "[daemon, broken]")
        try nights.workspace.recipe("other", other)
        try nights.workspace.recipe("wrong", "layers: none")
        let words = nights.words().filter { $0 != "nightly" }
        let ending = try nights.program.run(["nightly", "recipes/other.manifest", "recipes/wrong.manifest"] + words)
        #expect(ending.status == 2)
        #expect(ending.stdout.hasPrefix("failed  other: "), "\(ending.stdout)")
        #expect(ending.stdout.contains("\naccepted  demo: the first image\n"))
        #expect(ending.stderr.contains("recipes/wrong.manifest:4:9: error: "), "\(ending.stderr)")
        let two = try nights.program.run(["nightly", "recipes/other.manifest"] + words)
        #expect(two.status == 1)
        #expect(two.stdout.contains("\nunchanged  demo: nothing moved\n"), "\(two.stdout)")
    }

    @Test func `what was decided is carried out by the next night, wherever it was killed`() throws {
        let nights = try Nights()
        #expect(try nights.night().ending.status == 0)
        let root = nights.workspace.root
        try shell("cp -a recipes/demo.lock old.lock && cp -al out/demo old", in: root)
        let old = try nights.inPlace()
        try nights.move("hello", to: "2.12-1")
        try nights.publish()
        let night = try nights.night()
        let new = try nights.inPlace()
        #expect(night.ending.status == 0 && old != new)
        let version = try #require(night.record["version"].string)
        let commit = "printf '{\"version\": \"\(version)\"}' > out/demo.nights/commit.json"
        // Before the attempt had its name; before the lock; before the outputs; before the last word.
        let putBack = ["rm -r out/demo && cp -al old out/demo", "cp -a old.lock recipes/demo.lock"]
        for state in [putBack + ["mv out/demo.nights/\(version) out/demo.nights/attempt"], putBack, [putBack[0]], []] {
            try shell((state + [commit]).joined(separator: " && "), in: root)
            let next = try nights.night()
            #expect(next.ending.stdout == "unchanged  demo: nothing moved\n", "\(next.ending.stderr)")
            #expect(next.ending.stderr.contains("an earlier night had decided for \(version)"))
            #expect(try nights.inPlace() == new)
            #expect(!exists(nights.workspace.path("out/demo.nights/commit.json")))
        }
        // Before it was decided nothing was touched: what is half made goes.
        try shell("mkdir -p out/demo.nights/attempt/demo && touch out/demo.nights/attempt/demo/x", in: root)
        #expect(try nights.night().ending.status == 0)
        #expect(!exists(nights.workspace.path("out/demo.nights/attempt")))
        let text = try nights.workspace.text("out/demo.nights/CHANGELOG.md")
        #expect(text.ranges(of: "<!-- \(version) -->").count == 1)
    }

    @Test func `outputs that a cache brought back are the last good ones, others are made again`() throws {
        let nights = try Nights("{boot: false}")
        #expect(try nights.night().ending.status == 0)
        let root = nights.workspace.root
        try shell("tar -cf out.tar out && rm -r out && sleep 0.1 && tar -xf out.tar && touch out/demo/*", in: root)
        #expect(try nights.night().ending.stdout == "unchanged  demo: nothing moved\n")
        #expect(untimed(try nights.workspace.build("demo").stderr) == "demo: fresh, nothing to do\n")
        try shell("printf x | dd of=out/demo/demo.ext4 bs=1 seek=5000 conv=notrunc 2>/dev/null", in: root)
        let night = try nights.night()
        #expect(night.record["decision"].string == "accepted", "\(night.ending.stdout)")
        #expect(night.record["stale"].list.map(\.string) == ["demo.ext4: not what the build wrote"])
    }

    @Test func `killed at any moment it is simply run again`() throws {
        let nights = try Nights("{boot: false}")
        #expect(try nights.night().ending.status == 0)
        var generator = SystemRandomNumberGenerator()
        for number in 1...4 {
            try nights.move("hello", to: "2.\(20 + number)-1")
            try nights.publish()
            let before = try nights.inPlace()
            nights.now += 86_400
            for _ in 1...3 {
                let running = try nights.program.start(nights.words())
                let wait = UInt32.random(in: 0...2_500_000, using: &generator)
                usleep(wait)
                kill(-running.process, SIGKILL)
                _ = try running.wait()
                // Whatever was replaced is whole.
                let verified = try nights.workspace.program.run(["verify", "out/demo", "--quiet"])
                #expect(verified.status == 0, "killed after \(wait) µs: \(verified.stderr)")
            }
            let night = try nights.night()
            #expect(night.ending.status == 0, "\(night.ending.stderr)")
            #expect(try nights.inPlace() != before)
            #expect(try nights.workspace.text("recipes/demo.lock").contains("2.\(20 + number)-1"))
            #expect(untimed(try nights.workspace.build("demo").stderr) == "demo: fresh, nothing to do\n")
            #expect(try nights.versions().count == number + 1)
        }
        // Of twelve that were killed and four that were not, each image is told once.
        let text = try nights.workspace.text("out/demo.nights/CHANGELOG.md")
        #expect(text.ranges(of: "<!-- ").count == 5)
    }

    @Test func `two nights at once: the second says so and does nothing`() throws {
        let nights = try Nights()
        #expect(try nights.night().ending.status == 0)
        nights.packages.append(FixturePackage(World.slow, version: "2"))
        try nights.move("hello", to: "2.12-1") { $0.fields["Depends"] = "libhello1, \(World.slow)" }
        nights.packages.removeAll { $0.name == World.slow && $0.version == "2" }
        try nights.publish()
        let before = try nights.inPlace()
        let running = try nights.program.start(nights.words())
        try waitUntil("the first is at work") { exists(nights.workspace.path("out/demo.nights/attempt/.demo.new")) }
        let second = try nights.run()
        #expect(second.status == 2)
        #expect(second.stdout == "")
        #expect(second.stderr.contains("error: another nightly of demo is running: it holds "), "\(second.stderr)")
        running.signal(SIGTERM)
        #expect(try running.wait(within: 60).status == 130)
        #expect(try nights.inPlace() == before)
        #expect(!exists(nights.workspace.path("out/demo.nights/attempt")))
    }
}
