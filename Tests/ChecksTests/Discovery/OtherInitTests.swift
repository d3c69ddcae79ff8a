import Checks
import RootfsModel
import Testing

@Suite struct OtherInitTests {
    @Test func `the lines of inittab are services`() throws {
        let subject = try HandmadeTree([
            "/bin/busybox": .bytes(elfBytes(), mode: 0o755), "/sbin/init": .link("/bin/busybox"),
            "/etc/inittab": .text(
                "# comment\n::sysinit:/etc/init.d/rcS\nttyS0::respawn:-/bin/sh\n::once:/bin/a >/dev/null 2>&1\n::ctrlaltdel:/sbin/reboot\n"
            ),
        ]).subject()
        #expect(
            subject.services.map(\.commands[0].words) == [
                ["/etc/init.d/rcS"], ["/bin/sh"], ["/bin/sh", "-c", "/bin/a >/dev/null 2>&1"],
            ])
        #expect(subject.services[1].output == .terminal("/dev/ttyS0"))
    }

    @Test func `only the lines of sysvinit's default level are services`() throws {
        let subject = try HandmadeTree([
            "/sbin/init": .bytes(elfBytes(), mode: 0o755),
            "/etc/inittab": .text(
                "id:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\nl0:0:wait:/etc/rc 0\nl2:2:wait:/etc/rc 2\n"),
        ]).subject()
        #expect(subject.services.map(\.commands[0].words) == [["/etc/init.d/rcS"], ["/etc/rc", "2"]])
    }

    @Test func `a script that is init is the service`() throws {
        let subject = try HandmadeTree(["/sbin/tiny": .script("#!/bin/sh\n/usr/bin/node\n")]).subject(
            kernel: CheckSubject.Kernel(arguments: ["init=/sbin/tiny"]))
        #expect(subject.services.map(\.origin) == [.script("/sbin/tiny")])
    }

    @Test func `the small supervisor's services are those of its settings`() throws {
        let settings = """
            # Written by the build.
            log /var/log/app.log

            service web
            command /usr/bin/web a%20b % 100%25
            user agent
            directory /opt
            environment A=x%20y
            ready command /bin/probe -e

            """
        func tree(_ more: [String: HandmadeTree.Entry]) throws -> [Service] {
            try HandmadeTree(
                [
                    "/usr/lib/microvm/supervise": .script("#!/usr/bin/perl\n"),
                    "/etc/microvm/services": .text(settings),
                    "/etc/passwd": .text("root:x:0:0::/root:/bin/sh\nagent:x:1000:1000::/home/agent:/bin/sh\n"),
                ].merging(more) { $1 }
            ).subject().services
        }
        let services = try tree(["/sbin/init": .link("/usr/lib/microvm/supervise")])
        #expect(services.map(\.name) == ["init", "app-web.service"])
        let web = try #require(services.last)
        #expect(web.commands.map(\.words) == [["/usr/bin/web", "a b", "", "100%"], ["/bin/probe", "-e"]])
        #expect(web.user == "agent")
        #expect(web.workingDirectory == "/opt")
        #expect(web.environment["A"] == "x y")
        #expect(web.environment["HOME"] == "/home/agent")
        #expect(web.output == .terminal("/dev/console"))
        let other = try tree([
            "/sbin/init": .link("/bin/busybox"), "/bin/busybox": .bytes(elfBytes(), mode: 0o755),
            "/etc/inittab": .text("::respawn:/usr/lib/microvm/supervise --machine\n"),
        ])
        #expect(other.map(\.name) == ["inittab:1", "app-web.service"])
    }

    @Test func `folders of runit are services unless they are down`() throws {
        let subject = try HandmadeTree([
            "/usr/bin/runsvdir": .bytes(elfBytes(), mode: 0o755),
            "/etc/service/web": .link("/etc/sv/web"), "/etc/sv/web/run": .script("#!/bin/sh\nexec /usr/bin/web\n"),
            "/etc/sv/web/log/run": .script("#!/bin/sh\nexec svlogd /var/log/web\n"),
            "/etc/service/off/run": .script("#!/bin/sh\n"), "/etc/service/off/down": .text(""),
        ]).subject()
        #expect(subject.services.map(\.name) == ["web", "web/log"])
        #expect(subject.services[0].output == .file("/etc/sv/web/log/run"))
    }
}

