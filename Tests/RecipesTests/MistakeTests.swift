import Recipes
import RootfsModel
import Testing

/// Each mistake's text is compared whole, with the file Golden/<name>.txt.
@Suite struct MistakesInARecipe {
    /// A name for the golden file, and a recipe: what is below comes after `least`.
    static let single: [(String, String)] = [
        ("unknown-key", "machin: {vcpus: 2}"),
        ("unknown-key-without-likeness", "image: {flavour: sweet}"),
        ("duplicate-key", "hostname: a\ntimezone: UTC\nhostname: b"),
        ("duplicate-key-inside", "services:\n  web: {command: [/bin/a], user: root, user: agent}"),
        ("duplicate-quoted-key", "files:\n  \"/etc/motd\": a\n  '/etc/motd': b\n  /etc/motd: c"),
        ("wrong-type", "layers: system"),
        ("wrong-type-map", "image: [512MiB]"),
        ("single-value-for-list", "remove: /usr/share/doc/*"),
        ("empty-item", "remove: [/usr/share/doc,  ]\nkernel: {modules: [null]}"),
        ("truth-yes", "image: {journal: yes}"),
        ("truth-quoted", "image: {journal: \"true\"}"),
        ("number-octal", "machine: {vcpus: 08}"),
        ("number-quoted", "machine: {vcpus: \"2\"}"),
        ("number-range", "machine: {vcpus: 33}"),
        ("number-sexagesimal", "users: [{name: a, uid: 1:30}]"),
        ("number-huge", "machine: {vcpus: 99999999999999999999}"),
        ("size-without-unit", "machine: {memory: 4096}"),
        ("size-with-short-unit", "machine: {memory: 4G}"),
        ("size-unknown-unit", "machine: {memory: 4 bananas}"),
        ("size-too-large", "image: {free: 9000000TiB}"),
        ("duration-not-whole", "boot: {within: 0.5ms}"),
        ("size-and-free", "image: {free: 512MiB, size: 4GiB}"),
        ("size-of-nothing", "image: {size: 1000B}"),
        (
            "verity-written-to",
            "image: {verity: true, journal: true, free: 1MiB}\nkernel: {file: k, arguments: [rw, root=/dev/vdb]}"
        ),
        ("verity-size", "image: {verity: true, size: 1GiB}"),
        ("size-below-budget", "image: {size: 2GiB, budget: 1GiB}"),
        ("duration-without-unit", "boot: {within: 120}"),
        ("duration-unknown-unit", "boot: {within: 2 seconds}"),
        ("duration-zero", "boot: {within: 0s}"),
        ("nightly", "nightly: {findings: errors, boot: yes, new-setuid: false, size-growth: 10, alow: security}"),
        ("nightly-keep", "nightly: {keep: 8 weeks, size-growth: ten, allow: updates, report: \"\"}"),
        ("nightly-keep-words", "nightly: {keep: 14 days, size-growth: 1001%}"),
        ("nightly-keep-range", "nightly: {keep: {nights: 0, weeks: 1000, days: 3}}"),
        ("mode-decimal", "overlays: [{source: a, mode: {\"*.sh\": 755}}]"),
        ("mode-not-octal", "overlays: [{source: a, mode: {\"*.sh\": \"0798\"}}]"),
        ("overlay-target-relative", "overlays: [{source: a, target: opt/agent}]"),
        ("overlay-target-leaves", "overlays: [{source: a, target: /opt/../..}]"),
        ("owner", "overlays: [{source: a, owner: \"agent:Big Group\"}]"),
        ("kernel-two", "kernel: {package: linux-image-amd64, file: kernels/vmlinuz}"),
        ("kernel-neither", "kernel: {initrd: never}"),
        ("kernel-text", "kernel: linux-image-amd64"),
        ("kernel-word", "kernel: {package: linux-image-amd64, initrd: allways}"),
        ("kernel-module", "kernel: {file: k, modules: [virtio_blk.ko]}"),
        ("kernel-argument", "kernel: {file: k, arguments: [console=ttyS0 panic=1]}"),
        (
            "kernel-argument-quotes",
            "kernel: {file: k, arguments: ['x=\"a b\"', 'x=a\"b', '\"x=a b\"', 'x y=\"a\"', \"x=\\u0001\"]}"
        ),
        ("node-neither", "node: {}"),
        ("kernel-digest", "kernel: {package: linux-image-amd64, sha256: \(String(repeating: "0", count: 64))}"),
        ("node-digest", "node: {archive: {file: node.tar.xz, sha256: abc}}"),
        ("user-name", "users: [{name: Agent}]"),
        ("user-root", "users: [{name: root}]"),
        ("user-twice", "users: [{name: a, uid: 1000}, {name: b, uid: 1000}, {name: a}]"),
        ("user-uid", "users: [{name: a, uid: 33}, {name: b, uid: 61000}, {name: c, uid: 4294967295}]"),
        ("user-shell", "users: [{name: a, shell: bash}]"),
        ("hostname", "hostname: my_host"),
        ("hostname-long", "hostname: \(String(repeating: "a", count: 65))"),
        ("timezone", "timezone: +01:00"),
        ("locale", "locale: \"de DE\""),
        ("label", "image: {label: seventeen letters}"),
        ("file-relative", "files: {etc/motd: hello}"),
        ("file-twice", "files: {/etc/motd: a, /etc//motd: b}"),
        ("remove-relative", "remove: [usr/share/doc/*]"),
        ("remove-all", "remove: [/]"),
        ("service-command-text", "services: {web: {command: /usr/bin/node server.js}}"),
        ("service-command-relative", "services: {web: {command: [node, server.js]}}"),
        ("service-command-missing", "services: {web: {user: root}}"),
        ("service-command-empty", "services: {web: {command: []}}"),
        ("service-empty", "services:\n  web:"),
        ("service-name", "services: {\"web server\": {command: [/bin/a]}}"),
        (
            "service-after-unknown",
            "services: {display: {command: [/bin/a]}, web: {command: [/bin/b], after: [dispaly]}}"
        ),
        ("service-name-with-point", "services: {a.b: {command: [/bin/a]}}"),
        (
            "service-after-units",
            "services: {a: {command: [/bin/a], after: [network.target, network.targt, a.service, \"x y.target\"]}, b: {command: [/bin/b], after: [a.service, zebra]}}"
        ),
        ("service-after-itself", "services: {web: {command: [/bin/b], after: [web]}}"),
        (
            "service-after-circle",
            "services:\n  a: {command: [/bin/a], after: [b]}\n  b: {command: [/bin/b], after: [c]}\n  c: {command: [/bin/c], after: [b]}"
        ),
        (
            "service-restart",
            "services: {web: {command: [/bin/a], restart: {policy: allways, backoff: 30s..1s, limit: 5 per 60s}}}"
        ),
        ("service-restart-units", "services: {web: {command: [/bin/a], restart: {backoff: 1..30, limit: 5 in 60}}}"),
        ("service-ready-none", "services: {web: {command: [/bin/a], ready: {within: 3s}}}"),
        ("service-ready-two", "services: {web: {command: [/bin/a], ready: {tcp: 8080, file: /run/x}}}"),
        ("service-ready-https", "services: {web: {command: [/bin/a], ready: {http: \"https://127.0.0.1/\"}}}"),
        ("service-ready-tcp", "services: {web: {command: [/bin/a], ready: {tcp: 80800}}}"),
        (
            "service-limits",
            "services: {web: {command: [/bin/a], watchdog: 0s, directory: opt, group: Video, resources: {memory: 100kB, files: 3, tasks: many, cpu: 2}}}"
        ),
        (
            "service-ready-words",
            "services: {a: {command: [/bin/a], ready: {command: [test, -e, /x]}}, b: {command: [/bin/b], ready: {console: \"\"}}, c: {command: [/bin/c], ready: {console: \"a\\nb\"}}, d: {command: [/bin/d], ready: {command: []}}}"
        ),
        ("supervisor-words", "supervisor: {trim: [fstrm], log: app.log, health: \"[::1]:80\"}"),
        ("supervisor-trim", "supervisor: {trim: yes, lgo: /x}"),
        ("service-environment", "services: {web: {command: [/bin/a], environment: {MY-NAME: x}}}"),
        ("merge-key", "image: &a {label: x}\nmachine:\n  <<: *a"),
        ("alias-unknown", "hostname: *nam"),
        ("alias-glob", "remove: [*doc/*]"),
        ("alias-key", "image: &a {label: x}\n*a : 1"),
        ("tag", "hostname: !!int 5"),
        ("tab", "image:\n\tlabel: x"),
        ("colon", "description: Chromium: streamed"),
        ("quote-open", "description: \"streamed"),
        ("indentation", "image:\n   label: x\n  free: 1MiB"),
        ("documents", "---\nrecipe: 1"),
        ("list-key", "? [a, b]\n: c"),
        ("variable-undefined", "variables: {fps: 30}\ndescription: at ${fpss} frames"),
        ("variable-unknown", "description: at ${fps} frames"),
        ("variable-unclosed", "description: at ${fps frames"),
        ("variable-in-braces", "variables: {fps: 30}\nfiles: {/etc/fps: ${fps}}"),
        ("variable-name", "variables: {2x: 1, name: y, list: [1]}\ndescription: at ${2x} frames"),
        ("variable-circle", "variables: {a: \"${b}\", b: \"${c}\", c: \"x${b}\"}\ndescription: ${a}"),
        ("variable-duplicate-key", "variables: {x: motd}\nfiles: {\"/etc/${x}\": a, /etc/motd: b}"),
        ("wide-characters", "description: \"日本語\"\nfiles: {\"/etc/größe\": a, ümläut: b}"),
    ]

