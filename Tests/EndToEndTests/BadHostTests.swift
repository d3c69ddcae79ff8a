import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct BadHostTests {
    /// Words that run the program where `directory` is a file system of this size, in a mount namespace of its own.
    private func onSmallDisk(_ directory: FilePath, megabytes: Int) -> [String] {
        let mount = "mount -t tmpfs -o size=\(megabytes)m none '\(directory)'"
        // What is left on the disk is told through a file: the mount is gone with the namespace.
        return [
            "/usr/bin/unshare", "-m", "/bin/sh", "-c",
            "\(mount) || exit 99; \"$@\"; status=$?; (cd '\(directory)'; find . ! -type d) > '\(directory).left'; exit $status",
            "sh",
        ]
    }

    @Test func `a full disk under the outputs`() throws {
        let workspace = try World.shared().warmWorkspace()
        try makeDirectory(at: workspace.path("small"))
        var program = workspace.program
        program.wrapper = onSmallDisk(workspace.path("small"), megabytes: 4)
        let ending = try program.run(workspace.words(["recipes/demo.manifest", "-o", "small/demo"]))
        #expect(ending.status == 2)
        #expect(ending.stdout == "")
        let text = ending.stderr.replacing(workspace.root.string, with: "HERE").replacing(#/\d{6,}/#, with: "N")
        #expect(
            text.hasSuffix(
                """
                error: cannot write the image HERE/small/.demo.new/demo.ext4: it takes N bytes and the disk has N left
                hint: free at least N bytes, or write to another disk

                """), "\(ending.stderr)")
        #expect(try workspace.text("small.left") == "")
        #expect(try workspace.leftovers == [])
    }

    @Test func `a full disk under the store`() throws {
        let world = try World.shared()
        // Too small for a package, and for the unpacked packages.
        for megabytes in [2, 6] {
            let workspace = try world.coldWorkspace()
            try makeDirectory(at: workspace.cache)
            var program = workspace.program
            program.wrapper = onSmallDisk(workspace.cache, megabytes: megabytes)
            let ending = try program.run(workspace.words(["recipes/demo.manifest"]))
            #expect(ending.status == 2)
            #expect(ending.stdout == "")
            let text = """
                : No space left on device
                hint: free space there, or choose another place with -o (outputs) or --cache (store)

                """
            #expect(ending.stderr.hasSuffix(text), "\(ending.stderr)")
            #expect(!exists(workspace.output("demo")))
            let left = try shell("grep '^./tmp/.' '\(workspace.cache).left'")
            #expect(left == "status 1\n")
        }
    }

    @Test func `a store that overlayfs cannot write to gives the same image`() throws {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        try makeDirectory(at: workspace.cache)
        var program = workspace.program
        // A store on overlayfs, as in a container.
        program.wrapper = [
            "/usr/bin/unshare", "-m", "/bin/sh", "-c",
            """
            set -e; cache=$1; shift; mount -t tmpfs none /mnt; mkdir /mnt/lower /mnt/upper /mnt/work
            mount -t overlay overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work "$cache"; exec "$@"
            """, "sh", workspace.cache.string,
        ]
        let ending = try program.run(workspace.words(["recipes/demo.manifest", "--verbose"]))
        #expect(ending.stdout == world.built.stdout, "\(ending.stderr)")
        #expect(
            ending.stderr.contains(
                "the tree is copied, not laid under overlayfs: cannot set up the sandbox: mount overlayfs: Invalid argument"
            ), "\(ending.stderr)")
    }

    @Test func `a user who is not root is told what it takes`() throws {
        // A store of its own, not one that shares its files with other tests'.
        let workspace = try World.shared().coldWorkspace()
        _ = try workspace.run(["lock", "recipes/demo.manifest"])
        // All is the user's own: what is missing is the right to make a sandbox.
        try shell("chown -R 65534:65534 '\(workspace.root)' '\(workspace.cache)'; chmod 755 '\(Program.path)'")
        var program = workspace.program
        program.wrapper = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        let ending = try program.run(workspace.words(["recipes/demo.manifest"]))
        #expect(ending.status == 2)
        #expect(ending.stdout == "")
        // What is missing besides differs from host to host.
        #expect(
            ending.stderr.hasPrefix(
                "error: cannot run maintainer scripts as nobody: that takes a user namespace with subordinate ids\n"),
            "\(ending.stderr)")
        #expect(ending.stderr.contains("\n  nobody has no 65534 subordinate ids in /etc/subuid and /etc/subgid: "))
        #expect(ending.stderr.hasSuffix("\nhint: mend this as root, or build as root: sudo rootfs-build …\n"))
        #expect(try workspace.leftovers == [])
        // Looking into an image takes no rights.
        try shell(
            "cp '\(World.shared().warm.output("demo", "demo.ext4"))' image && chmod 444 image", in: workspace.root)
        let listed = try program.run(["inspect", "list", "image"])
        #expect(try listed.stdout == World.shared().warm.text("out/demo/demo.listing"))
    }

    @Test func `a store that cannot be written`() throws {
        let workspace = try World.shared().coldWorkspace()
        try workspace.write("file", "")
        let ending = try workspace.program.run([
            "recipes/demo.manifest", "--cache", "file", "--mirror", workspace.mirror,
        ])
        same(
            "\(ending.status) \(ending.stderr)".replacing(workspace.root.string, with: "HERE"),
            "2 error: cannot make directory HERE/file: Not a directory\n")
        var program = workspace.program
        program.environment = ["PATH=/usr/bin:/bin"]
        let homeless = try program.run(["recipes/demo.manifest", "--mirror", workspace.mirror])
        same(
            "\(homeless.status) \(homeless.stderr)",
            "64 error: no place for the store: HOME is not set\nhint: name one with --cache\n")
    }

    @Test func `a store on a read-only file system`() throws {
        let workspace = try World.shared().warmWorkspace()
        _ = try workspace.build("demo")
        let state = try workspace.state()
        try removeTree(at: workspace.output("demo", "vmlinux"))
        var program = workspace.program
        program.wrapper = [
            "/usr/bin/unshare", "-m", "/bin/sh", "-c",
            "mount --bind '\(workspace.cache)' '\(workspace.cache)' && mount -o remount,bind,ro '\(workspace.cache)' && exec \"$@\"",
            "sh",
        ]
        for words in [
            ["recipes/demo.manifest"], ["lock", "recipes/demo.manifest"], ["cache", "verify"], ["cache", "clear"],
        ] {
            let ending = try program.run(words + ["--cache", workspace.cache.string])
            #expect(
                ending
                    == .init(
                        status: 2, stdout: "",
                        stderr: """
                            error: cannot write to the store \(workspace.cache): Read-only file system
                            hint: the file system is mounted read-only: choose another place with -o (outputs) or --cache (store)

                            """), "\(words)")
        }
        #expect(try workspace.build("demo").status == 0)
        #expect(
            try workspace.state().split(separator: "\n").filter { !$0.contains("build.json") }
                == state.split(separator: "\n").filter { !$0.contains("build.json") })
    }

    @Test func `a store of another user's`() throws {
        let workspace = try World.shared().warmWorkspace()
        try shell(
            "chmod 755 '\(Program.path)'; chmod 755 '\(workspace.cache)'; chown -R 65534:65534 '\(workspace.root)'")
        var program = workspace.program
        program.wrapper = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        let ending = try program.run(workspace.words(["recipes/demo.manifest"]))
        #expect(
            ending
                == .init(
                    status: 2, stdout: "",
                    stderr: """
                        error: cannot write to the store \(workspace.cache): Permission denied
                        hint: run as root, or choose a place that you may write

                        """))
    }

    @Test func `a store on a full disk can be cleaned up, and what is fresh stays so`() throws {
        let workspace = try World.shared().warmWorkspace()
        _ = try workspace.build("demo")
        // Not one more file can be made there.
        let fill = """
            store='\(workspace.cache)'; mkdir full; inodes=$(($(find "$store" | wc -l) + 20))
            mount -t tmpfs -o nr_inodes=$inodes none full && cp -a "$store/." full || exit 99
            touch full/lock; n=0; while touch full/fill-$n 2>/dev/null; do n=$((n + 1)); done
            mount --move full "$store" && exec "$@"
            """
        var program = workspace.program
        program.wrapper = ["/usr/bin/unshare", "-m", "/bin/sh", "-c", "mount --make-rprivate /; \(fill)", "sh"]
        let fresh = try program.run(workspace.words(["recipes/demo.manifest"]))
        #expect(untimed(fresh.stderr) == "demo: fresh, nothing to do\n")
        try removeTree(at: workspace.path("full"))
        let stale = try program.run(workspace.words(["recipes/demo.manifest", "-o", "other"]))
        #expect(stale.status == 2)
        #expect(stale.stderr.contains(": No space left on device\nhint: free space there"), "\(stale.stderr)")
        try removeTree(at: workspace.path("full"))
        let cleared = try program.run(["cache", "clear", "--cache", workspace.cache.string])
        #expect(cleared.status == 0, "\(cleared.stderr)")
        #expect(cleared.stdout.hasSuffix("\n0 B are left\n"), "\(cleared.stdout)")
    }
}
