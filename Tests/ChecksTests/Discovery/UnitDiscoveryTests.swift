import Checks
import RootfsModel
import Testing

/// A tree with systemd as init, its targets, and these besides.
func systemdTree(_ entries: [String: HandmadeTree.Entry] = [:]) -> HandmadeTree {
    HandmadeTree([
        "/usr/lib/systemd/systemd": .bytes(elfBytes(), mode: 0o755),
        "/usr/sbin/init": .link("../lib/systemd/systemd"),
        "/sbin": .link("usr/sbin"), "/bin": .link("usr/bin"), "/lib": .link("usr/lib"),
        "/usr/bin": .directory(mode: 0o755),
        "/usr/lib/systemd/system/default.target": .link("multi-user.target"),
        "/usr/lib/systemd/system/multi-user.target": .text("[Unit]\nRequires=basic.target\n"),
        "/usr/lib/systemd/system/basic.target": .text(
            "[Unit]\nRequires=sysinit.target\nWants=sockets.target timers.target\n"),
        "/usr/lib/systemd/system/sysinit.target": .text("[Unit]\nDescription=System Initialization\n"),
        "/usr/lib/systemd/system/sockets.target": .text("[Unit]\nDescription=Sockets\n"),
        "/usr/lib/systemd/system/timers.target": .text("[Unit]\nDescription=Timers\n"),
        "/etc/passwd": .text("root:x:0:0::/root:/bin/sh\nagent:x:1000:1000::/home/agent:/bin/sh\n"),
        "/etc/group": .text("root:x:0:\nagent:x:1000:\nvideo:x:44:agent\n"),
        "/tmp": .directory(mode: 0o1777), "/root": .directory(mode: 0o700),
        "/home/agent": .directory(mode: 0o755, uid: 1000), "/var/log": .directory(mode: 0o755),
    ]).with(entries.mapValues { $0 })
}

/// The entries that enable a unit of this text.
func enabled(_ name: String, _ text: String) -> [String: HandmadeTree.Entry] {
    [
        "/etc/systemd/system/\(name)": .text(text),
        "/etc/systemd/system/multi-user.target.wants/\(name)": .link("../\(name)"),
    ]
}

