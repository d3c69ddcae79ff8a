import ArchiveFixture
import Glibc
import RootfsModel
import Storage
import Synchronization
import SystemPackage
import Testing

/// Two states of a recipe with ten small packages, and the search for what broke the newer one.
private final class TenPackages: Sendable {
    let archive: FixtureArchive
    /// The store has the base's layer.
    let workspace: Workspace

    private static let made = Mutex<TenPackages?>(nil)

    static func shared() throws -> TenPackages {
        try made.withLock { made in
            if let made { return made }
            let ten = try TenPackages()
            made = ten
            atexit { TenPackages.made.withLock { $0 = nil } }
            return ten
        }
    }

    /// p0 to p9, of which p3 and p4 are of one version only. The newer p8 does not say that it needs the newer p9.
    private static func packages(_ version: String) -> [FixturePackage] {
        (0..<10).map { number in
            var package = FixturePackage(
                "p\(number)", version: version, files: [.file("usr/share/p\(number)", "\(version)\n")])
            switch (number, version) {
            case (3, _): package.fields = ["Depends": "p4 (= \(version))"]
            case (4, _): package.fields = ["Breaks": "p3 (<< \(version))"]
            case (8, "2.0"):
                package.scripts = ["postinst": "#!/bin/sh\nread version < /usr/share/p9\n[ $version = 2.0 ]\n"]
            default: break
            }
            return package
        }
    }

    private init() throws {
        let world = try World.shared()
        archive = try FixtureArchive(key: world.key)
        let old = try World.packages() + Self.packages("1.0")
        for suite in World.suites(old) { try archive.write(suite) }
        workspace = try world.warmWorkspace()
        let names = (0..<10).map { "p\($0)" }.joined(separator: ", ")
        try workspace.recipe(
            "ten",
            """
            layers:
              - {name: ten, packages: [\(names)]}
            kernel: {package: linux-image-builtin, arguments: [console=ttyS0]}
            overlays: [overlays/first]
            image: {label: ten, free: 1MiB}
            """)
        let first = try workspace.run(["lock", "recipes/ten.manifest"], mirror: archive.uri)
        guard first.status == 0 else { throw Failure("no lock", notes: [first.stderr]) }
        try shell("mkdir locks; cp recipes/ten.lock locks/old.lock", in: workspace.root)
        var kernel = try FixtureKernel.package("linux-image-builtin", modular: false)
        kernel.version = "6.1.2-1"
        for suite in World.suites(old + Self.packages("2.0") + [kernel]) { try archive.write(suite) }
        let second = try workspace.run(["lock", "--update", "recipes/ten.manifest"], mirror: archive.uri)
        guard second.status == 0 else { throw Failure("no second lock", notes: [second.stderr]) }
        try shell("cp recipes/ten.lock locks/new.lock; rm recipes/ten.lock", in: workspace.root)
    }

    /// A command that prints a package's version in the image.
    static func version(of package: String) -> String {
        "'\(Program.path)' inspect cat \"$ROOTFS_IMAGE\" /usr/share/\(package)"
    }

    /// A command that is good where a package is the old one.
    static func isOld(_ package: String) -> String { "test \"$(\(version(of: package)))\" = 1.0" }

    /// A workspace with the two locks.
    func copy() throws -> Workspace {
        let copy = try World.shared().warmWorkspace()
        try removeTree(at: copy.cache)
        try shell(
            "cp -al '\(workspace.cache)' '\(copy.cache)'; cp -r '\(workspace.root)/recipes/ten.manifest' recipes/; cp -r '\(workspace.root)/locks' .",
            in: copy.root)
        return copy
    }

    func bisect(_ workspace: Workspace, _ arguments: [String]) throws -> Program.Ending {
        try workspace.run(["bisect", "-o", "found"] + arguments, mirror: archive.uri)
    }

    static let locks = ["recipes/ten.manifest", "--good", "locks/old.lock", "--bad", "locks/new.lock"]
}

