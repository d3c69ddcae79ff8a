import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@Suite(
    .enabled(if: World.isPossible, "needs root, gpg and dpkg's tools on amd64"),
    .enabled(if: access("/usr/bin/ssh-keygen", X_OK) == 0, "needs ssh-keygen (openssh-client)"))
struct SignatureTests {
    /// A workspace with the outputs of the first build, signed by one of two keys.
    private func signed() throws -> Workspace {
        let world = try World.shared()
        let workspace = try world.coldWorkspace()
        try shell(
            """
            mkdir out && cp -r '\(world.warm.output("demo"))' out/
            ssh-keygen -q -t ed25519 -N '' -C '' -f key && ssh-keygen -q -t ed25519 -N '' -C '' -f other
            echo "me@example.org $(cat key.pub)" > signers
            """, in: workspace.root)
        let ending = try workspace.program.run(["sign", "out/demo", "--key", "key"])
        #expect(ending.status == 0, "\(ending.stderr)")
        #expect(ending.stdout.hasPrefix("out/demo/image.json.sig: ED25519 key SHA256:"), "\(ending.stdout)")
        #expect(ending.stdout.hasSuffix(", 7 files\n"), "\(ending.stdout)")
        #expect(untimed(ending.stderr) == "not signed: build.json\n")
        return workspace
    }

    private func verify(_ workspace: Workspace, _ more: [String] = [], signers: String = "signers") throws
        -> Program.Ending
    {
        var ending = try workspace.program.run(
            ["verify", "out/demo", "--quiet", "--signature", "--allowed-signers", signers] + more)
        ending.stderr = ending.stderr.replacing(workspace.root.string, with: "HERE")
        return ending
    }

