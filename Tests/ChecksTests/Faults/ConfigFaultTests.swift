import Checks
import RootfsModel
import Testing

/// Servers as Debian has them, each with what its configuration names.
private func goodServers() -> HandmadeTree {
    let elf = HandmadeTree.Entry.bytes(elfBytes(), mode: 0o755)
    let units = [
        "ssh.service":
            "[Unit]\nAfter=network.target\n[Service]\nType=notify\nExecStartPre=/usr/sbin/sshd -t\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n",
        "nginx.service":
            "[Service]\nType=forking\nExecStartPre=/usr/sbin/nginx -t -q\nExecStart=/usr/sbin/nginx -g 'daemon on;'\n",
        "apache2.service": "[Service]\nType=forking\nExecStart=/usr/sbin/apachectl start\n",
        "postgresql@15-main.service":
            "[Service]\nType=forking\nExecStart=-/usr/bin/pg_ctlcluster --skip-systemctl-redirect 15-main start\n",
    ]
    var entries: [String: HandmadeTree.Entry] = [
        "/usr/sbin/sshd": elf, "/usr/bin/ssh-keygen": elf, "/usr/sbin/nginx": elf, "/usr/sbin/apachectl": elf,
        "/usr/bin/pg_ctlcluster": elf, "/usr/sbin/make-ssl-cert": elf, "/usr/bin/dash": elf,
        "/usr/bin/sh": .link("dash"),
        "/etc/ssh/sshd_config": .text("Include /etc/ssh/sshd_config.d/*.conf\n#HostKey /etc/ssh/none\nUsePAM yes\n"),
        "/etc/ssh/ssh_host_ed25519_key": .file("key", mode: 0o600),
        "/etc/nginx/nginx.conf": .text(
            "user www-data;\nhttp {\n  # ssl_certificate /none;\n  include mime.types;\n  include /etc/nginx/sites-enabled/*;\n}\n"
        ),
        "/etc/nginx/mime.types": .text("types {\n}\n"), "/etc/nginx/sites-available/web": .text(ConfigFaultTests.site),
        "/etc/nginx/sites-enabled/web": .link("/etc/nginx/sites-available/web"),
        "/etc/nginx/sites-available/off": .text("ssl_certificate /none;\n"),
        "/etc/nginx/web.pem": .text("c"), "/srv/web.key": .text("k"),
        "/etc/apache2/apache2.conf": .text("IncludeOptional sites-enabled/*.conf\n"),
        "/etc/apache2/mods-enabled/ssl.load": .text("LoadModule ssl_module x.so\n"),
        "/etc/apache2/sites-enabled/web.conf": .text(
            "<VirtualHost *:443>\n  SSLCertificateFile \"/etc/nginx/web.pem\"\n  SSLCertificateKeyFile /srv/web.key\n</VirtualHost>\n"
        ),
        "/etc/postgresql/15/main/postgresql.conf": .text(ConfigFaultTests.cluster),
        "/etc/postgresql/15/main/pg_hba.conf": .text(""), "/var/lib/postgresql/15/main/PG_VERSION": .text("15\n"),
        "/etc/ssl/private/ssl-cert-snakeoil.key": .text("k"),
        "/etc/systemd/journald.conf.d/50-console.conf": .text("[Journal]\nForwardToConsole=yes\n"),
    ]
    for (name, text) in units {
        entries["/usr/lib/systemd/system/\(name)"] = .text(text)
        entries["/etc/systemd/system/multi-user.target.wants/\(name)"] = .link("/usr/lib/systemd/system/\(name)")
    }
    return systemdTree(entries)
}

@Suite struct ConfigFaultTests {
    static let site = """
        server {
          listen 443 ssl; ssl_certificate web.pem;
          ssl_certificate_key
              /srv/web.key;
          location / { return 200 "ssl_dhparam /none;"; }
        }
        """
    static let cluster = """
        data_directory = '/var/lib/postgresql/15/main'  # use data in another directory
        hba_file = '/etc/postgresql/15/main/pg_hba.conf'
        #ident_file = '/none'
        ssl = on
        ssl_key_file = '/etc/ssl/private/ssl-cert-snakeoil.key'
        """
    static let key = "/etc/ssh/ssh_host_ed25519_key"
    static let snakeoil = "/etc/ssl/private/ssl-cert-snakeoil.key"
    static let dropIn = "/etc/systemd/system/ssh.service.d/keys.conf"

