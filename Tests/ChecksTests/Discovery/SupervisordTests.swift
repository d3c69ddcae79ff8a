import RootfsModel
import Testing

@testable import Checks

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

    /// An image of a container's kind: init is a script that becomes supervisord.
    static let container: [String: HandmadeTree.Entry?] = [
        "/usr/sbin/init": .script("#!/bin/sh\nexec supervisord -n -c /opt/app/own.conf\n"),
        "/etc/systemd/journald.conf.d/50-console.conf": nil,
        "/usr/bin/supervisord": .script("#!/usr/bin/python3\n"),
    ]

    @Test func `the configuration that it is given holds, with all that can be started`() throws {
        let text = """
            [supervisord]
            environment=TOOLS="/opt/tools"
            [program:web]
            command=%(ENV_TOOLS)s/web
            [eventlistener:ear]
            command=/opt/ear
            [fcgi-program:php]
            command=/opt/php
            [program:]
            command=/opt/nameless
            """
        let tree = goodTree().with(Self.container).with(["/opt/app/own.conf": .text(text)])
        let services = try tree.subject().services
        #expect(services.map(\.name) == ["init", "web", "ear", "php"])
        #expect(services.dropFirst().map(\.commands[0].words) == [["/opt/tools/web"], ["/opt/ear"], ["/opt/php"]])
    }

    @Test func `variables and quotes of an environment are understood`() throws {
        let text = """
            [program:web]
            command=node
            environment=LIST="a, PATH=b",PATH="/opt/node/bin:%(ENV_PATH)s",LAST='1'
            """
        let tree = goodTree().with(Self.container).with(["/opt/app/own.conf": .text(text)])
        let web = try #require(try tree.subject().services.first { $0.name == "web" })
        #expect(web.environment["LIST"] == "a, PATH=b")
        #expect(web.environment["LAST"] == "1")
        #expect(web.environment["PATH"]?.hasPrefix("/opt/node/bin:/") == true)
        #expect(try check(tree.subject()).filter { $0.id.hasPrefix("exec/") } == [])
    }

    @Test func `in the foreground it tells the end of its programs, in the background nobody does`() throws {
        func ids(_ start: String, _ own: String = "") throws -> [String] {
            let tree = goodTree().with(Self.container).with([
                "/usr/sbin/init": .script("#!/bin/sh\nexec \(start)\n"),
                "/opt/app/own.conf": .text("[supervisord]\n\(own)\n[program:web]\ncommand=/usr/bin/node\n"),
            ])
            return try check(tree.subject()).filter { $0.service == "web" && $0.id.hasPrefix("log/") }.map(\.id)
        }
        #expect(try ids("supervisord -n -c /opt/app/own.conf") == ["log/words-lost"])
        #expect(try ids("supervisord -c/opt/app/own.conf", "nodaemon=true") == ["log/words-lost"])
        #expect(try ids("supervisord --configuration=/opt/app/own.conf") == ["log/unseen"])
        #expect(try ids("supervisord -n -s --configuration /opt/app/own.conf") == ["log/unseen"])
    }
}