    @Test func `who signed is told, and all outputs are what was signed`() throws {
        let workspace = try signed()
        let record = try JSON(workspace.text("out/demo/image.json"))
        #expect(record["outputs"]["firecracker.json"].string != nil)
        #expect(record["outputs"]["check.json"].string != nil)
        for more in [[], ["--identity", "me@example.org"]] {
            let ending = try verify(workspace, more)
            #expect(ending.status == 0, "\(ending)")
            let line = try #require(ending.stdout.split(separator: "\n").dropFirst().first)
            #expect(line.hasPrefix("  signature     me@example.org, ED25519 key SHA256:"), "\(line)")
            #expect(line.hasSuffix(" (out/demo/image.json.sig)"))
        }
        let report = try JSON(verify(workspace, ["--json"]).stdout)
        #expect(report["signature"]["signer"].string == "me@example.org")
        #expect(
            report["signature"]["outputs"]
                == .array(
                    [
                        "check.json", "demo.ext4", "demo.listing", "demo.lock", "firecracker.json", "kernel.config",
                        "vmlinux",
                    ]
                    .filter { exists(workspace.output("demo", $0)) }.map { .text($0) }))
        // The signature and what else is said of the outputs does not make them others.
        try shell("touch out/demo/demo.spdx.json out/demo/demo.cdx.json out/demo/demo.intoto.json", in: workspace.root)
        #expect(try verify(workspace).status == 0)
        // By hand, as the documentation says.
        let byHand = """
            sed '/^  "proof" : {$/,/^  },$/d' out/demo/image.json | ssh-keygen -Y verify -f signers -I me@example.org \
            -n image@rootfs-build -s out/demo/image.json.sig
            """
        #expect(
            try shell(byHand, in: workspace.root).hasPrefix("Good \"image@rootfs-build\" signature for me@example.org"))
    }

    @Test func `a boot's proof does not break the signature, and nothing hides in it`() throws {
        let workspace = try signed()
        let text = try workspace.text("out/demo/image.json")
        let proof = """
              "proof" : {
                "engine" : "tcg",
                "proven" : true,
                "record" : "boot.json",
                "recordDigest" : "sha256:00",
                "soakSeconds" : 1.5,
                "verdict" : "proven"
              },

            """
        let place = try #require(text.firstRange(of: "  \"recipeDigest\" : "))
        func write(_ proof: String) throws {
            let parts = [String(text[..<place.lowerBound]), proof, String(text[place.lowerBound...])]
            try workspace.write("out/demo/image.json", parts.joined())
        }
        try write(proof)
        let good = try verify(workspace)
        #expect(good.status == 0, "\(good)")
        for wrong in [
            proof.replacing("\"verdict\"", with: "\"other\" : 1,\n    \"verdict\""),
            proof.replacing("  },\n", with: "  }, \"imageSize\" : 1,\n"), proof.replacing("    ", with: "   "),
        ] {
            try write(wrong)
            #expect(try verify(workspace).status != 0, "\(wrong)")
        }
    }

    @Test func `another key, another file, no signature, an old key: each is a no with its reason`() throws {
        let workspace = try signed()
        func refused(_ words: String, _ ending: Program.Ending) {
            #expect(ending.status == 1, "\(ending)")
            #expect((ending.stderr + ending.stdout).contains(words), "\(ending)")
        }
        let key = try shell("cat key.pub", in: workspace.root)
        try workspace.write("others", "me@example.org \(try shell("cat other.pub", in: workspace.root))")
        refused("the key that signed is not one of anybody in HERE/others", try verify(workspace, signers: "others"))
        try workspace.write("old", "me@example.org valid-before=\"20200101\" \(key)")
        refused("the key that signed is no longer valid", try verify(workspace, signers: "old"))
        try workspace.write("young", "me@example.org valid-after=\"20990101\" \(key)")
        refused("the key that signed is not valid yet", try verify(workspace, signers: "young"))
        try workspace.write("elsewhere", "me@example.org namespaces=\"git\" \(key)")
        refused("the key that signed is not allowed for images", try verify(workspace, signers: "elsewhere"))
        refused(
            "it was signed by me@example.org, not by you@example.org",
            try verify(workspace, ["--identity", "you@example.org"]))

        // Each kind of file, changed by a byte at its end.
        for name in ["firecracker.json", "check.json", "vmlinux", "demo.listing", "demo.ext4"] {
            let path = workspace.output("demo", name)
            let good = try readFile(at: path)
            var bad = good
            bad[bad.count - 1] ^= 1
            try writeFile(bad, to: path)
            refused("\(name) is sha256:", try verify(workspace))
            let again = try workspace.program.run(["sign", "out/demo", "--key", "key"])
            #expect(again.status == 1)
            #expect(again.stderr.contains("\(name) is sha256:"))
            try writeFile(good, to: path)
        }
        try workspace.write("out/demo/initrd", "a stranger\n")
        refused("initrd is not among the files whose digests image.json has", try verify(workspace))
        try shell("rm out/demo/initrd", in: workspace.root)
        #expect(try verify(workspace).status == 0)

        let record = try workspace.text("out/demo/image.json")
        try workspace.write("out/demo/image.json", record.replacing("\"vcpus\" : ", with: "\"vcpus\" : 1"))
        refused("is no signature of HERE/out/demo/image.json as it is", try verify(workspace))
        try workspace.write("out/demo/image.json", record)
        try workspace.write("out/demo/image.json.sig", "nonsense\n")
        refused("is no signature of", try verify(workspace))
        try shell("rm out/demo/image.json.sig", in: workspace.root)
        let missing = try verify(workspace)
        #expect(missing.status == 1)
        same(
            missing.stderr,
            """
            error: HERE/out/demo is not signed: there is no HERE/out/demo/image.json.sig
            hint: rootfs-build sign

            """)
    }

    @Test func `a host without ssh-keygen, a key that is none and a wrong command line are said`() throws {
        let workspace = try signed()
        for arguments in [
            ["sign", "out/demo", "--key", "key"],
            ["verify", "out/demo", "--signature", "--allowed-signers", "signers"],
        ] {
            let bare = try shell(
                "env -i PATH=/nowhere '\(Program.path)' \(arguments.joined(separator: " "))", in: workspace.root)
            #expect(bare.contains("this host has no ssh-keygen"), "\(bare)")
            #expect(bare.contains("apt-get install openssh-client"))
            #expect(bare.contains("status 2\n"))
        }
        #expect(try workspace.program.run(["sign", "out/demo", "--key", "nokey"]).status == 64)
        let wrong = try workspace.program.run(["sign", "out/demo", "--key", "signers"])
        #expect(wrong.status == 2)
        #expect(wrong.stderr.contains("ssh-keygen cannot sign with"))
        for arguments in [
            ["--signature"], ["--allowed-signers", "signers"], ["--identity", "me"],
            ["--signature", "--allowed-signers", "signers", "--against", "x"],
        ] { #expect(try workspace.program.run(["verify", "out/demo"] + arguments).status == 64) }
        #expect(try verify(workspace, signers: "nobody").status == 64)
    }

    @Test func `what is put beside the outputs about them leaves a build fresh and goes with them`() throws {
        let workspace = try World.shared().warmWorkspace()
        #expect(try workspace.build("demo").status == 0)
        try shell("ssh-keygen -q -t ed25519 -N '' -C '' -f key", in: workspace.root)
        #expect(try workspace.program.run(["sign", "out/demo", "--key", "key"]).status == 0)
        for (form, name) in [("spdx", "demo.spdx.json"), ("cyclonedx", "demo.cdx.json")] {
            let bill = ["sbom", "out/demo", "--format", form, "-o", "out/demo/\(name)"]
            #expect(try workspace.program.run(bill).status == 0)
        }
        let statement = ["provenance", "out/demo", "-o", "out/demo/demo.intoto.json"]
        #expect(try workspace.program.run(statement).status == 0)
        let again = try workspace.build("demo")
        #expect(again.stderr.contains("demo: fresh, nothing to do"), "\(again.stderr)")
        try workspace.write("overlays/first/etc/first.conf", "second\n")
        let other = try workspace.build("demo")
        #expect(other.status == 0, "\(other.stderr)")
        for name in ["image.json.sig", "demo.spdx.json", "demo.cdx.json", "demo.intoto.json"] {
            #expect(!exists(workspace.output("demo", name)), "\(name)")
        }
    }

    @Test func `an image that inject made is signed by its own record`() throws {
        let workspace = try signed()
        try shell("mkdir new", in: workspace.root)
        let injected = ["inject", "out/demo/demo.ext4", "--overlay", "overlays/first", "-o", "new/new.ext4"]
        #expect(try workspace.program.run(injected).status == 0)
        let check = ["verify", "new/new.ext4", "--signature", "--allowed-signers", "signers", "--quiet"]
        #expect(try workspace.program.run(check).status == 1)
        #expect(try workspace.program.run(["sign", "new/new.ext4", "--key", "key"]).status == 0)
        #expect(exists(workspace.path("new/new.ext4.json.sig")))
        let good = try workspace.program.run(check)
        #expect(good.status == 0, "\(good)")
        // The build's signature is not the new image's.
        try shell("cp out/demo/image.json.sig new/new.ext4.json.sig", in: workspace.root)
        #expect(try workspace.program.run(check).status == 1)
    }

    @Test func `a key that only the agent has signs`() throws {
        let workspace = try signed()
        let said = try shell(
            """
            eval "$(ssh-agent -s)" >/dev/null && trap 'kill $SSH_AGENT_PID' EXIT && ssh-add -q key && mv key elsewhere
            rm out/demo/image.json.sig && '\(Program.path)' sign out/demo --key key.pub --quiet
            """, in: workspace.root)
        #expect(said.contains("out/demo/image.json.sig: ED25519 key SHA256:"), "\(said)")
        #expect(try verify(workspace).status == 0)
    }
}