@Suite(.serialized, .enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64"))
struct BisectTests {
    /// The packages that the two images of the proof have otherwise, and what the diff does not explain.
    private func proof(_ workspace: Workspace) throws -> (packages: [String?], kernel: JSON, unexplained: [JSON]) {
        let diff = try JSON(workspace.program.run(["diff", "--json", "found/good", "found/bad"]).stdout)
        return (diff["packages"].names, diff["kernel"], diff["notExplained"].list)
    }

    @Test func `one bad package of ten is found, with two images that differ in it alone`() throws {
        let ten = try TenPackages.shared()
        let workspace = try ten.copy()
        let ending = try ten.bisect(workspace, TenPackages.locks + ["--test", TenPackages.isOld("p7")])
        #expect(ending.status == 0, "\(ending.stdout)\(ending.stderr)")
        let lines = ending.stdout.split(separator: "\n").map(String.init)
        #expect(lines[0] == "step 1  0 of 11 changes  good  exit status 0")
        #expect(lines[1] == "step 2  11 of 11 changes  bad  exit status 1")
        #expect(lines[2] == "11 changes in 10 groups that move together, at most 4 more images if all can be tested")
        #expect(lines.contains("broken by package p7 1.0 → 2.0"))
        #expect(lines.count { $0.hasPrefix("step ") } <= 6)
        #expect(ending.stdout.contains("\nNot explained: nothing\n"))
        let proof = try proof(workspace)
        #expect(proof.packages == ["p7"])
        #expect(proof.kernel == .null)
        #expect(proof.unexplained == [])
        for (side, version) in [("good", "1.0\n"), ("bad", "2.0\n")] {
            let image = "found/\(side)/ten.ext4"
            #expect(try workspace.program.run(["inspect", "cat", image, "/usr/share/p7"]).stdout == version)
        }
        #expect(try shell("ls -A found", in: workspace.root) == "bad\ngood\n")
        #expect(!exists(workspace.path("recipes/ten.lock")), "a search writes no lock beside the recipe")

        // The proof's own folders are sides like any other, and there is nothing left to halve.
        let again = try workspace.run(
            [
                "bisect", "recipes/ten.manifest", "--good", "found/good", "--bad", "found/bad/ten.ext4", "--json", "-o",
                "again", "--test", TenPackages.isOld("p7"),
            ], mirror: ten.archive.uri)
        let json = try JSON(again.stdout)
        #expect(json["culprit"] == .array([.text("package p7 1.0 → 2.0")]), "\(again.stderr)")
        #expect(json["steps"].list.count == 2)
        #expect(json["isExact"] == .boolean(true))
        #expect(json["diff"]["packages"].names == ["p7"])

        // What is not the side's, but the recipe's of today, is named where it may be to blame.
        try workspace.write("overlays/first/etc/first.conf", "second\n")
        let since = try workspace.run(
            [
                "bisect", "recipes/ten.manifest", "--good", "found/good", "--bad", "found/bad", "--quiet", "-o",
                "since",
                "--test", "'\(Program.path)' inspect cat $ROOTFS_IMAGE /etc/first.conf | grep -q first",
            ], mirror: ten.archive.uri)
        #expect(
            untimed(since.stderr).hasPrefix(
                """
                error: --good found/good is bad: exit status 1
                  since that build these are others: overlay overlays/first

                """), "\(since.stderr)")
    }

    @Test func `packages of other layers move all together`() throws {
        let ten = try TenPackages.shared()
        let workspace = try ten.copy()
        try shell(
            """
            mkdir other && cp -r recipes overlays keys other/ && cp locks/old.lock recipes/ten.lock
            sed -i 's/^kernel:/  - {name: more, packages: [extra]}\\nkernel:/' other/recipes/ten.manifest
            """, in: workspace.root)
        let locked = try workspace.run(["lock", "other/recipes/ten.manifest"], mirror: ten.archive.uri)
        #expect(locked.status == 0, "\(locked.stderr)")
        let ending = try ten.bisect(
            workspace,
            [
                "--good", "recipes/ten.manifest", "--bad", "other/recipes/ten.manifest", "--json", "--test",
                "! '\(Program.path)' inspect cat $ROOTFS_IMAGE /usr/share/extra",
            ])
        let json = try JSON(ending.stdout)
        #expect(json["groups"] == .number(2), "\(ending.stderr)")
        #expect(json["culprit"].list.first == .text("package extra 1.0 (new)"))
        #expect(json["culprit"].list.count == 11)
        #expect(json["isExact"] == .boolean(true))
    }

    @Test func `two packages that need each other are found together`() throws {
        let ten = try TenPackages.shared()
        let workspace = try ten.copy()
        let ending = try ten.bisect(workspace, TenPackages.locks + ["--test", TenPackages.isOld("p4")])
        #expect(
            ending.stdout.contains(
                "\nbroken by package p3 1.0 → 2.0 and package p4 1.0 → 2.0, which move together\n"),
            "\(ending.stdout)\(ending.stderr)")
        #expect(try proof(workspace).packages == ["p3", "p4"])
    }

    @Test func `a kernel is found among packages`() throws {
        let ten = try TenPackages.shared()
        let workspace = try ten.copy()
        let ending = try ten.bisect(
            workspace, TenPackages.locks + ["--test", "grep -q 'builtin 6.1.1-1' \"$ROOTFS_DIR/image.json\""])
        #expect(
            ending.stdout.contains("\nbroken by kernel linux-image-builtin 6.1.1-1 → 6.1.2-1\n"),
            "\(ending.stdout)\(ending.stderr)")
        #expect(ending.stdout.contains("  both have 10 of the 10 other changes\n"))
        // What depends on more than it says cannot be built alone, which is no reason to stop.
        #expect(
            ending.stdout.contains(/step \d  9 of 11 changes  cannot be tested  it cannot be built: .*p8/),
            "\(ending.stdout)")
        #expect(try proof(workspace).packages == [])
    }

    @Test func `an overlay is found between two recipes, each with its lock`() throws {
        let ten = try TenPackages.shared()
        let workspace = try ten.copy()
        try shell(
            """
            mkdir other && cp -r recipes overlays keys other/ && cp locks/old.lock recipes/ten.lock
            cp locks/new.lock other/recipes/ten.lock && echo second > other/overlays/first/etc/first.conf
            sed -i 's/^image:/hostname: other\\nimage:/' other/recipes/ten.manifest
            """, in: workspace.root)
        let sides = ["--good", "recipes/ten.manifest", "--bad", "other/recipes/ten.manifest"]
        let ending = try ten.bisect(
            workspace,
            sides + ["--test", "test $('\(Program.path)' inspect cat $ROOTFS_IMAGE /etc/first.conf) = first"])
        #expect(ending.stdout.contains("\nbroken by overlay overlays/first\n"), "\(ending.stdout)\(ending.stderr)")
        #expect(ending.stdout.contains("13 changes in 12 groups"))
        #expect(ending.stdout.contains("\nNot explained: nothing\n"))
        let other = try ten.bisect(
            workspace, sides + ["--test", "'\(Program.path)' inspect cat $ROOTFS_IMAGE /etc/hostname | grep -q ten"])
        #expect(other.stdout.contains("\nbroken by recipe hostname\n"), "\(other.stdout)\(other.stderr)")
    }

    @Test func `what cannot be tested is gone around, and named where it hides the culprit`() throws {
        let ten = try TenPackages.shared()
        let workspace = try ten.copy()
        // p5 came without p6: then nothing can be said.
        let test = "\(TenPackages.isOld("p5")) && exit 0; \(TenPackages.isOld("p6")) && exit 125; exit 1"
        let ending = try ten.bisect(workspace, TenPackages.locks + ["--test", test])
        #expect(ending.status == 0, "\(ending.stderr)")
        #expect(
            ending.stdout.contains(
                "\nbroken by one of these; what lies between them cannot be tested:\n  package p5 1.0 → 2.0\n  package p6 1.0 → 2.0\n"
            ), "\(ending.stdout)")
        #expect(try proof(workspace).packages == ["p5", "p6"])
    }

    @Test func `ends that are not what they are said to be, and tests that do not work, are one clear error`() throws {
        let ten = try TenPackages.shared()
        let workspace = try ten.copy()
        func error(_ arguments: String...) throws -> String {
            let ending = try ten.bisect(workspace, arguments)
            #expect(!exists(workspace.path("found")))
            return "\(ending.status) " + untimed(ending.stderr)
        }
        let recipe = "recipes/ten.manifest"
        func locks(_ test: String) throws -> String {
            try error(recipe, "--quiet", "--good", "locks/old.lock", "--bad", "locks/new.lock", "--test", test)
        }
        let between = "hint: nothing between the two can be told apart by this test\n"
        same(try locks("false"), "2 error: --good locks/old.lock is bad: exit status 1\n" + between)
        same(try locks("true"), "2 error: --bad locks/new.lock is good: exit status 0\n" + between)
        #expect(try locks("no-such-command").contains("error: --good locks/old.lock is bad: exit status 127\n"))
        #expect(try locks("exit 125").contains("error: --good locks/old.lock cannot be tested: exit status 125\n"))
        #expect(try locks("exit 200").contains("error: the test ended with exit status 200, which says neither good"))
        #expect(try locks("kill -9 $$").contains("error: the test was ended by signal 9"))
        let one = try error(recipe, "--good", "locks/old.lock", "--bad", "locks/old.lock", "--test", "true")
        #expect(one.hasPrefix("2 error: there is nothing to search: "), "\(one)")
        #expect(
            try error("--good", "locks/old.lock", "--bad", "locks/new.lock", "--test", "true").hasPrefix("64 error: "))
        #expect(
            try error(recipe, "--good", "nowhere", "--bad", "locks/new.lock", "--test", "true").hasPrefix("64 error: "))
        #expect(
            try error(recipe, "--good", recipe, "--bad", "locks/new.lock", "--test", "true").contains("has no lock"))
        // A build of before locks were among the outputs, and one whose lock somebody changed.
        let build = try World.shared().warm.output("demo")
        try shell("mkdir before && cp '\(build)/image.json' before/", in: workspace.root)
        func demo() throws -> String {
            try error("recipes/demo.manifest", "--good", "before", "--bad", "recipes/demo.lock", "--test", "true")
        }
        #expect(try demo().hasPrefix("2 error: before does not have the lock that it was built from"))
        try shell("sed 's/^Moment: .*/Moment: 7/' '\(build)/demo.lock' > before/demo.lock", in: workspace.root)
        #expect(try demo().contains("demo.lock is not the lock that before was built from\n"))
        // Another's folder is left alone.
        try workspace.write("mine/notes", "mine\n")
        let foreign = try workspace.run(["bisect"] + TenPackages.locks + ["--test", "true", "-o", "mine"])
        #expect(foreign.stderr.contains("holds what no bisection wrote: notes"))
        #expect(try workspace.text("mine/notes") == "mine\n")
    }

    @Test(.enabled(if: OrdinaryUser.isPossible, "needs \(OrdinaryUser.words)"))
    func `an ordinary user finds it too, and the proof is his own`() throws {
        let ten = try TenPackages.shared()
        let workspace = try ten.copy()
        try removeTree(at: workspace.cache)
        chmod(ten.archive.root.removingLastComponent().string, 0o755)
        let program = try workspace.ordinaryUsersProgram()
        let test = #"tr -d '\n ' < "$ROOTFS_DIR/image.json" | grep -q '"name":"p2","size":[0-9]*,"version":"1.0"'"#
        let ending = try program.run(
            workspace.words(
                ["bisect", "-o", "found", "--quiet"] + TenPackages.locks + ["--test", test], mirror: ten.archive.uri))
        #expect(ending.stdout.contains("\nbroken by package p2 1.0 → 2.0\n"), "\(ending.stdout)\(ending.stderr)")
        #expect(try proof(workspace).packages == ["p2"])
        #expect(try shell("find found ! -user \(OrdinaryUser.id)", in: workspace.root) == "")
    }

    @Test func `Ctrl-C ends the test with all that it started, and leaves nothing`() throws {
        let ten = try TenPackages.shared()
        let workspace = try ten.copy()
        let running = try workspace.program.start(
            workspace.words(
                ["bisect", "-o", "found"] + TenPackages.locks
                    + ["--test", "sh -c 'echo $$ > pid; exec sleep 1000'; true"], mirror: ten.archive.uri))
        try waitUntil("the test runs", within: 120) {
            if running.hasEnded { throw Failure("it ended by itself", notes: [try running.text("stderr")]) }
            return (try? workspace.text("pid").hasSuffix("\n")) == true
        }
        let process = try #require(pid_t(workspace.text("pid").dropLast()))
        // One that nobody waits for any more has no command line.
        func isGone() -> Bool { (try? readFile(at: FilePath("/proc/\(process)/cmdline")).isEmpty) ?? true }
        #expect(!isGone())
        running.signal(SIGINT)
        let ending = try running.wait(within: 30)
        #expect(ending.status == 130)
        #expect(ending.stderr.hasSuffix("interrupted\n"), "\(ending.stderr)")
        try waitUntil("its process is gone", within: 10, isGone)
        #expect(!exists(workspace.path("found")))
    }
}
