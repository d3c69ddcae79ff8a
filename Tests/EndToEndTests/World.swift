import ArchiveFixture
import Glibc
import RootfsModel
import Storage
import Synchronization
import SystemPackage

/// What all end-to-end tests share: a signed archive, and a store and outputs that one build of `demo` filled.
///
/// Made once, on first use; taken away when the test process ends.
final class World: Sendable {
    let key: FixtureKey
    let archive: FixtureArchive
    /// The workspace of the one build, never written again: tests copy it.
    let warm: Workspace
    let built: Program.Ending

    /// Whether this host can build: root with namespaces, gpg, and dpkg with its tools to make a base system from.
    static let isPossible =
        geteuid() == 0 && FixtureKey.isPossible && HostBase.isPossible && HostBase.architecture == "amd64"

    private static let made = Mutex<World?>(nil)

    static func shared() throws -> World {
        try made.withLock { made in
            if let made { return made }
            let world = try World()
            made = world
            atexit { World.made.withLock { $0 = nil } }
            return world
        }
    }

    private init() throws {
        key = try FixtureKey()
        archive = try FixtureArchive(key: key)
        for suite in try Self.suites(Self.packages()) { try archive.write(suite) }
        warm = try Workspace(key: key, archive: archive)
        built = try warm.build("demo")
        guard built.status == 0 else { throw Failure("the first build of demo failed", notes: [built.stderr]) }
    }

    /// A workspace whose store and lock are those of the first build. The store's files are hard links: a test may add
    /// and remove, but not change one.
    func warmWorkspace() throws -> Workspace {
        let workspace = try Workspace(key: key, archive: archive)
        try removeTree(at: workspace.cache)
        try shell(
            "cp -al '\(warm.cache)' '\(workspace.cache)' && cp -p '\(warm.root)'/recipes/*.lock '\(workspace.root)/recipes/'"
        )
        return workspace
    }

    /// A workspace where nothing was built yet.
    func coldWorkspace() throws -> Workspace { try Workspace(key: key, archive: archive) }

    /// The pockets of bookworm with these packages in the suite itself.
    static func suites(_ packages: [FixturePackage], updates: [FixturePackage] = []) -> [FixtureSuite] {
        var security = FixtureSuite("bookworm-security", packages: [])
        security.suite = "oldstable-security"
        return [
            FixtureSuite("bookworm", packages: packages), FixtureSuite("bookworm-updates", packages: updates), security,
        ]
    }

    /// A package whose postinst never ends, named so that its processes are known to be this test run's.
    static let slow = "slow-\(getpid())"

    /// A package that dpkg itself unpacks, for what its preinst says; a damage of its content is in no checksum of it.
    private static func guarded() -> FixturePackage {
        var package = FixturePackage(
            "guarded", files: [.file("usr/share/guarded/data", "what dpkg unpacks\n")],
            scripts: ["preinst": "#!/bin/sh\n: dpkg-divert\n"])
        package.compression = .none
        return package
    }