@Suite struct GeneratedUnitTests {
    @Test func `a cluster of PostgreSQL, a serial login and a script of init.d are started`() throws {
        let generators = "/usr/lib/systemd/system-generators"
        let tree = systemdTree([
            "\(generators)/postgresql-generator": .script("#!/bin/sh\n"),
            "\(generators)/systemd-getty-generator": .bytes(elfBytes(), mode: 0o755),
            "/etc/postgresql/15/main/start.conf": .text("# text\nauto\n"),
            "/etc/postgresql/15/other/start.conf": .text("manual\n"),
            "/usr/lib/systemd/system/postgresql@.service": .text(
                "[Service]\nExecStart=-/usr/bin/pg_ctlcluster %i start\n"),
            "/usr/lib/systemd/system/serial-getty@.service": .text("[Service]\nExecStart=-/sbin/agetty %I\n"),
            "/usr/lib/systemd/system/native.service": .text("[Service]\nExecStart=/usr/bin/native\n"),
            "/etc/init.d/old": .script("#!/bin/sh\n"), "/etc/init.d/native": .script("#!/bin/sh\n"),
            "/etc/rc3.d/S01old": .link("../init.d/old"), "/etc/rc3.d/S01native": .link("../init.d/native"),
            "/etc/rc3.d/K01off": .link("../init.d/old"),
        ])
        let kernel = CheckSubject.Kernel(arguments: ["console=ttyS0,115200"])
        let services = try tree.subject(kernel: kernel).services
        #expect(services.map(\.name) == ["postgresql@15-main.service", "serial-getty@ttyS0.service", "old.service"])
        #expect(services.map(\.commands[0].words.last) == ["start", "ttyS0", "start"])
        let masked = tree.with(["/etc/systemd/system-generators/systemd-getty-generator": .link("/dev/null")])
        #expect(
            try masked.subject(kernel: kernel).services.map(\.name) == ["postgresql@15-main.service", "old.service"])
    }
}

@Suite struct SupervisordTests {
    static let tree: [String: HandmadeTree.Entry?] = [
        "/usr/bin/supervisord": .script("#!/usr/bin/python3\n"),
        "/etc/systemd/system/multi-user.target.wants/supervisor.service": .link(
            "/usr/lib/systemd/system/supervisor.service"),
        "/usr/lib/systemd/system/supervisor.service": .text("[Service]\nExecStart=/usr/bin/supervisord -n\n"),
        "/etc/supervisor/supervisord.conf": .text("; text\n[include]\nfiles = conf.d/*.conf\n"),
        "/etc/supervisor/conf.d/web.conf": .text(
            """
            [program:web]
            command=/usr/bin/node /opt/app/server.js --name %(program_name)s ; comment
              --port %(ENV_PORT)s
            environment=PORT="80",MODE=x
            user = agent
            directory=/opt/app
            stdout_logfile=/dev/stdout
            redirect_stderr=true
            [program:off]
            command=/usr/bin/off
            autostart=false
            """),
    ]

    @Test func `supervisord's programs are services`() throws {
        let services = try goodTree().with(Self.tree).subject().services
        let web = try #require(services.first { $0.name == "web" })
        #expect(web.commands[0].words == ["/usr/bin/node", "/opt/app/server.js", "--name", "web", "--port", "80"])
        #expect(web.commands[0].location?.line == 2)
        #expect(web.user == "agent")
        #expect(web.output == .journal)
        #expect(web.errors == .journal)
        #expect(!services.contains { $0.name == "off" })
        // Nobody starts it.
        let idle = goodTree().with(Self.tree).with([
            "/etc/systemd/system/multi-user.target.wants/supervisor.service": nil
        ])
        #expect(try !idle.subject().services.contains { $0.name == "web" })
    }

    @Test func `what is wrong with them is found`() throws {
        let path = "/etc/supervisor/conf.d/web.conf"
        func ids(_ text: String, _ more: [String: HandmadeTree.Entry?] = [:]) throws -> [String] {
            let tree = goodTree().with(Self.tree).with([path: .text("[program:web]\n" + text)]).with(more)
            return try check(tree.subject()).filter { $0.service == "web" && $0.severity == .error }.map(\.id)
        }
        #expect(try ids("command=/usr/bin/node x.js\ndirectory=/opt/app\n") == ["exec/script-missing"])
        #expect(try ids("command=/usr/local/bin/node\n") == ["exec/missing"])
        #expect(try ids("command=/usr/bin/node\nuser=nobody-there\n") == ["exec/user"])
        #expect(try ids("command=/usr/bin/node\n") == [])
        #expect(
            try ids("command=/usr/bin/node\n", ["/etc/systemd/journald.conf.d/50-console.conf": nil]) == ["log/unseen"])
    }
}
