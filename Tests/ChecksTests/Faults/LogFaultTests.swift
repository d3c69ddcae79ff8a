import Checks
import RootfsModel
import Testing

@Suite struct LogFaultTests {
    static let script = "/opt/app/start.sh"
    static let journald = "/etc/systemd/journald.conf.d/50-console.conf"
    static let dropIn = "/etc/systemd/system/app-web.service.d/own.conf"
    static let arguments = ["console=ttyS0", "reboot=k", "panic=1", "quiet", "loglevel=3"]

    static let faults = [
        PlantedFault(
            name: "journald keeps everything", changes: [journald: nil], id: "log/unseen",
            says: "journald forwards nothing to the console"),
        PlantedFault(
            name: "journald forwards too little",
            changes: [journald: .text("[Journal]\nForwardToConsole=yes\nMaxLevelConsole=crit\n")], id: "log/unseen",
            says: "which does not pass"),
        PlantedFault(
            name: "journald forwards to a screen",
            changes: [journald: .text("[Journal]\nForwardToConsole=yes\nTTYPath=/dev/tty12\n")], id: "log/unseen",
            says: "/dev/tty12 is no console"),
        PlantedFault(
            name: "a file of the machine and no forwarding",
            changes: [journald: nil, dropIn: .text("[Service]\nStandardOutput=append:/var/log/web.log\n")],
            id: "log/unseen", says: "/var/log/web.log"),
        PlantedFault(
            name: "null", changes: [dropIn: .text("[Service]\nStandardOutput=null\n")], id: "log/words-lost",
            severity: .warning, says: "/dev/null"),
        PlantedFault(
            name: "a supervisor that swallows",
            changes: [script: .script("#!/bin/sh\n/usr/bin/node /opt/app/server.js >/dev/null 2>&1 &\nwait\n")],
            id: "log/swallowed", says: "its output leads to /dev/null, its errors to /dev/null"),
        PlantedFault(
            name: "a supervisor that writes to a tmpfs",
            changes: [script: .script("#!/bin/sh\n/usr/bin/node /opt/app/server.js &>/run/web.log &\nwait\n")],
            id: "log/swallowed", says: "its output leads to /run/web.log"),
        PlantedFault(
            name: "a script that hides itself",
            changes: [script: .script("#!/bin/sh\nexec >/dev/null 2>&1\nexec /usr/bin/node /opt/app/server.js\n")],
            id: "log/words-lost", severity: .warning, says: "not what it says itself"),
        PlantedFault(
            name: "lines below what is forwarded",
            changes: [journald: .text("[Journal]\nForwardToConsole=yes\nMaxLevelConsole=notice\n")],
            id: "log/words-lost", severity: .warning, says: "at level 6 of 7"),
    ]

    static func rsyslog(_ text: String) -> [String: HandmadeTree.Entry?] {
        [
            "/etc/rsyslog.d/own.conf": .text(text), "/usr/sbin/rsyslogd": .bytes(elfBytes(), mode: 0o755),
            "/usr/lib/systemd/system/rsyslog.service": .text("[Service]\nExecStart=/usr/sbin/rsyslogd -n\n"),
            "/etc/systemd/system/multi-user.target.wants/rsyslog.service": .link(
                "/usr/lib/systemd/system/rsyslog.service"),
        ]
    }

    func findings(_ tree: HandmadeTree, arguments: [String] = arguments) throws -> [Finding] {
        try check(tree.subject(kernel: .init(arguments: arguments))).filter { $0.id.hasPrefix("log/") }
    }

    @Test func `nothing is said of the good tree`() throws {
        #expect(try findings(goodTree()) == [])
    }

    @Test(arguments: faults) func `a planted fault is found`(fault: PlantedFault) throws {
        try fault.expectFound(in: findings(goodTree().with(fault.changes)))
    }

    @Test func `a kernel without a console is found`() throws {
        for (arguments, id, severity) in [
            (["reboot=k", "panic=1"], "log/no-console", Severity.error),
            ([], "log/no-console", .warning),
            (["console=ttyS0", "8250.nr_uarts=0"], "log/serial-off", .error),
            (["console=ttyS0", "console=tty0"], "log/no-console", .error),
        ] {
            let found = try findings(goodTree(), arguments: arguments)
            #expect(found.map(\.id) == [id])
            #expect(found.map(\.severity) == [severity])
        }
        #expect(try findings(goodTree(), arguments: ["console=tty0", "console=ttyS0,115200"]) == [])
    }

