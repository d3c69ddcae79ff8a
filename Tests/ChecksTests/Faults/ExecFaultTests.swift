import RootfsModel
import Testing

@testable import Checks

/// An image in which everything is right: a node server under systemd, started by a script, as `agent`.
func goodTree() -> HandmadeTree {
    systemdTree(
        enabled(
            "app-web.service",
            """
            [Service]
            User=agent
            WorkingDirectory=/opt/app
            EnvironmentFile=/etc/web.env
            ExecStart=/opt/app/start.sh --port 80
            """
        ).merging([
            "/opt/app/start.sh": .script(
                "#!/bin/sh\nset -e\nNODE=/usr/bin/node\nexec \"$NODE\" /opt/app/server.js \"$@\"\n"),
            "/opt/app/server.js": .text("console.log(1)\n"), "/etc/web.env": .text("A=1\n"),
            "/usr/bin/node": .bytes(elfBytes(), mode: 0o755), "/usr/bin/dash": .bytes(elfBytes(), mode: 0o755),
            "/usr/bin/sh": .link("dash"), "/usr/bin/env": .bytes(elfBytes(), mode: 0o755),
            "/usr/bin/python3": .bytes(elfBytes(), mode: 0o755),
            "/etc/systemd/journald.conf.d/50-console.conf": .text("[Journal]\nForwardToConsole=yes\n"),
        ]) { $1 })
}

@Suite struct ExecFaultTests {
    static let script = "/opt/app/start.sh"
    static let unit = "/etc/systemd/system/app-web.service"

    static func starts(_ command: String, _ more: String = "") -> [String: HandmadeTree.Entry?] {
        [unit: .text("[Service]\nExecStart=\(command)\n\(more)")]
    }

