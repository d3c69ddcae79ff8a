import Provisioning
import Recipes
import RootfsModel
import Testing

private func serve(_ services: Recipe.Service..., over tree: FileTree? = nil) throws -> FileTree {
    try provisioned(plain(users: [user("agent")], services: services), tree: tree).tree
}

private func execStart(_ command: [String]) throws -> String {
    let unit = try text("etc/systemd/system/app-x.service", in: serve(service("x", command)))
    return unit.split(separator: "\n").first { $0.hasPrefix("ExecStart=") }.map(String.init) ?? ""
}

@Suite struct ServiceTests {
    @Test func aServiceBecomesAnEnabledUnit() throws {
        let tree = try serve(
            service("display", ["/bin/bash", ":99"], ready: .unix("/tmp/.X11-unix/X99")),
            service(
                "webrtc", ["/usr/bin/node", "--title=50%", "a b"], user: "agent",
                after: ["display", "network.target"],
                environment: [("DISPLAY", ":99"), ("TEXT", #"a "b" \ 5% $X"#)],
                restart: restart(.onFailure, backoff: .milliseconds(500)...(.seconds(20)), limit: 4, in: .seconds(60)),
                ready: .http("http://127.0.0.1:8080/healthz?a=1"), within: .milliseconds(2500)))
        #expect(
            try text("etc/systemd/system/app-webrtc.service", in: tree) == #"""
                # From the recipe's service webrtc. What all services share is in app-.service.d/10-visible.conf.
                [Unit]
                Description=webrtc
                Wants=app-display.service network.target
                After=app-display.service network.target
                StartLimitIntervalSec=60s
                StartLimitBurst=4

                [Service]
                Type=exec
                User=agent
                Environment="DISPLAY=:99"
                Environment="TEXT=a \"b\" \\ 5%% $X"
                Environment=SUPERVISOR_BACKOFF=500-20000
                ExecStart=/usr/bin/node --title=50%% "a b"
                ExecStartPost=/usr/lib/microvm/ready 2500 http "http://127.0.0.1:8080/healthz?a=1"
                TimeoutStartSec=17500ms
                Restart=on-failure
                RestartSec=100ms
                TimeoutStopSec=90s

                [Install]
                WantedBy=multi-user.target

                """#)
        #expect(
            tree["etc/systemd/system/multi-user.target.wants/app-webrtc.service"]?.linkTarget
                == Array("../app-webrtc.service".utf8))
    }

    @Test func limitsPlaceGroupAndWatchdogStandInTheUnit() throws {
        var limited = service("x", ["/usr/bin/node"])
        limited.group = Located("video")
        limited.directory = Located("/opt/50%")
        limited.watchdog = .seconds(15)
        limited.resources.memory = ByteCount(bytes: 512 << 20)
        limited.resources.files = 4096
        limited.resources.tasks = 200
        let unit = try text("etc/systemd/system/app-x.service", in: serve(limited))
        #expect(
            unit.contains(
                """
                [Service]
                Type=notify
                NotifyAccess=all
                WatchdogSec=15s
                Group=video
                WorkingDirectory=/opt/50%%
                Environment=SUPERVISOR_BACKOFF=1000-30000
                ExecStart=/usr/bin/node
                ExecStartPost=/usr/lib/microvm/ready 30000 start
                TimeoutStartSec=45s
                MemoryMax=536870912
                MemorySwapMax=0
                LimitNOFILE=4096
                TasksMax=200
                Restart=always

                """))
    }

    @Test func everyStartSaysWhenItIsReady() throws {
        func line(_ probe: Recipe.ReadinessProbe?) throws -> String {
            let unit = try text(
                "etc/systemd/system/app-x.service", in: serve(service("x", ["/bin/sh"], ready: probe)))
            return unit.split(separator: "\n").first { $0.hasPrefix("ExecStartPost=") }.map(String.init) ?? ""
        }
        #expect(try line(nil) == "ExecStartPost=/usr/lib/microvm/ready 30000 start")
        // Only root reads the journal.
        #expect(
            try line(.console("up: 100%")) == #"ExecStartPost=+/usr/lib/microvm/ready 30000 console "up: 100%%""#)
        #expect(
            try line(.command([Located("/bin/test"), Located("-e"), Located("$X")]))
                == "ExecStartPost=/usr/lib/microvm/ready 30000 command /bin/test -e $$X")
    }

    @Test func anotherLogIsTheLogsUnitToldOf() throws {
        var recipe = plain(services: [service("x", ["/bin/sh"])])
        let path: TreePath = "etc/systemd/system/microvm-applog.service.d/50-recipe.conf"
        #expect(try provisioned(recipe).tree[path] == nil)
        recipe.supervisor.log = Located("/srv/50%.log")
        let dropIn = try text(path, in: try provisioned(recipe).tree)
        #expect(dropIn.hasSuffix("RequiresMountsFor=/srv\n\n[Service]\nEnvironment=\"APP_LOG=/srv/50%%.log\"\n"))
    }

    @Test(arguments: [
        (["/bin/sh", "-c", "echo $HOME ${X}"], #"ExecStart=/bin/sh -c "echo $$HOME $${X}""#),
        (["/bin/sh", ""], #"ExecStart=/bin/sh """#),
        (["/bin/sh", ";", "a;b"], #"ExecStart=/bin/sh ";" "a;b""#),
        (["/bin/sh", "it's", #"a\"#], #"ExecStart=/bin/sh "it's" "a\\""#),
        (["/bin/sh", "a\nb\tc\u{1}\u{7F}"], #"ExecStart=/bin/sh "a\nb\tc\x01\x7f""#),
        (["/bin/sh", "%n", "é"], #"ExecStart=/bin/sh %%n "é""#),
    ])
    func argumentsReachTheProgramAsTheyAre(command: [String], line: String) throws {
        #expect(try execStart(command) == line)
    }

    @Test func aLimitThatThePausesNeverReachIsReported() throws {
        let unit = service(
            "x", ["/bin/sh"], restart: restart(backoff: .seconds(5)...(.seconds(30)), limit: 5, in: .seconds(10)))
        #expect(
            try provisioned(plain(services: [unit])).report.warnings == [
                "service x: it is never given up, for 5 restarts with pauses of 5s to 30s take longer than 10s"
            ])
    }

    @Test(arguments: [
        (service("x", []), "error: service x has no command"),
        (
            service("a/../b", ["/bin/sh"]),
            """
            error: `a/../b` cannot name a service
            hint: use letters, digits, `_` and `-`, beginning with a letter or a digit
            """
        ),
        (
            service("x", ["bin/sh"]),
            """
            error: service x runs 'bin/sh', which is no absolute path
            hint: a service starts in no directory of its own
            """
        ),
        (
            service("x", ["/bin/sh"], after: ["disply"]),
            """
            error: service x waits for 'disply', which is no service of the recipe
            hint: a unit of systemd's own is named with its ending, network.target
            """
        ),
        (
            service("x", ["/bin/sh"], user: "a\nUser=root"),
            "error: service x has 'a\\nUser=root' as user, which a unit cannot hold"
        ),
        (
            service("x", ["/bin/sh"], ready: .http("https://a/")),
            """
            error: service x is ready by 'https://a/', which is no address to ask
            hint: write http://HOST:PORT/PATH; https is not asked
            """
        ),
    ])
    func whatNoUnitCanSayIsRefused(service: Recipe.Service, message: String) {
        #expect(complaint { _ = try serve(service) } == message)
    }
}

@Suite struct ServiceCheckTests {
    @Test func aProgramThatIsElsewhereIsNamed() {
        let unit = service("webrtc", ["/usr/local/bin/node"], commandAt: at)
        #expect(
            complaint { _ = try serve(unit) } == """
                a.manifest:3:5: error: service webrtc runs /usr/local/bin/node, which the image does not have
                 3 |   - name
                   |     ^^^^
                  the image has /usr/bin/node
                hint: did you mean /usr/bin/node?
                """)
    }

    @Test func everyMissingThingIsSaidAtOnce() throws {
        let base = try baseTree([file("opt/app/server.js", ""), file("opt/app/tool", "x", mode: 0o644)])
        let message = complaint {
            _ = try serve(
                service("a", ["/usr/bin/nodde", "/opt/app/sever.js"], user: "agnet"),
                service("b", ["/opt/app/tool"]),
                service("c", ["/usr/bin"]),
                service("d", ["bash", "/opt/app/server.js"]), over: base)
        }
        #expect(
            message == """
                error: service a runs /usr/bin/nodde, which the image does not have
                hint: did you mean /usr/bin/node?
                error: service a is given the script /opt/app/sever.js, which the image does not have
                hint: did you mean /opt/app/server.js?
                error: service a runs as 'agnet', a user whom the image does not have
                hint: did you mean agent?
                error: service b runs /opt/app/tool, which is not executable
                hint: its mode is 0644; set the executable bit in the folder, or mode: in its overlay
                error: service c runs /usr/bin, which is a directory
                """)
    }

    @Test func aLinkToNowhereAndAnEmptyProgramAreNotThere() throws {
        let base = try baseTree([link("usr/bin/ghost", "/opt/ghost"), file("usr/bin/empty", "", mode: 0o755)])
        #expect(
            complaint { _ = try serve(service("a", ["/usr/bin/ghost"]), over: base) }
                .hasPrefix("error: service a runs /usr/bin/ghost, which the image does not have"))
        #expect(
            complaint { _ = try serve(service("a", ["/usr/bin/empty"]), over: base) }
                == "error: service a runs /usr/bin/empty, which is an empty file")
    }

    @Test func servicesNeedSystemdAndTheSupervisor() throws {
        let unit = service("a", ["/bin/sh"], ready: .file("/x"))
        let bare = try baseTree().applying(TreeChange(removals: ["usr/lib/systemd"]))
        #expect(
            complaint { _ = try serve(unit, over: bare) } == """
                error: the recipe has services, but the image has no systemd to run them
                hint: add the package systemd-sysv to a layer
                """)
        let unwatched = try baseTree().applying(TreeChange(removals: ["usr/lib/microvm"]))
        var foreign = service("a", ["/bin/sh"])
        foreign.group = Located("vidio")
        #expect(
            complaint { _ = try serve(foreign) } == """
                error: service a runs in the group 'vidio', which the image does not have
                hint: did you mean video?
                """)
        #expect(
            complaint { _ = try serve(unit, over: unwatched) } == """
                error: the recipe has services, but the image has no supervisor to watch them
                  missing: /usr/lib/microvm/report-exit
                  missing: /usr/lib/microvm/ready
                hint: add overlays/supervisor to overlays:
                """)
    }
}