    static let faults = [
        PlantedFault(
            name: "no host key", changes: [key: nil], id: "config/file-missing",
            says: "/etc/ssh/ssh_host_rsa_key (sshd's own default) is not in the image"),
        PlantedFault(
            name: "a host key that the configuration names",
            changes: [key: nil, "/etc/ssh/sshd_config.d/own.conf": .text("HostKey /srv/host_key\n")],
            id: "config/file-missing", says: "/srv/host_key (HostKey)"),
        PlantedFault(
            name: "host keys that are made behind sshd -t",
            changes: [key: nil, dropIn: .text("[Service]\nExecStartPre=/usr/bin/ssh-keygen -A\n")],
            id: "config/file-missing", says: "behind a command that needs it already"),
        PlantedFault(
            name: "host keys that another unit makes at some time",
            changes: [key: nil].merging(
                enabled("keys.service", "[Service]\nType=oneshot\nExecStart=/usr/bin/ssh-keygen -A\n").mapValues { $0 }
            ) { $1 }, id: "config/file-missing", says: "keys.service makes it, but nothing orders it before ssh.service"
        ),
        PlantedFault(
            name: "nginx's key", changes: ["/srv/web.key": nil], id: "config/file-missing",
            says: "ssl_certificate_key of nginx.service names /srv/web.key"),
        PlantedFault(
            name: "nginx's certificate", changes: ["/etc/nginx/web.pem": nil], id: "config/file-missing",
            says: "/etc/nginx/sites-enabled/web:2: listen 443 ssl; ssl_certificate web.pem;"),
        PlantedFault(
            name: "a file that nginx includes", changes: ["/etc/nginx/mime.types": nil], id: "config/file-missing",
            says: "include of nginx.service names /etc/nginx/mime.types"),
        PlantedFault(
            name: "Apache's key", changes: ["/srv/web.key": nil], id: "config/file-missing",
            says: "SSLCertificateKeyFile of apache2.service names /srv/web.key"),
        PlantedFault(
            name: "PostgreSQL's snakeoil key", changes: [snakeoil: nil], id: "config/file-missing",
            says: "/etc/postgresql/15/main/postgresql.conf:5: ssl_key_file"),
        PlantedFault(
            name: "PostgreSQL's data", changes: ["/var/lib/postgresql/15/main/PG_VERSION": nil],
            id: "config/file-missing", says: "data_directory of postgresql@15-main.service"),
        PlantedFault(
            name: "PostgreSQL's access rules", changes: ["/etc/postgresql/15/main/pg_hba.conf": nil],
            id: "config/file-missing", says: "hba_file"),
    ]

    func findings(_ tree: HandmadeTree) throws -> [Finding] {
        try check(tree.subject()).filter { $0.id.hasPrefix("config/") }
    }

    @Test func `nothing is said of the good tree`() throws { #expect(try findings(goodServers()) == []) }

    @Test(arguments: faults) func `a planted fault is found with its reason`(fault: PlantedFault) throws {
        let found = try findings(goodServers().with(fault.changes))
        let finding = try #require(
            found.first { ([$0.message] + $0.reasons).contains { $0.contains(fault.says) } }, "\(found)")
        #expect(finding.id == fault.id && finding.severity == .error)
        #expect(finding.location?.file.hasPrefix("/etc/") == true)
        #expect(finding.remedy != nil)
    }

    static let ways: [(String, [String: HandmadeTree.Entry?])] = [
        (
            "before sshd -t",
            [
                dropIn: .text(
                    "[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=/usr/sbin/sshd -t\n")
            ]
        ),
        (
            "by a unit ordered before",
            enabled(
                "keys.service",
                "[Unit]\nBefore=ssh.service\n[Service]\nType=oneshot\nExecStart=/usr/bin/ssh-keygen -A\n"
            ).mapValues { $0 }
        ),
        (
            "by a script, before a target that it comes after",
            enabled(
                "keys.service",
                "[Unit]\nBefore=network.target\n[Service]\nType=oneshot\nExecStart=/usr/local/lib/keys\n"
            ).merging([
                "/usr/local/lib/keys": .script(
                    "#!/bin/sh\nset -e\n[ -e /etc/ssh/ssh_host_rsa_key ] || ssh-keygen -q -N '' -f /etc/ssh/ssh_host_rsa_key\n"
                )
            ]) { $1 }.mapValues { $0 }
        ),
        ("in /run", ["/etc/ssh/sshd_config": .text("HostKey /run/keys/host\n")]),
    ]

    @Test(arguments: ways) func `host keys are made`(way: String, changes: [String: HandmadeTree.Entry?]) throws {
        let tree = goodServers().with([Self.key: nil])
        #expect(try findings(tree).count == 1)
        #expect(try findings(tree.with(changes)) == [])
    }

    @Test func `what is switched off is not asked for`() throws {
        let changes: [String: HandmadeTree.Entry?] = [
            Self.snakeoil: nil, "/srv/web.key": nil, "/etc/nginx/sites-enabled/web": nil,
            "/etc/apache2/mods-enabled/ssl.load": nil,
            "/etc/postgresql/15/main/postgresql.conf": .text(Self.cluster.replacing("ssl = on", with: "ssl off")),
        ]
        #expect(try findings(goodServers().with(changes)) == [])
    }

    @Test func `the snakeoil key is made at boot`() throws {
        let tree = goodServers().with([
            Self.snakeoil: nil,
            "/etc/systemd/system/postgresql@.service.d/key.conf": .text(
                "[Service]\nExecStartPre=+/usr/sbin/make-ssl-cert generate-default-snakeoil\n"),
        ])
        #expect(try findings(tree) == [])
    }

    @Test func `hostile texts end`() throws {
        let texts = [
            "include /etc/nginx/nginx.conf;", "{{{{", "'", "\"\n\"", "include;", "ssl_certificate ;", "include *;",
            "Include *\nHostKey\nHostKey ''", "=", "data_directory", String(repeating: "include *;\n", count: 2_000),
        ]
        for text in texts {
            _ = try findings(
                goodServers().with([
                    "/etc/nginx/nginx.conf": .text(text), "/etc/ssh/sshd_config": .text(text),
                    "/etc/apache2/apache2.conf": .text(text),
                    "/etc/postgresql/15/main/postgresql.conf": .text(text),
                ]))
        }
    }
}