    static let faults = [
        PlantedFault(
            name: "the incident: a supervisor's script starts node by a path that is not there",
            changes: [
                script: .script(
                    "#!/bin/sh\nwhile true; do\n  /usr/local/bin/node /opt/app/server.js\n  sleep 1\ndone\n")
            ],
            id: "exec/missing", says: "/opt/app/start.sh:3: /usr/local/bin/node /opt/app/server.js"),
        PlantedFault(
            name: "the same in the background of a function",
            changes: [
                script: .script("#!/bin/sh\nstart() {\n  /usr/local/bin/node /opt/app/server.js &\n}\nstart\nwait\n")
            ],
            id: "exec/missing", says: "did you mean /usr/bin/node?"),
        PlantedFault(
            name: "the same by a variable",
            changes: [script: .script("#!/bin/sh\nN=\"${NODE:-/opt/node/bin/node}\"\nexec $N /opt/app/server.js\n")],
            id: "exec/missing", says: "/opt/node/bin/node does not exist"),
        PlantedFault(
            name: "the same in a unit's shell text",
            changes: starts("/bin/sh -c 'exec /usr/local/bin/node /opt/app/server.js'"),
            id: "exec/missing", says: "/bin/sh runs the text"),
        PlantedFault(
            name: "the same behind wrappers", changes: starts("/usr/bin/env A=1 nice -n 5 /usr/local/bin/node x"),
            id: "exec/not-in-path", says: "nice is in no directory"),
        PlantedFault(
            name: "a unit's program", changes: starts("/usr/local/bin/node"), id: "exec/missing",
            says: "the image has /usr/bin/node"),
        PlantedFault(
            name: "a program by a name that nobody has", changes: starts("nood x"), id: "exec/not-in-path",
            says: "nood is in no directory"),
        PlantedFault(
            name: "a relative path", changes: starts("bin/node"), id: "exec/relative", says: "systemd refuses"),
        PlantedFault(
            name: "a link to nothing", changes: ["/usr/bin/node": .link("/opt/node/bin/node")],
            id: "exec/dangling-link", says: "/usr/bin/node is a link to /opt/node/bin/node"),
        PlantedFault(
            name: "a circle of links", changes: ["/usr/bin/node": .link("nodejs"), "/usr/bin/nodejs": .link("node")],
            id: "exec/link-loop", says: "circle"),
        PlantedFault(
            name: "an empty file", changes: ["/usr/bin/node": .script("")], id: "exec/empty", says: "is an empty file"),
        PlantedFault(
            name: "a directory", changes: ["/usr/bin/node": .directory(mode: 0o755)], id: "exec/not-a-file",
            says: "is a directory"),
        PlantedFault(
            name: "a file on the way", changes: starts("/usr/bin/node/bin/node"), id: "exec/missing",
            says: "/usr/bin/node is no directory"),
        PlantedFault(
            name: "a script without its executable bit", changes: [script: .text("#!/bin/sh\n")],
            id: "exec/not-executable", says: "mode 0644"),
        PlantedFault(
            name: "a script for its owner only", changes: [script: .file("#!/bin/sh\n", mode: 0o700)],
            id: "exec/not-executable", says: "may not be executed by agent"),
        PlantedFault(
            name: "a script that cannot be read", changes: [script: .file("#!/bin/sh\n", mode: 0o711)],
            id: "exec/unreadable", says: "cannot be read by agent"),
        PlantedFault(
            name: "a directory that nobody passes", changes: ["/opt/app": .directory(mode: 0o700)],
            id: "exec/unreachable", says: "may not pass through /opt/app"),
        PlantedFault(
            name: "Windows line ends", changes: [script: .script("#!/bin/sh\r\necho\r\n")], id: "exec/shebang-crlf",
            says: "carriage return"),
        PlantedFault(
            name: "a blank before #!", changes: [script: .script(" #!/bin/sh\necho\n")], id: "exec/shebang-misplaced",
            says: "does not begin with #!"),
        PlantedFault(
            name: "no #! at all", changes: [script: .script("echo\n")], id: "exec/format",
            says: "neither an ELF program nor a script"),
        PlantedFault(
            name: "an interpreter that is missing", changes: [script: .script("#!/usr/local/bin/bash\n")],
            id: "exec/interpreter-missing", says: "begins with #!/usr/local/bin/bash"),
        PlantedFault(
            name: "an interpreter behind a link to nothing", changes: ["/usr/bin/sh": .link("bash")],
            id: "exec/interpreter-missing", says: "/usr/bin/sh is a link to bash"),
        PlantedFault(
            name: "a path longer than the kernel reads",
            changes: [script: .script("#!/" + String(repeating: "x", count: 300) + "\n")], id: "exec/shebang-too-long",
            says: "256 bytes"),
        PlantedFault(
            name: "two words for env", changes: [script: .script("#!/usr/bin/env python3 -u\n")],
            id: "exec/shebang-env", says: "#!/usr/bin/env -S python3 -u"),
        PlantedFault(
            name: "env's program", changes: [script: .script("#!/usr/bin/env ruby\n")], id: "exec/not-in-path",
            says: "ruby is in no directory"),
        PlantedFault(
            name: "env -S and its program", changes: [script: .script("#!/usr/bin/env -S A=1 ruby -w\n")],
            id: "exec/not-in-path", says: "ruby is in no directory"),
        PlantedFault(
            name: "an option of env with a word behind it", changes: [script: .script("#!/usr/bin/env -i python3\n")],
            id: "exec/shebang-env", says: "env knows no such option"),
        PlantedFault(
            name: "a script of node below the directory that a script goes to",
            changes: [script: .script("#!/bin/sh\ncd /opt/app && exec node main.js\n")], id: "exec/script-missing",
            says: "node is given main.js"),
        PlantedFault(
            name: "a mount of an ordinary user's", changes: ["/etc/fstab": .text("/dev/vdb /opt ext4 user 0 0\n")],
            id: "exec/noexec", says: "/etc/fstab mounts /opt with noexec"),
        PlantedFault(
            name: "another machine's program", changes: ["/usr/bin/node": .bytes(elfBytes(machine: 183), mode: 0o755)],
            id: "exec/machine", says: "built for aarch64"),
        PlantedFault(
            name: "a script of node that is missing", changes: ["/opt/app/server.js": nil], id: "exec/script-missing",
            says: "node is given /opt/app/server.js"),
        PlantedFault(
            name: "a script of a shell that is missing", changes: starts("/bin/sh /opt/app/run.sh"),
            id: "exec/script-missing", says: "sh is given /opt/app/run.sh"),
        PlantedFault(
            name: "a user who is not there", changes: starts("/usr/bin/node", "User=agnet\n"), id: "exec/user",
            says: "did you mean agent?"),
        PlantedFault(
            name: "a group that is not there", changes: starts("/usr/bin/node", "Group=nobodies\n"), id: "exec/group",
            says: "/etc/group has no nobodies"),
        PlantedFault(
            name: "a working directory that is not there",
            changes: starts("/usr/bin/node", "WorkingDirectory=/srv/app\n"), id: "exec/working-directory",
            says: "/srv/app does not exist"),
        PlantedFault(
            name: "an environment file that is not there", changes: ["/etc/web.env": nil], id: "exec/environment-file",
            says: "/etc/web.env does not exist"),
        PlantedFault(
            name: "a mount without execution", changes: ["/etc/fstab": .text("/dev/vdb /opt ext4 noexec 0 0\n")],
            id: "exec/noexec", says: "/etc/fstab mounts /opt with noexec"),
        PlantedFault(
            name: "an empty mount over the program", changes: ["/etc/fstab": .text("none /opt tmpfs rw 0 0\n")],
            id: "exec/hidden", says: "mounts an empty tmpfs on /opt"),
        PlantedFault(
            name: "a start command that may not fail",
            changes: starts("/usr/bin/node", "ExecStartPre=/usr/bin/prepare\n"), id: "exec/missing",
            says: "ExecStartPre=/usr/bin/prepare"),
        PlantedFault(
            name: "a start command that may fail", changes: starts("/usr/bin/node", "ExecStartPre=-/usr/bin/prepare\n"),
            id: "exec/missing", severity: .warning, says: "/usr/bin/prepare does not exist"),
        PlantedFault(
            name: "a drop-in's program",
            changes: ["/etc/systemd/system/app-.service.d/x.conf": .text("[Service]\nExecStartPost=/usr/lib/ready\n")],
            id: "exec/missing", says: "/etc/systemd/system/app-.service.d/x.conf:2"),
        PlantedFault(
            name: "two start commands", changes: starts("/usr/bin/node\nExecStart=/usr/bin/node x"), id: "exec/refused",
            says: "it has 2 commands in ExecStart="),
        PlantedFault(
            name: "a quote that is not closed", changes: starts("/usr/bin/node 'x"), id: "exec/refused",
            says: "a quote is not closed"),
        PlantedFault(
            name: "no start command", changes: [unit: .text("[Service]\nUser=agent\n")], id: "exec/refused",
            says: "it has no ExecStart="),
        PlantedFault(
            name: "a oneshot that is always restarted",
            changes: starts("/usr/bin/node", "Type=oneshot\nRestart=always\n"),
            id: "exec/refused", says: "Type=oneshot with Restart=always"),
        PlantedFault(
            name: "a program behind a file that is read in",
            changes: [
                script: .script("#!/bin/sh\n. /opt/app/settings\nexec /usr/local/bin/node\n"),
                "/opt/app/settings": .text("A=1\n"),
            ], id: "exec/missing", says: "/usr/local/bin/node does not exist"),
        PlantedFault(
            name: "a program that runs in some case only",
            changes: [script: .script("#!/bin/sh\nif [ $# = 0 ]; then exec /opt/none; else exec /usr/bin/node; fi\n")],
            id: "exec/missing", severity: .warning, says: "/opt/none does not exist"),
        PlantedFault(
            name: "an empty mount over the script",
            changes: starts("/usr/bin/node /opt/app/server.js").merging([
                "/etc/fstab": .text("none /opt tmpfs rw 0 0\n")
            ]) { $1 },
            id: "exec/hidden", says: "/opt/app/server.js is not seen"),
    ]

