import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(.enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64")) struct VerifyTests {
    /// A workspace with the outputs of the first build.
    private func outputs() throws -> Workspace {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        try shell("mkdir out && cp -r '\(world.warm.output("demo"))' out/", in: workspace.root)
        return workspace
    }

    private func verify(_ arguments: [String], in workspace: Workspace) throws -> Program.Ending {
        var ending = try workspace.program.run(["verify", "--quiet"] + arguments)
        ending.stderr = ending.stderr.replacing(workspace.root.string, with: "HERE")
        return ending
    }

    @Test func `a build's outputs are what they say`() throws {
        let workspace = try outputs()
        let record = try JSON(workspace.text("out/demo/image.json"))
        for argument in ["out/demo", "out/demo/demo.ext4"] {
            let ending = try verify([argument], in: workspace)
            same(
                ending.stdout,
                """
                out/demo/demo.ext4
                  image hash    \(record["imageHash"].string ?? "") as in out/demo/image.json
                  content hash  \(record["contentHash"].string ?? "") as in out/demo/image.json
                  file system   clean (e2fsck)

                """)
            #expect(ending.stderr == "")
            #expect(ending.status == 0)
        }
        let report = try JSON(verify(["out/demo", "--json"], in: workspace).stdout)
        #expect(report["succeeded"] == .boolean(true))
        #expect(report["checks"].names == ["image hash", "content hash", "file system"])
        for reference in ["out/demo/image.json", "out/demo/demo.listing"] {
            #expect(try verify(["out/demo/demo.ext4", "--against", reference], in: workspace).status == 0)
        }
    }

    @Test func `a changed file is named with what it has otherwise`() throws {
        let workspace = try outputs()
        // As somebody with a loop mount would: the content, and all that goes with it.
        try workspace.write("new", "hello from demo?\n")
        let change =
            "printf 'rm /etc/motd\\nwrite new /etc/motd\\nrm /usr/bin/hi\\n' | debugfs -w -f - out/demo/demo.ext4"
        #expect(!(try shell(change, in: workspace.root)).contains("status"))
        let ending = try verify(["out/demo"], in: workspace)
        #expect(ending.status == 1)
        let lines = ending.stdout.split(separator: "\n").map(String.init)
        #expect(lines[1].contains(" instead of sha256:"))
        #expect(lines[2].contains(" instead of sha256:"))
        let motd = try #require(lines.first { $0.hasPrefix("  /etc/motd: ") })
        #expect(
            motd.contains(
                "content \(Digest(hashing: "hello from demo?\n")) instead of \(Digest(hashing: "hello from demo\n"))"),
            "\(motd)")
        #expect(motd.contains("size 17 instead of 16"))
        #expect(lines.contains("  /usr/bin/hi: missing"))

        let report = try JSON(verify(["out/demo", "--json"], in: workspace).stdout)
        #expect(report["succeeded"] == .boolean(false))
        #expect(report["differences"].list.map { $0["path"].string }.contains("/etc/motd"))
    }

    @Test func `with a record named, paths are told by the listing that it has the digest of`() throws {
        let workspace = try outputs()
        try shell(
            """
            cd out && mkdir image record
            cp demo/demo.ext4 image/other.ext4 && cp demo/image.json record/
            debugfs -w -R 'set_inode_field /etc/motd mode 0100600' image/other.ext4
            """, in: workspace.root)
        let against = ["out/image/other.ext4", "--against", "out/record/image.json"]
        let told = "\n  /etc/motd: mode 0600 instead of 0644\n"
        func expect(_ isTold: Bool) throws {
            let ending = try verify(against, in: workspace)
            #expect(ending.status == 1)
            #expect(ending.stdout.contains("\n  content hash  sha256:"), "\(ending.stdout)")
            #expect(ending.stdout.contains(told) == isTold, "\(ending.stdout)")
        }
        try expect(false)
        for place in ["out/image/other.listing", "out/record/demo.listing"] {
            try shell("cp out/demo/demo.listing \(place)", in: workspace.root)
            try expect(true)
            // The listing of something else.
            try shell("sed -i 's/ mode=0*644 / mode=0640 /' \(place)", in: workspace.root)
            try expect(false)
        }
    }

    @Test func `behind a file system is a sound hash tree or nothing, also where only a listing says so`() throws {
        let workspace = try World.shared().coldWorkspace()
        try workspace.recipe(
            "sealed", "layers: [{name: system, packages: [hello]}]\nkernel: none\nimage: {verity: true}")
        #expect(try workspace.build("sealed").status == 0)
        try shell("mkdir alone && cp out/sealed/sealed.ext4 out/sealed/sealed.listing alone/", in: workspace.root)
        guard case .number(let place) = try JSON(workspace.text("out/sealed/image.json"))["verity"]["hashOffset"]
        else { throw Failure("no number") }
        let tree = Int(place)
        #expect(try verify(["alone/sealed.ext4"], in: workspace).status == 0)
        let image = workspace.path("alone/sealed.ext4")
        let sound = try readFile(at: image)
        let cases: [(flipped: Int, String)] = [
            (tree, "from byte \(tree) on, behind the file system, is something that is no hash tree"),
            (tree + 4095, "hash tree: its superblock is not as it was made"),
            (tree + 2 * 4096 - 1, "hash tree: block 0 of level \(sound.count - tree > 3 * 4096 ? 1 : 0) is damaged"),
            (sound.count - 1, "hash tree: block \((sound.count - tree) / 4096 - 3) of level 0 is damaged"),
        ]
        for (flipped, words) in cases {
            var bytes = sound
            bytes[flipped] ^= 1
            try writeFile(bytes, to: image)
            let ending = try verify(["alone/sealed.ext4"], in: workspace)
            #expect(ending.status == 1, "\(ending.stdout)")
            #expect(ending.stdout.contains("\n  \(words)\n"), "\(ending.stdout)")
        }
        try writeFile(sound + [0, 7], to: image)
        let longer = try verify(["alone/sealed.ext4"], in: workspace)
        #expect(longer.status == 1)
        #expect(longer.stdout.contains("\n  from byte \(sound.count + 1) on, behind the"), "\(longer.stdout)")
    }

    @Test func `an image whose files are right is told by the field that is not`() throws {
        let workspace = try outputs()
        #expect(
            !(try shell(
                "debugfs -w -R 'set_super_value mnt_count 3' out/demo/demo.ext4 2>&1", in: workspace.root)).contains(
                    "status"))
        let ending = try verify(["out/demo"], in: workspace)
        #expect(ending.status == 1)
        #expect(ending.stdout.contains("\n  superblock: mount count 3 instead of 0\n"), "\(ending.stdout)")
        #expect(!ending.stdout.contains("\n  /"), "\(ending.stdout)")
        try shell("head -c 4096 /dev/zero >> out/demo/demo.ext4", in: workspace.root)
        let longer = try verify(["out/demo"], in: workspace)
        #expect(longer.status == 1)
        #expect(longer.stdout.contains("\n  the image has "), "\(longer.stdout)")
        #expect(try directoryNames(at: workspace.output("demo")).count == 9)
    }

    @Test func `a flipped bit of a sealed image is found in its file`() throws {
        let workspace = try World.shared().coldWorkspace()
        try workspace.recipe(
            "sealed", "layers: [{name: system, packages: [hello]}]\nkernel: none\nimage: {verity: true}")
        #expect(try workspace.build("sealed").status == 0)
        let sound = try verify(["out/sealed"], in: workspace)
        #expect(sound.status == 0, "\(sound.stdout)")
        let root = try #require(try JSON(workspace.text("out/sealed/image.json"))["verity"]["rootHash"].string)
        #expect(sound.stdout.contains("\n  root hash     \(root) as in out/sealed/image.json\n"))

        let image = workspace.output("sealed", "sealed.ext4")
        var bytes = try readFile(at: image)
        let place = try #require(bytes.firstRange(of: Array("greeting = hello\n".utf8))).lowerBound
        bytes[place] ^= 1
        try writeFile(bytes, to: image)
        let ending = try verify(["out/sealed"], in: workspace)
        #expect(ending.status == 1)
        #expect(ending.stdout.contains("  /etc/hello.conf: content sha256:"), "\(ending.stdout)")
        #expect(
            ending.stdout.contains(
                "  hash tree: data block \(place / 4096) was changed (a block of /etc/hello.conf)\n"),
            "\(ending.stdout)")
        #expect(ending.stdout.contains("\n  file system   clean (e2fsck)\n"))
    }

    @Test func `an inode that is damaged is a difference, not an image that cannot be verified`() throws {
        let workspace = try outputs()
        let place = try shell("debugfs -R 'imap /etc/motd' out/demo/demo.ext4 2>/dev/null", in: workspace.root)
        let found = try #require(place.firstMatch(of: #/located at block (\d+), offset 0x([0-9a-f]+)/#))
        let offset = try #require(Int(found.1)) * 4096 + (try #require(Int(found.2, radix: 16)))
        let image = workspace.output("demo", "demo.ext4")
        var bytes = try readFile(at: image)
        bytes[offset + 2] ^= 1
        try writeFile(bytes, to: image)
        let ending = try verify(["out/demo"], in: workspace)
        #expect(ending.status == 1, "\(ending.stderr)")
        #expect(ending.stdout.contains("\n  content hash  cannot be computed\n"), "\(ending.stdout)")
        #expect(ending.stdout.contains("\n  cannot read inode "), "\(ending.stdout)")
        #expect(ending.stdout.contains("\n  file system   damaged (e2fsck)\n"), "\(ending.stdout)")
    }

    @Test func `what cannot be verified is told in one error`() throws {
        let workspace = try outputs()
        let size = try readFile(at: workspace.output("demo", "demo.ext4")).count
        try shell(
            """
            cd out
            mkdir cut && cp demo/image.json cut/ && head -c 1000000 demo/demo.ext4 > cut/demo.ext4
            mkdir alone && cp demo/demo.ext4 alone/ && head -c 9000 /dev/urandom > noise.ext4 && cp demo/demo.listing noise.listing
            sed '3s/mode=[0-7]*/mode=99/' demo/demo.listing > wrong.listing
            sed 's/"contentHash" : "sha256:....../"contentHash" : "sha256:000000/' demo/image.json > other.json
            """, in: workspace.root)
        let cases: [([String], String)] = [
            (["out/none.ext4"], "error: nothing says what HERE/out/none.ext4 should be"),
            (["out/cut"], "error: HERE/out/cut/demo.ext4 is cut off: 1000000 of \(size) bytes are there"),
            (["out/alone/demo.ext4"], "error: nothing says what HERE/out/alone/demo.ext4 should be"),
            (["out/alone"], "error: HERE/out/alone holds no build: it has no image.json"),
            (
                ["out/noise.ext4"],
                "error: cannot read the image HERE/out/noise.ext4: it is no ext2, ext3 or ext4 file system"
            ),
            (
                ["out/demo", "--against", "out/wrong.listing"],
                "error: HERE/out/wrong.listing:3: bad value of mode"
            ),
            (
                ["out/demo", "--against", "out/other.json"],
                "error: HERE/out/other.json is of another image than HERE/out/demo/demo.ext4"
            ),
            (
                ["out/demo", "--against", "recipes/demo.manifest"],
                "error: HERE/recipes/demo.manifest is neither a listing nor an image.json of this version"
            ),
            (["out/demo", "--against", "out/none"], "error: cannot read HERE/out/none: No such file or directory"),
        ]
        for (arguments, message) in cases {
            let ending = try verify(arguments, in: workspace)
            #expect(ending.status == 2, "\(arguments)")
            #expect(ending.stdout == "")
            #expect(ending.stderr.hasPrefix(message), "\(ending.stderr)")
            #expect(ending.stderr.split(separator: "error: ").count == 1)
        }
    }
}
