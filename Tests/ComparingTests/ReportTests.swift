import RootfsModel
import Testing

@testable import Comparing

/// Ten pairs that differ in one known way each: what is told of them is a golden file.
@Suite struct ReportTests {
    static let settings = ["hostname": "\"web\"", "users": "[]", "services.web": "{\"command\":[\"/usr/bin/web\"]}"]

    static let base = HandmadeSide(
        entries: [
            "etc/passwd": .file("root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/usr/sbin/nologin\n"),
            "etc/group": .file("root:x:0:\ndaemon:x:1:\n"),
            "etc/shadow": .file("root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n", mode: 0o640, gid: 42),
            "etc/web.conf": .file("listen = 80\nworkers = 2\nlog = yes\n"),
            "etc/ld.so.cache": .bytes([1, 0, 2]),
            "etc/systemd/system/app-web.service": .file(
                "[Service]\nExecStart=/usr/bin/web\nNoNewPrivileges=yes\nProtectSystem=strict\n"),
            "etc/systemd/system/multi-user.target.wants/app-web.service": .link("../app-web.service"),
            "usr/bin/web": .file("web program, version 1\n", mode: 0o755),
            "usr/bin/tool": .file("tool\n", mode: 0o755),
            "usr/lib/libweb.so.1.0": .file("library, version 1\n"),
            "usr/lib/libweb.so.1": .link("libweb.so.1.0"),
            "usr/share/doc/libweb1/copyright": .file("free\n"),
            "var/lib/dpkg/info/libweb1.md5sums": .file("0  usr/lib/libweb.so.1.0\n"),
            "var/lib/dpkg/status": .file("Package: libweb1\nVersion: 1.0-1\n"),
            "opt/site/index.html": .file("<p>one</p>\n"),
            "opt/site/style.css": .file("p { color: red }\n"),
        ],
        packages: [
            .init(name: "libweb1", version: "1.0-1", architecture: "amd64", source: "web"),
            .init(name: "web", version: "1.0-1", architecture: "amd64"),
            .init(name: "tool", version: "3", architecture: "all"),
        ],
        lists: [
            "libweb1": [
                "/usr", "/usr/lib", "/usr/lib/libweb.so.1.0", "/usr/lib/libweb.so.1",
                "/usr/share/doc/libweb1/copyright",
            ], "web": ["/usr", "/usr/bin", "/usr/bin/web", "/etc/web.conf"], "tool": ["/usr/bin/tool"],
        ],
        services: [
            .init(
                name: "app-web.service", command: ["/usr/bin/web"], user: "root",
                members: [
                    "usr/bin/web": "program", "usr/lib/libweb.so.1.0": "library",
                    "etc/systemd/system/app-web.service": "unit",
                ])
        ],
        kernel: .init(
            release: "6.1.0-1", package: "linux-image-6.1.0-1 6.1.1-1",
            options: ["CONFIG_EXT4_FS": "y", "CONFIG_HZ": "250"],
            arguments: ["console=ttyS0"], digest: "sha256:1", initrd: nil),
        inputs: .init(
            settings: settings,
            overlays: [.init(name: "overlays/site", target: "opt/site", digest: "sha256:1")]), moment: 2000)

