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

    @Test func `busybox without an inittab runs its script`() throws {
        let subject = try HandmadeTree([
            "/bin/busybox": .bytes(elfBytes(), mode: 0o755), "/sbin/init": .link("/bin/busybox"),
            "/etc/init.d/rcS": .script("#!/bin/sh\n"),
        ]).subject()
        #expect(subject.services.map(\.commands[0].words) == [["/etc/init.d/rcS"]])
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

    @Test func `sysvinit's level starts its scripts, and tabs part words`() throws {
        let subject = try HandmadeTree([
            "/sbin/init": .bytes(elfBytes(), mode: 0o755), "/etc/init.d/rc": .script("#!/bin/sh\n"),
            "/etc/inittab": .text("id:2:initdefault:\nl2:2:wait:/etc/init.d/rc\t2\n"),
            "/etc/init.d/app": .script("#!/bin/sh\n/opt/app/server\n"), "/etc/init.d/other": .script("#!/bin/sh\n"),
            "/etc/init.d/off": .text("#!/bin/sh\n"), "/etc/rcS.d/S01app": .link("../init.d/app"),
            "/etc/rc2.d/S02off": .link("../init.d/off"), "/etc/rc3.d/S01other": .link("../init.d/other"),
        ]).subject()
        #expect(
            subject.services.map(\.commands[0].words) == [["/etc/init.d/rc", "2"], ["/etc/init.d/app", "start"]])
        let ids = try check(subject).filter { $0.service == "app" }.map(\.id)
        #expect(ids.contains("exec/interpreter-missing"))
    }

    @Test func `a prompt on a screen is not a service that dies unseen`() throws {
        func ids(_ line: String, _ more: [String: HandmadeTree.Entry?] = [:]) throws -> [String] {
            let first: [String: HandmadeTree.Entry?] = [
                "/usr/sbin/init": .bytes(elfBytes(), mode: 0o755), "/etc/inittab": .text(line),
            ]
            return try check(goodTree().with(first).with(more).subject()).map(\.id).filter { $0.hasPrefix("log/") }
        }
        let busybox: [String: HandmadeTree.Entry?] = [
            "/usr/bin/busybox": .bytes(elfBytes(), mode: 0o755), "/usr/sbin/init": .link("/bin/busybox"),
        ]
        #expect(try ids("tty2::askfirst:-/bin/sh\ntty1::respawn:/sbin/getty 38400 tty1\n", busybox) == [])
        #expect(try ids("tty2::respawn:/usr/bin/node\n", busybox) == ["log/unseen"])
        #expect(try ids("a:2:respawn:/usr/bin/node x >/dev/null 2>&1\n") == ["log/unseen"])
    }

    @Test func `a program that is init is the service, with what the kernel hands it`() throws {
        let tree = goodTree().with([
            "/usr/bin/tini": .bytes(elfBytes(), mode: 0o755), "/usr/sbin/init": .link("/usr/bin/tini"),
        ])
        let arguments = ["quiet", "--", "/usr/local/bin/node", "server.js"]
        let plain = try tree.subject(kernel: .init(arguments: arguments))
        #expect(plain.services.map(\.commands[0].words) == [["/sbin/init", "/usr/local/bin/node", "server.js"]])
        let named = try tree.subject(kernel: .init(arguments: ["init=/usr/bin/tini"] + arguments))
        #expect(try check(named).contains { $0.id == "exec/missing" && $0.service == "init" })
    }

    @Test func `systemd itself is looked at, and not run`() throws {
        let tree = goodTree().with(["/usr/lib/systemd/systemd": .bytes(elfBytes(machine: 183), mode: 0o755)])
        let found = try check(tree.subject())
        #expect(found.contains { $0.id == "exec/machine" && $0.service == "init" })
        #expect(try !goodTree().subject().programStarts().contains { $0.service == "init" })
        let own = goodTree().with(["/usr/sbin/init": .script("#!/bin/sh\nexec /usr/bin/node\n")])
        #expect(try own.subject().programStarts().contains { $0.service == "init" })
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

    @Test func `a supervisor watches the folder that it is given`() throws {
        let tree = HandmadeTree([
            "/sbin/init": .script("#!/bin/sh\nexec s6-svscan /srv/scan\n"), "/bin/sh": .bytes(elfBytes(), mode: 0o755),
            "/usr/bin/s6-svscan": .bytes(elfBytes(), mode: 0o755),
            "/srv/scan/web/run": .script("#!/bin/sh\nexec node\n"), "/srv/scan/lost": .link("/etc/sv/lost"),
        ])
        #expect(try tree.subject().services.map(\.name) == ["init", "lost", "web"])
        let ids = try check(tree.subject()).filter { $0.id.hasPrefix("exec/") }.map { "\($0.id) \($0.service ?? "")" }
        #expect(Set(ids) == ["exec/not-in-path web", "exec/dangling-link lost"])
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
