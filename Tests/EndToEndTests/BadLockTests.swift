import ArchiveFixture
import RootfsModel
import Storage
import SystemPackage
import Testing

/// Locks that somebody edited, merged or took from elsewhere: each is refused in one way.
@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct BadLockTests {
    /// What a build says of the lock of `demo` after a change; outputs and store stay as they were.
    private func refusal(_ change: (String) -> String, mirror: String? = nil) throws -> String {
        let workspace = try World.shared().warmWorkspace()
        let lock = try workspace.text("recipes/demo.lock")
        let changed = change(lock)
        #expect(changed != lock)
        try workspace.write("recipes/demo.lock", changed)
        let state = try workspace.state()
        let refused = try workspace.build("demo", mirror: mirror)
        #expect(refused.status == 2)
        #expect(refused.stdout == "")
        #expect(try workspace.state() == state)
        #expect(try workspace.leftovers == [])
        // The stages before it are not of interest, nor in which line a package stands.
        let lines = untimed(refused.stderr).split(separator: "\n").filter { !$0.hasPrefix("demo: ") }
        return lines.joined(separator: "\n").replacing(#/lock:\d+:/#, with: "lock:N:")
            .replacing(#/ \d+ \|/#, with: " N |").replacing(#/\n +\|/#, with: "\n   |")
    }

    private func without(_ package: String, _ lock: String) -> String {
        lock.split(separator: "\n\n").filter { !$0.hasPrefix("Package: \(package)\n") }.joined(separator: "\n\n")
    }

    private let help = "hint: take back what was edited, or run rootfs-build lock --update recipes/demo.manifest"

    @Test func `a dependency that was taken out`() throws {
        same(
            try refusal { without("libhello1", $0) },
            """
            recipes/demo.lock:N:1: error: hello 2.10-3 depends on libhello1 (>= 2.0), which the lock does not have
             N | Package: hello
               | ^^^^^^^^^^^^^^
            \(help)
            """)
    }

    @Test func `a package that was asked for and taken out`() throws {
        same(
            try refusal { without("odd-names", $0) },
            """
            recipes/demo.lock:N:1: error: the layer odd asks for odd-names, which the lock does not have
             N | Request: odd-names
               | ^^^^^^^^^^^^^^^^^^
            \(help)
            """)
        #expect(
            try refusal { without("linux-image-builtin", $0) }
                == "error: the lock recipes/demo.lock has no kernel\nhint: run rootfs-build lock --update recipes/demo.manifest"
        )
    }

    @Test func `a name, a version or an architecture that is not the package's own`() throws {
        same(
            try refusal {
                $0.replacing(
                    "Package: hello\nVersion: 2.10-3\nArchitecture: all",
                    with: "Package: hello\nVersion: 9.9\nArchitecture: amd64")
            },
            """
            recipes/demo.lock:N:1: error: the .deb of hello 9.9 has Version 2.10-3, not 9.9
             N | Version: 9.9
               | ^^^^^^^^^^^^
            \(help)
            recipes/demo.lock:N:1: error: the .deb of hello 9.9 has Architecture all, not amd64
             N | Architecture: amd64
               | ^^^^^^^^^^^^^^^^^^^
            \(help)
            """)
        same(
            try refusal { $0.replacing("Package: odd-names\n", with: "Package: odd-nomes\n") },
            """
            recipes/demo.lock:N:1: error: the .deb of odd-nomes 1.0 has Package odd-names, not odd-nomes
             N | Package: odd-nomes
               | ^^^^^^^^^^^^^^^^^^
            \(help)
            """)
        same(
            try refusal {
                $0.replacing(
                    "Package: linux-image-builtin\nVersion: 6.1.1-1",
                    with: "Package: linux-image-builtin\nVersion: 6.1.1-2")
            },
            """
            recipes/demo.lock:N:1: error: the .deb of linux-image-builtin 6.1.1-2 has Version 6.1.1-1, not 6.1.1-2
             N | Version: 6.1.1-2
               | ^^^^^^^^^^^^^^^^
            \(help)
            """)
    }

    @Test func `a digit of a digest`() throws {
        let hello = try #require(World.packages().first { $0.name == "hello" })
        let digest = Digest(hashing: try hello.deb())
        let other = String(digest.hex.dropLast()) + (digest.hex.hasSuffix("0") ? "1" : "0")
        let mirror = try World.shared().archive.uri
        same(
            try refusal { $0.replacing(digest.hex, with: other) },
            """
            error: cannot fetch a package of the lock
              hello 2.10-3 (all), sha256:\(other)
                bookworm: pool/main/h/hello/hello_2.10-3_all.deb
                \(mirror)/pool/main/h/hello/hello_2.10-3_all.deb: its digest is \(digest), not sha256:\(other)
            hint: the mirror may be in the middle of an update or a proxy may have damaged the file; \
            try again later or name another mirror with --mirror
            """)
    }

    @Test func `a merge that was left open, another recipe's lock, another architecture's`() throws {
        same(
            try refusal { $0.replacing("Moment: ", with: "<<<<<<< ours\nMoment: ") },
            """
            recipes/demo.lock:N:1: error: this lock has the marks of a merge conflict
             N | <<<<<<< ours
               | ^^^^^^^
            hint: take one side as a whole, then run rootfs-build lock --update for its recipe
            """)
        same(
            try refusal {
                $0.replacing("Recipe: demo\nArchitecture: amd64", with: "Recipe: other\nArchitecture: arm64")
            },
            """
            recipes/demo.lock:N:9: error: this is the lock of other, not of demo
             N | Recipe: other
               |         ^^^^^
            hint: run rootfs-build lock --update recipes/demo.manifest
            recipes/demo.lock:N:15: error: this lock is for arm64, the recipe for amd64
             N | Architecture: arm64
               |               ^^^^^
            hint: run rootfs-build lock --update recipes/demo.manifest
            """)
    }

    @Test func `stanzas in another order are the same lock`() throws {
        let workspace = try World.shared().warmWorkspace()
        #expect(try workspace.build("demo").status == 0)
        let lock = try workspace.text("recipes/demo.lock")
        let stanzas = lock.dropLast().split(separator: "\n\n")
        let packages = stanzas.filter { $0.hasPrefix("Package: ") }
        let others = stanzas.filter { !$0.hasPrefix("Package: ") }
        try workspace.write("recipes/demo.lock", (others + packages.reversed()).joined(separator: "\n\n") + "\n")
        #expect(untimed(try workspace.build("demo").stderr) == "demo: fresh, nothing to do\n")
    }
}