    func findings(_ tree: HandmadeTree) throws -> [Finding] {
        try check(tree.subject()).filter { $0.id.hasPrefix("exec/") }
    }

    @Test func `nothing is said of the good tree`() throws {
        #expect(try findings(goodTree()) == [])
    }

    @Test(arguments: faults) func `a planted fault is found`(fault: PlantedFault) throws {
        let first = try fault.expectFound(in: findings(goodTree().with(fault.changes)), alsoInRemedy: true)
        #expect(first.service == "app-web.service")
    }

    static let sudo: [String: HandmadeTree.Entry?] = ["/usr/bin/sudo": .bytes(elfBytes(), mode: 0o755)]

    static let good: [String: [String: HandmadeTree.Entry?]] = [
        "a script that asks first": [
            script: .script(
                "#!/bin/sh\nif [ -x /usr/local/bin/node ]; then exec /usr/local/bin/node x; fi\n[ -x /opt/x ] && /opt/x\ncommand -v foo >/dev/null && foo\n/usr/bin/node\n"
            )
        ],
        "a package's script that may be through before": starts("/usr/share/web/start").merging([
            "/usr/share/web/start": .script("#!/bin/sh\nquit() { exit 0; }\ntest -e /sys/x || quit\n/sbin/none\n")
        ]) { $1 },
        "several commands of a oneshot": starts(
            "/usr/bin/node\nExecStart=/usr/bin/node /opt/app/server.js", "Type=oneshot\n"),
        "a script that asks for a variable's program": [
            script: .script("#!/bin/sh\nBIN=/usr/sbin/none\n[ -x \"$BIN\" ] || exit 0\n$BIN\n")
        ],
        "a text of perl": starts("/usr/bin/perl -ne print").merging(["/usr/bin/perl": .bytes(elfBytes(), mode: 0o755)])
        {
            $1
        },
        "bash's tests": [
            script: .script("#!/bin/bash\n[[ $1 =~ ^(start|stop)$ ]] && echo\n(( i++ ))\nexec /usr/bin/node\n"),
            "/usr/bin/bash": .link("dash"),
        ],
        "a file that is read in": [
            script: .script("#!/bin/sh\n. /opt/app/functions\nlog_line\n"),
            "/opt/app/functions": .text("log_line() { :; }\n"),
        ],
        "a program made at boot": starts("/run/app/web"),
        "a user made at boot": starts("/usr/bin/node", "User=made\n").merging([
            "/usr/lib/sysusers.d/made.conf": .text("u made - - -\n"),
            "/usr/bin/systemd-sysusers": .script("#!/bin/sh\n"),
        ]) { $1 },
        "a user made at the start": starts(
            "/usr/bin/node", "DynamicUser=yes\nUser=made\nStateDirectory=made\nWorkingDirectory=/var/lib/made\n"),
        "a directory made at boot": starts("/usr/bin/node", "WorkingDirectory=/var/lib/made\n").merging([
            "/usr/lib/tmpfiles.d/made.conf": .text("d /var/lib/made 0755 root root\n")
        ]) { $1 },
        "an optional environment file": starts(
            "/usr/bin/node", "EnvironmentFile=-/etc/none\nWorkingDirectory=-/none\n"),
        "a root of its own": starts("/srv/bin", "RootDirectory=/srv/root\n"),
        "a module without its ending": starts("/usr/bin/node /opt/app/server"),
        "a program of the text, not of a file": starts("/usr/bin/python3 -m http.server"),
        "arguments that look like paths": starts("/usr/bin/node --require /opt/x /opt/app/server.js /opt/none"),
        "a lone dash behind the shell": [script: .script("#!/bin/sh -\nexec /usr/bin/node\n")],
        "values of node's options": starts(
            "/usr/bin/node --title web --dns-result-order ipv4first --stack-trace-limit 50 /opt/app/server.js"),
        "a directory that systemd searches": starts("tool", "ExecSearchPath=/opt/app:/opt/bin\n").merging([
            "/opt/bin/tool": .bytes(elfBytes(), mode: 0o755)
        ]) { $1 },
        "assignments behind sudo": starts("/usr/bin/sudo -u agent A=1 node").merging(sudo) { $1 },
        "letters behind one dash": starts("/usr/bin/sudo -Hu agent node").merging(sudo) { $1 },
        "a long option's value": starts("/usr/bin/sudo --user agent node").merging(sudo) { $1 },
        "a file below the directory that a script goes to": [
            script: .script("#!/bin/sh\ncd /opt/app && exec node server.js\n")
        ],
        "a directory that a subshell goes to": [
            script: .script("#!/bin/sh\n(cd /tmp && true)\nexec node server.js\n")
        ],
        "a shell's own words": [
            script: .script(
                "#!/bin/sh\ncd /tmp\numask 022\ntrap 'exit' TERM\nfor i in 1 2; do nothing-there; done\nf() { not-called; }\nexec /usr/bin/node\n"
            )
        ],
    ]

