import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

extension Tag {
    /// Tests that ask the host's APT sources.
    @Tag static var hostSources: Self
}

/// The shipped recipe on real packages: the host's own APT sources, over the network where they are there.
@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root")) struct HostArchiveTests {
    private static let repository = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent()

    /// The shipped recipe and its overlays in a directory of their own.
    private func repository() throws -> Scratch {
        let scratch = try Scratch("minimal")
        try shell(
            "cp -r '\(Self.repository)/overlays' . && mkdir recipes && cp '\(Self.repository)/recipes/minimal.manifest' recipes/",
            in: scratch.path)
        return scratch
    }

    /// Runs with the user's own store, so that packages are downloaded once, not by every test run.
    private func program(_ scratch: Scratch) -> Program {
        var program = Program(directory: scratch.path)
        let home = getenv("HOME").map { String(cString: $0) } ?? "/root"
        let names: [String] = ["http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE"]
        let proxies = names.compactMap { (name: String) -> String? in
            getenv(name).map { "\(name)=\(String(cString: $0))" }
        }
        program.environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=\(home)"] + proxies
        return program
    }

    /// Why the host's sources cannot serve; nil where they can.
    private func obstacle(_ ending: Program.Ending) -> String? {
        let text = ending.stderr
        let isOutside = ["no mirror is known for", "cannot fetch", "unknown suite"].contains {
            text.contains("error: \($0)")
        }
        return ending.status != 0 && isOutside ? text : nil
    }

    @Test func `the minimal recipe resolves on the host's APT sources`() throws {
        let scratch = try repository()
        let locked = try program(scratch).run(["lock", "recipes/minimal.manifest"])
        if let obstacle = obstacle(locked) {
            print("skipped: the host's APT sources do not serve bookworm: \(obstacle)")
            return
        }
        #expect(locked.status == 0, "\(locked.stderr)")
        let text = String(decoding: try readFile(at: scratch.path.appending("recipes/minimal.lock")), as: UTF8.self)
        #expect(locked.stdout == "\(Digest(hashing: text))  recipes/minimal.lock\n")
        for package in ["systemd-sysv", "iproute2", "libc6", "dpkg", "apt"] {
            #expect(text.contains("\nPackage: \(package)\n"))
        }
        #expect(text.contains("\nRequest: linux-image-cloud-amd64\nRole: kernel\n"))
    }

    @Test(.tags(.hostSources)) func `the minimal recipe is reproducible`() throws {
        let scratch = try repository()
        let ending = try program(scratch).run(
            ["reproduce", "recipes/minimal.manifest", "--quiet", "--work", scratch.path.string], within: 900)
        if let obstacle = obstacle(ending) {
            print("skipped: the host's APT sources do not serve bookworm: \(obstacle)")
            return
        }
        #expect(ending.status == 0, "\(ending.stderr)\(ending.stdout)")
        #expect(ending.stdout.contains("\nreproducible: sha256:"))
    }

    @Test(.enabled(if: exists("/usr/bin/qemu-system-x86_64"), "the host has no qemu-system-x86_64"))
    func `the minimal image is proven, and what never comes is a boot that failed`() throws {
        let scratch = try repository()
        let program = program(scratch)
        let built = try program.run(["recipes/minimal.manifest"], within: 540)
        if let obstacle = obstacle(built) {
            print("skipped: the host's APT sources do not serve bookworm: \(obstacle)")
            return
        }
        #expect(built.status == 0, "\(built.stderr)")
        #expect(built.stdout.hasSuffix("  out/minimal/minimal.ext4\n"))
        #expect(try shell("e2fsck -fn out/minimal/minimal.ext4 > /dev/null 2>&1", in: scratch.path) == "")
        let booted = try program.run(["boot", "out/minimal", "--within", "240", "--soak", "5s"], within: 300)
        #expect(booted.status == 0, "\(booted.stdout)\(booted.stderr)")
        #expect(booted.stdout.hasPrefix("proven  out/minimal/minimal.ext4\n"))
        #expect(booted.stdout.contains("  shutdown  clean after "))
        #expect(booted.stderr.contains("minimal login:") && booted.stderr.contains("hello from minimal"))
        let silent = try program.run(
            [
                "boot", "out/minimal", "--expect", "no one ever says this", "--within", "60", "--expect-fail",
                "not-ready",
            ])
        #expect(silent.status == 0, "\(silent.stdout)\(silent.stderr)")
    }

    @Test(.enabled(if: OrdinaryUser.isPossible, "needs \(OrdinaryUser.words)"))
    func `an ordinary user builds the same minimal image`() throws {
        let scratch = try repository()
        let program = program(scratch)
        let built = try program.run(["recipes/minimal.manifest"], within: 540)
        if let obstacle = obstacle(built) {
            print("skipped: the host's APT sources do not serve bookworm: \(obstacle)")
            return
        }
        #expect(built.status == 0, "\(built.stderr)")
        // A store of his own with the same packages.
        try shell(
            """
            mv out roots && files="${XDG_CACHE_HOME:-$HOME/.cache}/rootfs-build/files"
            sed -n 's/^SHA256: \\(..\\)/\\1\\//p' recipes/minimal.lock | while read file; do
                mkdir -p "store/files/${file%/*}" && cp "$files/$file" "store/files/$file"
            done
            chown -R \(OrdinaryUser.id) .
            """, in: scratch.path, environment: program.environment)
        var users = program
        users.wrapper = try OrdinaryUser.wrapper(in: scratch.path)
        let ending = try users.run(["recipes/minimal.manifest", "--cache", "store", "--offline"], within: 540)
        #expect(ending.stdout == built.stdout, "\(ending.stderr)")
    }
}
