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