    static func packages() throws -> [FixturePackage] {
        var oddName = Array("usr/share/odd/".utf8)
        oddName += [0xFF, 0xFE] + Array(" a blank".utf8)
        let account = """
            set -e
            printf 'root:x:0:0:root:/root:/bin/sh\\nnobody:x:65534:65534::/:/bin/false\\n' > /etc/passwd
            printf 'root:x:0:\\nadm:x:4:\\nnogroup:x:65534:\\n' > /etc/group
            printf 'root:*:19000:0:99999:7:::\\n' > /etc/shadow
            chmod 640 /etc/shadow

            """
        return [
            try HostBase.package(),
            FixturePackage(
                "base-files", fields: ["Essential": "yes"],
                files: [
                    .file("etc/os-release", "ID=fixture\n"), .directory("etc/skel"), .directory("home"),
                    .directory("var/lib/apt", mode: 0o755), .directory("var/tmp", mode: 0o1777),
                ], scripts: ["postinst": "#!/bin/sh\n" + account]),
            FixturePackage(
                "hello", version: "2.10-3", fields: ["Depends": "libhello1 (>= 2.0)"],
                files: [
                    .file("usr/bin/hello", "#!/bin/sh\necho hello\n", mode: 0o755),
                    .hardLink("usr/bin/hello-again", to: "usr/bin/hello"), .link("usr/bin/hi", to: "hello"),
                    .link("etc/alternatives/greeting", to: "/usr/bin/hi"),
                    .file("etc/hello.conf", "greeting = hello\n", mode: 0o640, gid: 4),
                    .file("usr/share/hello/empty", ""),
                ],
                scripts: [
                    "postinst": """
                    #!/bin/sh
                    set -e
                    mkdir -p /var/lib/hello
                    echo "$1 $SOURCE_DATE_EPOCH" > /var/lib/hello/configured
                    if [ -x /usr/sbin/setcap ]; then setcap cap_net_raw+ep /usr/bin/hello; fi
                    echo hello is configured

                    """
                ], conffiles: ["/etc/hello.conf"]),
            FixturePackage(
                "libhello1", version: "2.1", architecture: "amd64",
                files: [
                    .file("usr/lib/libhello.so.1.0", "library"), .link("usr/lib/libhello.so.1", to: "libhello.so.1.0"),
                ], triggers: "activate-noawait ldconfig\n"),
            FixturePackage(
                "odd-names",
                files: [
                    FixtureFile(oddName, .file(Array("odd".utf8)), mode: 0o600),
                    .file("usr/share/odd/" + String(repeating: "n", count: 255), "long"),
                    .link("usr/share/odd/long-link", to: "/" + String(repeating: "t/", count: 200) + "end"),
                    .directory("usr/share/odd/sticky", mode: 0o3775, uid: 1, gid: 4),
                    .file("usr/share/odd/setuid", "#!/bin/sh\n", mode: 0o4755),
                ]),
            try FixtureKernel.package("linux-image-builtin", modular: false),
            try FixtureKernel.package("linux-image-modular", modular: true),
            FixturePackage("not-a-kernel", files: [.file("boot/vmlinuz-none", "this is no kernel")]),
            FixturePackage(
                "busybox-static", version: "1.35", architecture: "amd64",
                files: [.file("usr/bin/busybox", bytes: FixtureKernel.elf, mode: 0o755)]),
            FixturePackage("extra", files: [.file("usr/share/extra", "extra\n")]),
            FixturePackage(
                "broken",
                scripts: ["postinst": "#!/bin/sh\necho one\necho cannot go on >&2\nexit 3\n"]),
            FixturePackage(
                slow, scripts: ["postinst": "#!/bin/sh\nwhile :; do sleep 1; done\n"]),
            FixturePackage(
                "things",
                files: [
                    .file("usr/share/things/written", "old\n"),
                    .hardLink("usr/share/things/written-too", to: "usr/share/things/written"),
                    .file("usr/share/things/left", "left\n"),
                    .hardLink("usr/share/things/left-too", to: "usr/share/things/left"),
                    .file("usr/share/things/gone", "gone\n"), .file("usr/share/things/other/file", "other\n"),
                    .file("usr/share/things/tree/a/b", "b\n"), .file("usr/share/things/owned", "owned\n"),
                ]),
            // Does what overlayfs does in ways of its own.
            FixturePackage(
                "rearranging",
                files: [.file("usr/share/rearranging", "rearranging\n")],
                scripts: [
                    "preinst": "#!/bin/sh\nset -e\nrm /usr/share/things/gone\n",
                    "postinst": """
                    #!/bin/sh
                    set -e
                    cd /usr/share/things
                    echo new >> written
                    cat written-too > copied
                    rm -r tree && mkdir tree && echo c > tree/c
                    rm -r other && echo file > other
                    chown 4:60000 owned && chmod 4750 owned
                    ln left left-again && mv left-again moved
                    mkfifo pipe && ln -s nowhere link

                    """,
                ]),
            FixturePackage(
                "copier", files: [.file("usr/share/copier/data", "what the script copies\n")],
                scripts: ["postinst": "#!/bin/sh\ncat /usr/share/copier/data > /var/copied\n"]),
            guarded(),
            FixturePackage("lonely", fields: ["Depends": "company (>= 3)"]),
            FixturePackage("company", version: "2.0"),
            FixturePackage("rival", fields: ["Conflicts": "hello"]),
        ]
    }
}

/// A base system made of the host's own dpkg, shell and libraries: enough for maintainer scripts and dpkg to run.
enum HostBase {
    private static let programs = [
        "/usr/bin/dpkg", "/usr/bin/dpkg-deb", "/usr/bin/dpkg-split", "/usr/bin/dpkg-divert", "/usr/bin/dpkg-query",
        "/usr/bin/dpkg-trigger", "/usr/bin/tar", "/usr/bin/rm", "/usr/bin/diff", "/usr/bin/dash", "/usr/bin/mkdir",
        "/usr/bin/chmod", "/usr/bin/cat", "/usr/sbin/ldconfig", "/usr/sbin/start-stop-daemon",
    ]

    static let isPossible = programs.allSatisfy { exists(FilePath($0)) }

    static let architecture =
        (try? shell("dpkg --print-architecture"))?.split(separator: "\n").first.map(String.init) ?? "none"

    static func package() throws -> FixturePackage {
        let more = ["chown", "ln", "mkfifo", "mv", "sleep", "touch"].map { "/usr/bin/" + $0 } + ["/usr/sbin/setcap"]
        let present = programs + more.filter { exists(FilePath($0)) }
        let list = present.joined(separator: " ")
        let libraries = try shell("for p in \(list); do ldd $p; done | grep -o '/[^ ]*' | sort -u")
            .split(separator: "\n").map(String.init).filter { $0.contains(".so") }
        var files = ["proc", "sys", "dev", "run", "root", "tmp"].map { name -> FixtureFile in
            .directory(name, mode: name == "tmp" ? 0o1777 : 0o755)
        }
        for file in present + libraries {
            let path = file.hasPrefix("/usr") ? file : "/usr" + file
            files.append(.file(String(path.dropFirst()), bytes: try readFile(at: FilePath(file)), mode: 0o755))
        }
        files.append(.link("usr/bin/sh", to: "dash"))
        var package = FixturePackage(
            "dpkg", version: "1.21", architecture: architecture, fields: ["Essential": "yes"], files: files)
        package.compression = .gzip
        return package
    }
}