/// The header of an ELF program for x86-64 without anything in it.
func elfBytes(machine: UInt8 = 62) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 64)
    bytes.replaceSubrange(0..<7, with: [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
    bytes[16] = 2
    bytes[18] = machine
    bytes[20] = 1
    bytes[52] = 64
    bytes[54] = 56
    bytes[58] = 64
    return bytes
}

@Suite struct UnitDiscoveryTests {
    func services(_ entries: [String: HandmadeTree.Entry]) throws -> [Service] {
        try systemdTree(entries).subject().services
    }

    func service(_ text: String, _ more: [String: HandmadeTree.Entry] = [:]) throws -> Service {
        let found = try services(enabled("app-web.service", text).merging(more) { $1 })
        return try #require(found.first { $0.name == "app-web.service" })
    }

    @Test func `an enabled unit is a service, one that lies about is not`() throws {
        let found = try services(
            enabled("app-web.service", "[Service]\nExecStart=/usr/bin/web\n").merging([
                "/usr/lib/systemd/system/other.service": .text("[Service]\nExecStart=/usr/bin/other\n")
            ]) { $1 })
        #expect(found.map(\.name) == ["app-web.service"])
        #expect(found[0].commands.map(\.words) == [["/usr/bin/web"]])
        #expect(found[0].commands[0].location?.line == 2)
        #expect(found[0].output == .journal)
        #expect(found[0].errors == .journal)
    }

    @Test func `a masked unit and one whose condition fails are not started`() throws {
        var entries = enabled("app-web.service", "[Service]\nExecStart=/usr/bin/web\n")
        entries["/etc/systemd/system/app-web.service"] = .link("/dev/null")
        #expect(try services(entries).isEmpty)
        let condition = "[Unit]\nConditionPathExists=/etc/web.conf\n[Service]\nExecStart=/usr/bin/web\n"
        #expect(try services(enabled("app-web.service", condition)).isEmpty)
        let other =
            "[Unit]\nConditionPathExists=|/etc/web.conf\nConditionPathExists=|!/etc/off\n[Service]\nExecStart=/x\n"
        #expect(try services(enabled("app-web.service", other)).count == 1)
    }

    @Test func `sockets, timers and wanted targets start services`() throws {
        let found = try services([
            "/usr/lib/systemd/system/a.socket": .text("[Socket]\nListenStream=/run/a\n"),
            "/usr/lib/systemd/system/a.service": .text("[Service]\nExecStart=/usr/bin/a\n"),
            "/usr/lib/systemd/system/sockets.target.wants/a.socket": .link("../a.socket"),
            "/usr/lib/systemd/system/b.timer": .text("[Timer]\nUnit=c.service\n"),
            "/usr/lib/systemd/system/c.service": .text("[Unit]\nWants=d@x.service\n[Service]\nExecStart=/usr/bin/c\n"),
            "/etc/systemd/system/timers.target.wants/b.timer": .link("/usr/lib/systemd/system/b.timer"),
            "/usr/lib/systemd/system/d@.service": .text("[Service]\nExecStart=/usr/bin/d %i %n %p\n"),
        ])
        #expect(found.map(\.name) == ["a.service", "c.service", "d@x.service"])
        #expect(found[2].commands[0].words == ["/usr/bin/d", "x", "d@x.service", "d"])
    }

    @Test func `an alias leads to the unit behind it`() throws {
        let found = try services([
            "/usr/lib/systemd/system/real.service": .text("[Service]\nExecStart=/usr/bin/real\n"),
            "/etc/systemd/system/alias.service": .link("/usr/lib/systemd/system/real.service"),
            "/etc/systemd/system/multi-user.target.wants/alias.service": .link("../alias.service"),
            "/etc/systemd/system/multi-user.target.wants/real.service": .link("../real.service"),
        ])
        #expect(found.map(\.name) == ["real.service"])
    }

    @Test func `drop-ins of the unit, its prefix and all services count in the order of their names`() throws {
        let web = try service(
            "[Service]\nExecStart=/usr/bin/web\nUser=root\n",
            [
                "/etc/systemd/system/app-.service.d/10-visible.conf": .text(
                    "[Service]\nStandardOutput=null\nExecStopPost=-+/usr/lib/report %n\n"),
                "/etc/systemd/system/service.d/50-all.conf": .text("[Service]\nUser=agent\n"),
                "/etc/systemd/system/app-web.service.d/90-own.conf": .text(
                    "[Service]\nExecStart=\nExecStart=/usr/bin/other\n"),
            ])
        #expect(web.user == "agent")
        #expect(web.output == .null)
        #expect(web.commands.map(\.words) == [["/usr/bin/other"], ["/usr/lib/report", "app-web.service"]])
        #expect(web.commands[1].mayFail)
        #expect(web.commands[1].runsAsRoot)
        #expect(web.environment["HOME"] == "/home/agent")
    }

    @Test func `words, variables and lines are systemd's`() throws {
        let web = try service(
            """
            [Service]
            Environment="A=one two" B=3 "C=%p"
            EnvironmentFile=/etc/web.env
            EnvironmentFile=-/etc/none.env
            User=agent
            WorkingDirectory=~
            ExecStart=@/usr/bin/web name 'a b'"c" \\x41\\
            # between
              $A ${A} $$HOME ${FILE} $NONE %% \\; "x\\ty" ; /usr/bin/second
            """, ["/etc/web.env": .text("# text\nFILE='from file'\n")])
        #expect(
            web.commands.map(\.words) == [
                ["/usr/bin/web", "a bc", "A", "one", "two", "one two", "$HOME", "from file", "%", ";", "x\ty"],
                ["/usr/bin/second"],
            ])
        #expect(web.environment["C"] == "app-web")
        #expect(web.environment["HOME"] == "/home/agent")
        #expect(web.workingDirectory == "/home/agent")
        #expect(web.environmentFiles.map(\.isOptional) == [false, true])
    }

    @Test func `no text of a unit stops the discovery`() throws {
        for text in [
            "", "\\", "[", "=\n[Service]\nExecStart=", "[Service]\nExecStart='", "[Service]\nExecStart=@\nExecStart=-",
            "[Service]\nExecStart=/x \\x4 \\u12 \\U0011FFFF \\777 %",
        ] {
            let found = try services(enabled("app-web.service", text))
            #expect(found.count <= 1)
        }
    }
}
