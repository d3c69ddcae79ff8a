import RootfsModel
import Storage
import SystemPackage
import Testing

/// Whether this host mounts files as file systems.
private let canLoopMount: Bool = {
    guard World.isPossible, let scratch = try? Scratch("loop") else { return false }
    let command = """
        truncate -s 1M image && mke2fs -q -t ext4 -O ^has_journal image && mkdir -p mnt && unshare -m sh -c 'mount -o loop,ro image mnt'
        """
    return (try? shell(command, in: scratch.path)) == ""
}()

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct MainPathTests {
    @Test func `a build prints the image's digest and writes what the manual lists`() throws {
        let world = try World.shared()
        let warm = world.warm
        let names = try directoryNames(at: warm.output("demo")).map { String(decoding: $0, as: UTF8.self) }.sorted()
        #expect(
            names == [
                "build.json", "check.json", "demo.ext4", "demo.listing", "demo.lock", "firecracker.json", "image.json",
                "kernel.config", "vmlinux",
            ])
        let image = Digest(hashing: try readFile(at: warm.output("demo", "demo.ext4")))
        #expect(world.built.stdout == "\(image)  out/demo/demo.ext4\n")
        let listing = Digest(hashing: try readFile(at: warm.output("demo", "demo.listing")))
        let record = try JSON(warm.text("out/demo/image.json"))
        #expect(record["contentHash"] == .text("\(listing)"))
        #expect(record["imageHash"] == .text("\(image)"))
        #expect(record["lockDigest"] == .text("\(Digest(hashing: try warm.text("recipes/demo.lock")))"))
        #expect(record["packages"].names == ["base-files", "dpkg", "hello", "libhello1", "odd-names"])
        #expect(try readFile(at: warm.output("demo", "vmlinux")) == FixtureKernel.elf)
        #expect(record["kernel"]["release"] == .text("6.1.0-test"))
        #expect(record["kernel"]["initrdBecause"] == .text("the drivers of the root file system are built in"))
        #expect(
            try warm.text("out/demo/firecracker.json") == """
                {
                  "boot-source": {
                    "boot_args": "console=ttyS0",
                    "kernel_image_path": "vmlinux"
                  },
                  "drives": [
                    {
                      "drive_id": "rootfs",
                      "is_read_only": false,
                      "is_root_device": true,
                      "path_on_host": "demo.ext4"
                    }
                  ],
                  "machine-config": {
                    "mem_size_mib": 1024,
                    "vcpu_count": 1
                  }
                }

                """)
        let build = try JSON(warm.text("out/demo/build.json"))
        let stages = build["stages"].list
        // Those that overlap come in any order.
        #expect(
            stages.map { $0["stage"].string ?? "" }.sorted() == [
                "check", "fetch", "image", "kernel", "layer base", "layer odd", "layer system", "listing", "normalise",
                "provision", "resolve", "unpack",
            ])
        #expect(
            stages.compactMap { $0["stage"].string }.filter { !["check", "fetch", "unpack", "kernel"].contains($0) }
                == [
                    "resolve", "layer base", "layer system", "layer odd", "normalise", "provision", "listing", "image",
                ])
        #expect(build["removed"].list.map { $0["paths"].list.map(\.string) } == [["/usr/share/hello/empty"]])
        #expect(try warm.leftovers == [])
    }

    @Test func `the log tells every stage in a timed line`() throws {
        let lines = try World.shared().built.stderr.split(separator: "\n")
        #expect(
            lines.allSatisfy { (try? #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ demo: .*/#.wholeMatch(in: $0)) != nil },
            "\(lines)")
        // What overlaps ends in any order.
        let said = untimed(try World.shared().built.stderr).split(separator: "\n").map(String.init)
        let overlapping = ["demo: fetch: ", "demo: unpack: ", "demo: kernel: ", "demo: check: "]
        #expect(
            said.filter { line in overlapping.contains { line.hasPrefix($0) } }.sorted() == [
                "demo: check: 2 notes", "demo: fetch: # fetched",
                "demo: kernel: 6.1.0-test, initrd: the drivers of the root file system are built in",
                "demo: unpack: 7 packages",
            ])
        let paths = try pathCount()
        #expect(
            said.filter { line in !overlapping.contains { line.hasPrefix($0) } } == [
                "demo: resolve: 7 packages", "demo: layer base: 2 packages, configured",
                "demo: layer system: 2 packages, configured", "demo: layer odd: 1 package, configured",
                said.first { $0.hasPrefix("demo: normalise: ") } ?? "no line of normalise",
                "demo: provision: 0 services, 1 overlay", "demo: listing: \(paths) paths, #",
                "demo: image: #, # free",
                "demo: not pinned: packages were resolved now: recipes/demo.lock pins them from now on",
            ])
    }

    @Test func `--timings draws the stages as bars and says what they waited for`() throws {
        let workspace = try World.shared().warmWorkspace()
        let built = try workspace.build("demo", ["--timings", "--quiet"])
        #expect(built.status == 0, "\(built.stderr)")
        let lines = built.stderr.split(separator: "\n").map(String.init)
        #expect(lines.first?.hasPrefix("demo  ") == true && lines.first?.hasSuffix("  wall       cpu") == true)
        #expect(lines.allSatisfy { $0.count < 80 }, "\(built.stderr)")
        let record = try JSON(workspace.text("out/demo/build.json"))
        for stage in record["stages"].list {
            let name = try #require(stage["stage"].string)
            #expect(lines.contains { $0.hasPrefix(name + " ") && $0.contains("#") && $0.hasSuffix(" s") }, "\(name)")
        }
        let waits = lines.filter { $0.hasPrefix("  ") && $0.contains(" s for ") }
        #expect(waits.count == record["stages"].list.flatMap { $0["waits"].list }.count)
    }

    private func pathCount() throws -> Int {
        try World.shared().warm.text("out/demo/demo.listing").split(separator: "\n").count { $0.first != "#" }
    }

    @Test func `the image holds what packages, scripts and recipe put in it`() throws {
        let warm = try World.shared().warm
        let listing = try warm.text("out/demo/demo.listing").split(separator: "\n").map(String.init)
        func line(_ path: String) -> String { listing.first { $0.hasPrefix("\(path) ") } ?? "" }
        #expect(line("./usr/bin/hello").contains("nlink=2"))
        #expect(line("./usr/bin/hello-again").contains("nlink=2"))
        #expect(line("./usr/bin/hi").hasSuffix(" link=hello"))
        #expect(line("./etc/hello.conf").contains("mode=0640 uid=0 gid=4"))
        #expect(
            line("./usr/share/odd/sticky")
                == "./usr/share/odd/sticky type=dir mode=03775 uid=1 gid=4 time=1700000000.000000000")
        #expect(line(#"./usr/share/odd/\377\376\040a\040blank"#).contains("mode=0600"))
        #expect(line("./usr/share/hello/empty") == "")
        if exists("/usr/sbin/setcap") {
            let index = try #require(listing.firstIndex { $0.hasPrefix("./usr/bin/hello ") })
            #expect(listing[index + 1] == "#xattr security.capability=0100000200200000000000000000000000000000")
        }
        let image = "out/demo/demo.ext4"
        func content(_ path: String) throws -> String { try warm.program.run(["inspect", "cat", image, path]).stdout }
        #expect(try content("/var/lib/hello/configured") == "configure 1767225600\n")
        #expect(try content("/etc/first.conf") == "first\n")
        #expect(try content("/etc/motd") == "hello from demo\n")
        #expect(try content("/etc/passwd").hasSuffix("\nagent:x:1000:1000::/home/agent:/bin/sh\n"))
        #expect(try content("/var/lib/apt/extended_states").hasPrefix("Package: libhello1\n"))
    }

    @Test func `e2fsck finds nothing to say`() throws {
        let warm = try World.shared().warm
        let text = try shell("e2fsck -fn out/demo/demo.ext4", in: warm.root)
        #expect(!text.contains("status"), "\(text)")
        // The banner and five passes, and the summary of a clean file system.
        let lines = text.split(separator: "\n")
        #expect(lines.count == 7, "\(text)")
        #expect(lines.last?.hasPrefix("demo: ") == true)
    }

    @Test func `inspect list of the image is its listing`() throws {
        let warm = try World.shared().warm
        let listed = try warm.program.run(["inspect", "list", "out/demo/demo.ext4"])
        #expect(listed == .init(status: 0, stdout: try warm.text("out/demo/demo.listing"), stderr: ""))
    }

    @Test(.enabled(if: canLoopMount, "the host mounts no image"))
    func `the kernel mounts the image and sees the listing, and dpkg there is content`() throws {
        let warm = try World.shared().warm
        let scratch = try Scratch("mount")
        let mount = "mkdir mnt; mount -o loop,ro '\(warm.output("demo", "demo.ext4"))' mnt"
        try writeFile(
            Array("set -e; \(mount); '\(Program.path)' inspect list mnt\n".utf8), to: scratch.path.appending("list"))
        let listed = try shell("unshare -m sh list | grep -v '^./lost+found '", in: scratch.path)
        #expect(try listed == warm.text("out/demo/demo.listing"))
        let audit = """
            set -e; rmdir mnt; \(mount)
            chroot mnt /usr/bin/dpkg --audit
            chroot mnt /usr/bin/dpkg --verify
            chroot mnt /usr/bin/dpkg-query -W -f '${Package} ${Version} ${Status}\\n'

            """
        try writeFile(Array(audit.utf8), to: scratch.path.appending("audit"))
        // The one file that the recipe took away.
        same(
            try shell("unshare -m sh audit", in: scratch.path),
            """
            missing     /usr/share/hello/empty
            base-files 1.0 install ok installed
            dpkg 1.21 install ok installed
            hello 2.10-3 install ok installed
            libhello1 2.1 install ok installed
            odd-names 1.0 install ok installed

            """)
    }

    @Test func `a kernel with its drivers as modules gets an initrd with them`() throws {
        let workspace = try World.shared().warmWorkspace()
        try workspace.recipe(
            "modular", "layers: [{name: system, packages: [hello]}]\nkernel: {package: linux-image-modular}")
        let built = try workspace.build("modular")
        #expect(built.status == 0, "\(built.stderr)")
        #expect(built.stderr.contains("initrd: virtio_mmio and virtio_blk are modules ("))
        let initrd = try shell("bsdtar -xOf out/modular/initrd lib/modules/order", in: workspace.root)
        #expect(initrd == "virtio_mmio\nvirtio_blk\nnet_failover\nvirtio_net\n")
        #expect(try workspace.text("out/modular/firecracker.json").contains(#""initrd_path": "initrd""#))
        let record = try JSON(workspace.text("out/modular/image.json"))
        let digest = Digest(hashing: try readFile(at: workspace.output("modular", "initrd")))
        #expect(record["kernel"]["initrd"] == .text("\(digest)"))
    }

    @Test func `without a kernel there is none, and nothing to start it`() throws {
        let workspace = try World.shared().warmWorkspace()
        try workspace.recipe("bare", "layers: [{name: system, packages: [hello]}]\nkernel: none")
        #expect(try workspace.build("bare").status == 0)
        let names = try directoryNames(at: workspace.output("bare")).map { String(decoding: $0, as: UTF8.self) }
            .sorted()
        #expect(names == ["bare.ext4", "bare.listing", "bare.lock", "build.json", "check.json", "image.json"])
        #expect(try workspace.text("recipes/bare.lock").contains("busybox") == false)
    }

    @Test func `a kernel from a file is taken out of its bzImage`() throws {
        let workspace = try World.shared().warmWorkspace()
        try workspace.write("kernels/vmlinuz-test", bytes: try FixtureKernel.bzImage())
        try workspace.recipe(
            "filed", "layers: [{name: system, packages: [hello]}]\nkernel: {file: kernels/vmlinuz-test}")
        let built = try workspace.build("filed")
        #expect(built.status == 0, "\(built.stderr)")
        #expect(try readFile(at: workspace.output("filed", "vmlinux")) == FixtureKernel.elf)
        // The file is an input: another one makes the outputs stale.
        try workspace.write("kernels/vmlinuz-test", bytes: FixtureKernel.elf)
        let again = try workspace.build("filed")
        #expect(again.status == 0)
        #expect(!again.stderr.contains("fresh, nothing to do"))
        #expect(try readFile(at: workspace.output("filed", "vmlinux")) == FixtureKernel.elf)
    }

    @Test func `kernel extract writes the ELF and says what it is`() throws {
        let workspace = try World.shared().coldWorkspace()
        try workspace.write("vmlinuz", bytes: try FixtureKernel.bzImage())
        let extracted = try workspace.program.run(["kernel", "extract", "vmlinuz", "-o", "vmlinux"])
        let digest = Digest(hashing: FixtureKernel.elf)
        #expect(extracted.status == 0)
        #expect(extracted.stdout == "\(digest)  vmlinux\n")
        #expect(
            untimed(extracted.stderr)
                == "Linux version 6.1.0-test (build@host) (gcc 12) #1 SMP, bzImage, gzip payload\n")
        #expect(try readFile(at: workspace.path("vmlinux")) == FixtureKernel.elf)
        let refused = try workspace.program.run(["kernel", "extract", "vmlinux", "-o", "other"])
        #expect(refused.status == 2)
        let file = workspace.path("vmlinux")
        same(
            refused.stderr,
            """
            error: cannot extract a kernel from \(file): already an ELF
            hint: use it as it is, as kernel: {file: \(file)}

            """)
        #expect(!exists(workspace.path("other")))
    }
}