    @Test(arguments: single.map(\.0))
    func isShownWhole(_ name: String) throws {
        let text = try #require(Self.single.first { $0.0 == name }).1
        // Where the case writes a key of `least` again, it stands in for it.
        let kept = least.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
            guard name == "wrong-type", let key = line.split(separator: ":").first else { return true }
            return !text.hasPrefix(key + ":")
        }
        try expectGolden(mistakes(kept.joined(separator: "\n") + text + "\n") + "\n", name + ".txt")
    }

    static let whole: [(String, String)] = [
        ("nothing", ""),
        ("only-comments", "# nothing\n\n"),
        ("a-list", "- recipe: 1\n"),
        ("a-text", "recipe\n"),
        ("missing-keys", "description: x\n"),
        (
            "missing-suite",
            "recipe: 1\nname: a\narchive:\n  distribution: debian\n  components: [main]\nlayers: [{name: a, packages: [dbus]}]\n"
        ),
        (
            "missing-inside",
            "recipe: 1\nname: a\narchive: {distribution: debian}\nlayers:\n  - packages: [dbus]\n  - {name: empty}\n  - {name: bare, packages: []}\n"
        ),
        ("empty-required", "recipe:\nname:\narchive:\nlayers:\n"),
        ("version", "recipe: 2\nname: a\narchive: {suite: bookworm}\nlayers: [{name: a, packages: [dbus]}]\n"),
        (
            "names",
            "recipe: 1\nname: a/b\narchive: {distribution: arch, suite: \"book worm\", architecture: x86_64, components: [], mirror: deb.example.org, keyring: \"\", exclude: [UsrMerge]}\nlayers: [{name: .a, packages: [dbus]}]\n"
        ),
        (
            "pockets",
            "recipe: 1\nname: a\narchive: {suite: bookworm, pockets: [updates, securty, proposed-updates]}\nlayers: [{name: a, packages: [dbus]}]\n"
        ),
        (
            "packages",
            "recipe: 1\nname: a\narchive: {suite: bookworm}\nlayers:\n  - name: a\n    packages: [Dbus, systemd sysv, x, \"nodejs=\", \"nodejs:amd46\", nodejs:amd64=18.20.4+dfsg-1~deb12u1, 7zip]\n  - name: a\n    packages: dbus\n"
        ),
        (
            "pins",
            """
            recipe: 1
            name: a
            archive:
              suite: bookworm
              pins: {nodejs: "18.*", Redis: 7, openssl: /3.*/, libc6: ">= 2", curl: "", "g++": [1], vim: }
            layers:
              - {name: a, packages: [nodejs/bookworm-backports, "nodejs=1/sid", nodejs/, "nodejs/a b", "Node/sid"]}

            """
        ),
        (
            "extra",
            """
            recipe: 1
            name: a
            archive:
              suite: bookworm
              snapshot: 2026-11-20T00:00:00Z
              extra:
                - {name: one, url: "https://example.org", suite: nodistro, keyring: keys/one.asc, pin: 100}
                - {name: two, url: "https://example.org", suite: ./, keyring: keys/two.asc, snapshot: none}
                - {name: bookworm-updates, url: ../debian, suite: "3.0", keyring: keys/two.asc, snapshot: fixed}
                - {name: one, url: example.org, suite: a, snapshot: live}
            layers: [{name: a, packages: [dbus]}]

            """
        ),
        (
            "extra-without-snapshot",
            """
            recipe: 1
            name: a
            archive:
              suite: bookworm
              extra: [{name: one, url: "https://example.org", suite: a, keyring: keys/one.asc, snapshot: live}]
            layers: [{name: a, packages: [dbus]}]

            """
        ),
        (
            "unsupported",
            """
            recipe: 1
            name: a
            archive:
              suite: bookworm
              pockets: [security, proposed-updates]
            layers:
              - name: browser
                packages: [chromium]
                recommends: true
                run: [{script: scripts/trim.sh}]
            kernel: {package: linux-image-amd64, format: bzImage}
            image: {budget: 1.6GiB, compress: zstd}

            """
        ),
        (
            "many-at-once",
            """
            recipe: 1
            name: browser
            archive: {suite: bookworm, architekture: amd64}
            layers:
              - name: system
                packages: [systemd-sysv, Dbus]
              - name: system
                packages: chromium
            hostname: my_host
            hostname: host
            users:
              - {name: agent, uid: 08, shell: nologin}
            services:
              web:
                command: node server.js
                after: [dispaly]
                ready: {https: "https://127.0.0.1"}
              display: {command: [/usr/bin/Xvfb]}
            image: {label: a label that is too long, free: 512}
            machine: {vcpus: two, memory: 4G}
            description: ${who}

            """
        ),
    ]

    @Test(arguments: whole.map(\.0))
    func ofAWholeFileAreShownWhole(_ name: String) throws {
        let text = try #require(Self.whole.first { $0.0 == name }).1
        try expectGolden(mistakes(text) + "\n", name + ".txt")
    }

    @Test func aFileThatCannotBeReadIsNamed() {
        do throws(Failures) {
            _ = try Recipe.load(path: "recipes/none.manifest") { _ in throw NoSuchFile() }
            Issue.record("read a file that is not there")
        } catch {
            #expect(error.description == "error: cannot read recipes/none.manifest: no such file")
        }
    }

    @Test func noMoreThanAHundredAreShownAndTheRestIsCounted() throws {
        let keys = (0..<250).map { "key\($0): 1" }.joined(separator: "\n")
        do throws(Failures) {
            _ = try load(least + keys)
            Issue.record("accepted unknown keys")
        } catch {
            #expect(error.all.count == 101)
            #expect(error.all[100].description == "error: 150 more mistakes are not shown")
            #expect(error.all[99].location?.line == 104)
        }
    }
}
