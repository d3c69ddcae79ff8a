import Checks
import RootfsModel
import TestSupport
import Testing

/// Whatever an image holds, discovery and the rules about services say something or nothing; they never stop.
@Suite struct HostileTreeTests {
    static let texts = [
        "/etc/systemd/system/app-web.service", "/etc/systemd/journald.conf.d/50-console.conf", "/etc/passwd",
        "/etc/group",
        "/etc/fstab", "/opt/app/start.sh", "/etc/web.env", "/etc/systemd/system.conf",
        "/usr/lib/tmpfiles.d/x.conf", "/usr/lib/sysusers.d/x.conf", "/etc/supervisor/supervisord.conf", "/etc/inittab",
        "/etc/systemd/system/app-web.service.d/x.conf", "/etc/rsyslog.conf",
    ]

    static func tree() -> HandmadeTree {
        goodTree().with([
            "/usr/bin/systemd-sysusers": .script("#!/bin/sh\n"), "/usr/bin/supervisord": .script("#!/bin/sh\n"),
            "/usr/lib/tmpfiles.d/x.conf": .text("d /var/x 0755 agent agent -\nq /tmp 1777 root root\n"),
            "/usr/lib/sysusers.d/x.conf": .text("u x 100:100 \"X\" /var/x\ng y -\n"),
            "/etc/supervisor/supervisord.conf": .text(
                "[include]\nfiles = *.conf\n[program:a]\ncommand=/usr/bin/node %(here)s\nstdout_logfile=/x\n"),
            "/etc/inittab": .text("::respawn:/bin/sh\nid:2:initdefault:\n"),
            "/etc/fstab": .text("none /tmp tmpfs mode=1777,uid=1 0 0\n/dev/vda / ext4 ro 0 1\n"),
        ])
    }

    /// The text with some bytes others, missing or doubled.
    static func damaged(_ text: [UInt8], by random: inout SeededGenerator) -> [UInt8] {
        var bytes = text
        let signs = Array("\n\0\\\"'%$=[]:;/.@-+!|~{}()<>& \t\r*#".utf8) + [0xff, 0xc3, 0x80]
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes.insert(signs.randomElement(using: &random) ?? 0, at: place)
            case 1 where place < bytes.count: bytes[place] = signs.randomElement(using: &random) ?? 0
            case 2: bytes.removeSubrange(place..<min(place + 5, bytes.count))
            default: bytes.insert(contentsOf: bytes[place..<min(place + 20, bytes.count)], at: place)
            }
        }
        return bytes
    }

    @Test(arguments: [UInt64(1), 2, 3]) func `no text stops discovery or a rule`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let good = Self.tree()
        for _ in 0..<40 {
            var tree = good
            for path in Self.texts where Bool.random(using: &random) {
                guard case .file(let text, let mode, _)? = tree.entries[path] else { continue }
                tree.entries[path] = .bytes(Self.damaged(Array(text.utf8), by: &random), mode: mode)
            }
            if Bool.random(using: &random) { tree.entries["/usr/sbin/init"] = .bytes(elfBytes(), mode: 0o755) }
            let subject = try tree.subject(kernel: .init(arguments: ["console=ttyS0"]))
            for rule in allRules where ["exec", "log", "write"].contains(rule.name) {
                for finding in try rule.init().findings(in: subject) { #expect(finding.id.hasPrefix(rule.name + "/")) }
            }
        }
    }

    @Test func `a unit that wants one of an ever longer name comes to an end`() throws {
        let tree = goodTree().with([
            "/etc/systemd/system/grow@.service": .text(
                "[Unit]\nWants=grow@%i-x.service\n[Service]\nExecStart=/usr/bin/node\n"),
            "/etc/systemd/system/multi-user.target.wants/grow@a.service": .link("../grow@.service"),
        ])
        let names = try tree.subject().services.map(\.name).filter { $0.hasPrefix("grow@") }
        #expect(names.count == 121)
        #expect(names.allSatisfy { $0.utf8.count < 256 })
    }

    @Test func `circles of links and odd names are passed over`() throws {
        let tree = goodTree().with([
            "/etc/systemd/system/a.service": .link("b.service"), "/etc/systemd/system/b.service": .link("a.service"),
            "/etc/systemd/system/multi-user.target.wants/a.service": .link("../a.service"),
            "/etc/systemd/system/multi-user.target.wants/@.service": .link("../x"),
            "/etc/systemd/system/multi-user.target.wants/..service": .link("../x"),
            "/etc/systemd/system/@.service": .text("[Unit]\nWants=@.service a@b@c.service\n"),
            "/etc/systemd/system/-.service.d/x.conf": .text("[Service]\n"),
            "/etc/systemd/system/loop.target": .text("[Unit]\nWants=loop.target\nRequires=multi-user.target\n"),
            "/etc/systemd/system/multi-user.target.wants/loop.target": .link("../loop.target"),
            "/etc/passwd": .link("/etc/passwd"), "/etc/fstab": .directory(mode: 0o755),
            "/usr/lib/tmpfiles.d": .link("tmpfiles.d"),
        ])
        let subject = try tree.subject()
        #expect(subject.services.map(\.name) == ["app-web.service"])
        #expect(try check(subject).contains { $0.id == "exec/user" })
    }
}