    @Test func `there are other ways out`() throws {
        let none: [String: HandmadeTree.Entry?] = [Self.journald: nil]
        func errors(_ changes: [String: HandmadeTree.Entry?], arguments: [String] = Self.arguments) throws -> [Finding]
        {
            try findings(goodTree().with(none.merging(changes) { $1 }), arguments: arguments).filter {
                $0.severity == .error
            }
        }
        #expect(try errors([:], arguments: Self.arguments + ["systemd.journald.forward_to_console"]).isEmpty)
        let quiet = HandmadeTree.Entry.text("[Journal]\nForwardToConsole=yes\nMaxLevelConsole=notice\n")
        let level = HandmadeTree.Entry.text("[Service]\nSyslogLevel=notice\n")
        #expect(try findings(goodTree().with([Self.journald: quiet, Self.dropIn: level])) == [])
        let syslog = Self.rsyslog("*.* @@logs.example:514\n")
        #expect(try errors(syslog).isEmpty)
        #expect(try !errors(Self.rsyslog("*.* /var/log/all\n")).isEmpty)
        #expect(try errors([Self.dropIn: .text("[Service]\nStandardError=journal+console\n")]).isEmpty)
        #expect(try errors([Self.dropIn: .text("[Service]\nStandardOutput=tty\nTTYPath=/dev/ttyS0\n")]).isEmpty)
        #expect(
            try errors([Self.journald: .text("[Journal]\nForwardToKMsg=yes\n")], arguments: ["console=ttyS0"]).isEmpty)
    }

    /// The good tree with a package's units instead of its own, and a journal that stays in the machine.
    static func packaged(_ units: [String: String]) -> HandmadeTree {
        var changes: [String: HandmadeTree.Entry?] = [journald: nil, "/etc/systemd/system/app-web.service": nil]
        for (name, text) in units {
            changes["/usr/lib/systemd/system/\(name)"] = .text(text)
            changes["/etc/systemd/system/multi-user.target.wants/\(name)"] = .link("/usr/lib/systemd/system/\(name)")
        }
        return goodTree().with(changes)
    }

    @Test func `units of packages that run on are one error for the image`() throws {
        let tree = Self.packaged([
            "web.service": "[Service]\nExecStart=/usr/bin/node\n",
            "bus.service": "[Service]\nType=notify\nExecStart=/usr/bin/env\n",
            "once.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/env\n",
        ])
        let found = try findings(tree)
        #expect(found.map(\.id) == ["log/journal-only"])
        #expect(found.map(\.severity) == [.error])
        #expect(
            found[0].message
                == "the death of 2 services of packages leaves no byte outside of the machine: bus.service, web.service"
        )
        #expect(found[0].reasons.contains { $0.contains("no ForwardToConsole=yes") })
        #expect(found[0].reasons.last == "what these do at boot stays there too: once.service")
        let forwarded = HandmadeTree.Entry.text("[Journal]\nForwardToConsole=yes\nMaxLevelConsole=notice\n")
        #expect(try findings(tree.with([Self.journald: forwarded])) == [])
    }

    @Test func `what is through with its work, and the manager's own, are a warning`() throws {
        let found = try findings(
            Self.packaged([
                "once.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/env\n",
                "systemd-timesyncd.service": "[Service]\nExecStart=!!/usr/lib/systemd/systemd-timesyncd\n",
                "systemd-ask-password-wall.service": "[Service]\nExecStart=systemd-tty-ask-password-agent --wall\n",
                "getty@tty1.service": "[Service]\nExecStart=-/sbin/agetty -\nStandardInput=tty\nTTYPath=/dev/%I\n",
            ]))
        #expect(found.map(\.id) == ["log/journal-only"])
        #expect(found.map(\.severity) == [.warning])
        #expect(found[0].message == "what 4 units of packages say stays in the machine")
    }

    @Test func `a script that is init and hides what it starts is an error`() throws {
        let tree = HandmadeTree([
            "/sbin/init": .script("#!/bin/sh\nexec /usr/bin/node /x.js >/var/log/x 2>&1\n"),
            "/bin/sh": .bytes(elfBytes(), mode: 0o755), "/usr/bin/node": .bytes(elfBytes(), mode: 0o755),
            "/x.js": .text(""), "/var/log": .directory(mode: 0o755),
        ])
        #expect(try findings(tree).map(\.id) == ["log/unseen"])
    }
}