    /// What each pair is, by name.
    static let pairs: [(name: String, new: HandmadeSide)] = {
        var pairs = [(String, HandmadeSide)]()
        var upgraded = base.with([
            "usr/lib/libweb.so.1.0": nil, "usr/lib/libweb.so.1.1": .file("library, version 1.1, longer\n"),
            "usr/lib/libweb.so.1": .link("libweb.so.1.1"), "etc/ld.so.cache": .bytes([1, 0, 3]),
            "var/lib/dpkg/info/libweb1.md5sums": .file("1  usr/lib/libweb.so.1.1\n"),
            "var/lib/dpkg/status": .file("Package: libweb1\nVersion: 1.1-1\n"),
        ])
        upgraded.packages[0] = .init(
            name: "libweb1", version: "1.1-1", architecture: "amd64", source: "web", isFromSecurity: true)
        upgraded.lists["libweb1"] = [
            "/usr", "/usr/lib", "/usr/lib/libweb.so.1.1", "/usr/lib/libweb.so.1", "/usr/share/doc/libweb1/copyright",
        ]
        upgraded.changelogs["libweb1"] = """
            web (1.1-1) bookworm-security; urgency=high

              * Fix a buffer overflow (CVE-2026-12345).
              * Refuse names that are too long
                for their field.

             -- A Maintainer <a@example.org>  Thu, 01 Jan 2026 00:00:00 +0000

            web (1.0-1) bookworm; urgency=low

              * First.

             -- A Maintainer <a@example.org>  Wed, 01 Jan 2025 00:00:00 +0000

            """
        upgraded.services?[0].members = [
            "usr/bin/web": "program", "usr/lib/libweb.so.1.1": "library", "etc/systemd/system/app-web.service": "unit",
        ]
        upgraded.moment = 3000
        pairs.append(("package-upgraded", upgraded))

        pairs.append(
            (
                "file-patched",
                base.with([
                    "etc/web.conf": .file("listen = 8080\nworkers = 2\nlog = yes\n"),
                    "usr/bin/web": .file("web program, patched\n", mode: 0o755),
                ])
            ))
        pairs.append(("mode-changed", base.with(["usr/bin/tool": .file("tool\n", mode: 0o4777)])))
        pairs.append(
            (
                "capability-added",
                base.with([
                    "usr/bin/web": .file(
                        "web program, version 1\n", mode: 0o755,
                        capability: [1, 0, 0, 2, 0, 0x24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
                ])
            ))

        var user = base.with([
            "etc/passwd": .file(
                "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/usr/sbin/nologin\nann:x:1000:1000::/home/ann:/bin/bash\n"
            ),
            "etc/group": .file("root:x:0:\ndaemon:x:1:\nann:x:1000:\n"),
            "etc/shadow": .file(
                "root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\nann:$6$secret:19000:0:99999:7:::\n",
                mode: 0o640,
                gid: 42),
            "home/ann": .directory(mode: 0o700, uid: 1000), "home/ann/.profile": .file("umask 022\n", uid: 1000),
            "home/ann/.ssh/authorized_keys": .file("ssh-ed25519 AAAA ann\n", mode: 0o600, uid: 1000),
        ])
        user.inputs?.settings["users"] = "[{\"name\":\"ann\"}]"
        pairs.append(("user-added", user))

        var disabled = base.with([
            "etc/systemd/system/multi-user.target.wants/app-web.service": nil,
            "etc/systemd/system/app-web.service": .file("[Service]\nExecStart=/usr/bin/web\nProtectSystem=yes\n"),
        ])
        disabled.services = []
        disabled.inputs?.settings["services.web"] = "{\"command\":[\"/usr/bin/web\"],\"restart\":\"never\"}"
        pairs.append(("unit-disabled", disabled))

        var overlay = base.with(["opt/site/index.html": nil, "opt/site/style.css": nil])
        overlay.inputs?.overlays = []
        pairs.append(("overlay-removed", overlay))

        var kernel = base
        kernel.kernel = .init(
            release: "6.1.0-2", package: "linux-image-6.1.0-2 6.1.2-1",
            options: ["CONFIG_EXT4_FS": "m", "CONFIG_HZ": "250", "CONFIG_VIRTIO_BLK": "y"],
            arguments: ["console=ttyS0", "quiet"], digest: "sha256:2", initrd: "sha256:3")
        kernel.entries["usr/lib/modules/6.1.0-2/kernel/fs/ext4/ext4.ko"] = .file("module")
        pairs.append(("kernel-changed", kernel))

        pairs.append(("link-retargeted", base.with(["usr/lib/libweb.so.1": .link("/tmp/libweb.so")])))
        var times = base.with([
            "usr/bin/tool": .file("tool\n", mode: 0o755, time: 2500),
            "opt/site/index.html": .file("<p>one</p>\n", time: 2500),
        ])
        times.moment = 2500
        pairs.append(("only-times", times))
        return pairs
    }()

    @Test(arguments: pairs.map(\.name)) func aKnownChangeIsToldAsItWasRead(name: String) throws {
        let pair = try #require(Self.pairs.first { $0.name == name })
        let result = try comparison(Self.base, pair.new)
        try expectGolden(result.text(), "\(name).txt")
        #expect(!result.isIdentical)
        #expect(result.counts.causes.reduce(0) { $0 + $1.paths } == result.counts.paths)
        #expect(result.counts.added + result.counts.removed + result.counts.changed == result.counts.paths)
    }

    @Test func theMarkdownOfAnUpgradeIsAsItWasRead() throws {
        let pair = try #require(Self.pairs.first { $0.name == "package-upgraded" })
        try expectGolden(try comparison(Self.base, pair.new).markdown(), "package-upgraded.md")
    }

    @Test func theSameIsIdentical() throws {
        let result = try comparison(Self.base, Self.base)
        #expect(result.isIdentical)
        #expect(result.text().contains("nothing differs"))
    }

    /// A golden image has no change without a cause.
    @Test(arguments: [
        "package-upgraded", "user-added", "unit-disabled", "overlay-removed", "kernel-changed", "only-times",
    ])
    func whatABuildDoesIsExplained(name: String) throws {
        let pair = try #require(Self.pairs.first { $0.name == name })
        #expect(try comparison(Self.base, pair.new).notExplained == [])
    }

    @Test(arguments: ["file-patched", "mode-changed", "capability-added", "link-retargeted"])
    func whatNobodyDidIsNotExplained(name: String) throws {
        let pair = try #require(Self.pairs.first { $0.name == name })
        #expect(try !comparison(Self.base, pair.new).notExplained.isEmpty)
    }

    @Test func aPasswordsHashIsNeverTold() throws {
        let pair = try #require(Self.pairs.first { $0.name == "user-added" })
        for options in [ComparisonOptions(), ComparisonOptions(patchesAll: true)] {
            let result = try comparison(Self.base, pair.new, options: options)
            #expect(!result.text(.patch).contains("secret:"))
            #expect(!result.markdown().contains("$6$"))
        }
    }
}