    @Test(arguments: good.keys.sorted()) func `what is right gives no error`(name: String) throws {
        let found = try findings(goodTree().with(Self.good[name] ?? [:]))
        #expect(found.filter { $0.severity == .error } == [])
    }

    @Test func `an enabled service without a unit is a warning`() throws {
        let link = "/etc/systemd/system/multi-user.target.wants/gone.service"
        let found = try findings(goodTree().with([link: .link("/etc/systemd/system/gone.service")]))
        #expect(found.map(\.id) == ["exec/unit-missing"])
        #expect(found.map(\.severity) == [.warning])
    }

    @Test func `a script that starts itself with ever more words comes to an end`() throws {
        let calls = (0..<12).map { "\"$0\" \"$@\" \($0)\n" }.joined()
        let tree = goodTree().with([Self.script: .script("#!/bin/sh\n/none\n" + calls)])
        #expect(try findings(tree).count <= ExecChain.mostPrograms)
    }

    @Test func `a value that doubles and doubles is not worked out`() throws {
        let lines = (0..<64).map { "V\($0 + 1)=$V\($0)$V\($0)\n" }.joined()
        let tree = goodTree().with([Self.script: .script("#!/bin/sh\nV0=xxxxxxxx\n\(lines)exec $V64\n")])
        #expect(try findings(tree) == [])
    }

    @Test func `scripts that start each other come to an end`() throws {
        let tree = goodTree().with([
            Self.script: .script("#!/opt/app/b\n/opt/app/start.sh\n"),
            "/opt/app/b": .script("#!/opt/app/start.sh\n/opt/app/b\n"),
        ])
        #expect(try findings(tree).count < 10)
    }
}
