import Provisioning
import Recipes
import RootfsModel
import Testing

/// The tree without systemd.
private func bare(_ more: [FileNode] = []) throws -> FileTree {
    try baseTree(more).applying(TreeChange(removals: ["usr/lib/systemd"]))
}

private func settings(_ service: Recipe.Service) throws -> String {
    try text("etc/microvm/services", in: try provisioned(plain(services: [service])).tree)
}

@Suite struct SupervisorTests {
    @Test func whatTheSupervisorReadsHasEveryKeyWithItsWordsEscaped() throws {
        var web = service(
            "web", ["/usr/bin/node", "a b%", ""], user: "daemon", after: ["network.target"],
            environment: [("A", "x y"), ("B", "ü")],
            restart: restart(.onFailure, backoff: .milliseconds(500)...(.seconds(20)), limit: 4, in: .seconds(60)),
            ready: .console("up: 1"), within: .milliseconds(2500))
        web.group = Located("video")
        web.directory = Located("/opt")
        web.watchdog = .seconds(15)
        web.resources.memory = ByteCount(bytes: 1 << 20)
        web.resources.files = 4096
        web.resources.tasks = 20
        #expect(
            try settings(web) == """
                # Written by the build from the recipe's services.
                log /var/log/app.log

                service web
                command /usr/bin/node a%20b%25 %
                user daemon
                group video
                directory /opt
                environment A=x%20y B=%C3%BC
                restart on-failure
                backoff 500 20000
                limit 4 60000
                ready console up:%201
                within 2500
                watchdog 15000
                memory 1048576
                files 4096
                tasks 20

                """)
    }

    @Test func withoutSystemdTheSupervisorIsInit() throws {
        let recipe = plain(services: [service("a", ["/bin/sh"])])
        let tree = try provisioned(recipe, tree: try bare()).tree
        #expect(tree["usr/sbin/init"]?.linkTarget == Array("/usr/lib/microvm/supervise".utf8))
        #expect(tree["etc/systemd/system/app-a.service"] == nil)
        #expect(try provisioned(recipe, tree: tree).tree == tree)
        // Without services there is nothing to start.
        #expect(try provisioned(plain(), tree: try bare()).tree["usr/sbin/init"] == nil)
    }

    @Test(arguments: [
        (link("usr/sbin/init", "/bin/busybox"), "::respawn:/usr/lib/microvm/supervise --machine\n"),
        (file("usr/sbin/init", "elf", mode: 0o755), "mvm:2345:respawn:/usr/lib/microvm/supervise --machine\n"),
    ])
    func anotherInitStartsItByItsTable(initProgram: FileNode, line: String) throws {
        let tree = try bare([
            initProgram, file("usr/bin/busybox", "elf", mode: 0o755), file("etc/inittab", "::sysinit:/x"),
        ])
        let recipe = plain(services: [service("a", ["/bin/sh"])])
        let changed = try provisioned(recipe, tree: tree).tree
        #expect(try text("etc/inittab", in: changed) == "::sysinit:/x\n" + line)
        #expect(try provisioned(recipe, tree: changed).tree == changed)
    }

    @Test func anInitThatNothingTellsOfTheServicesIsRefused() throws {
        let tree = try bare([file("usr/sbin/init", "elf", mode: 0o755)])
        let unit = service("a", ["/bin/sh"])
        #expect(
            complaint { _ = try provisioned(plain(services: [unit]), tree: tree) } == """
                error: the recipe has services, and the image has an init that nothing tells of them: /sbin/init
                hint: start the supervisor with it, and write init= among the kernel's arguments; init=/usr/lib/microvm/supervise is the supervisor alone
                """)
    }

    @Test func theSupervisorNeedsItsInterpreters() throws {
        let tree = try bare().applying(TreeChange(removals: ["usr/bin/perl"]))
        #expect(
            complaint { _ = try provisioned(plain(services: [service("a", ["/bin/sh"])]), tree: tree) } == """
                error: the recipe has services, and what watches them needs /usr/bin/perl, which the image does not have
                hint: it comes with an essential package of the distribution; see remove:
                """)
    }

    @Test func theFlightRecordHasItsSizeAndNoZeros() throws {
        let services = [service("a", ["/bin/sh"]), service("bc", ["/bin/sh"])]
        var recipe = plain(services: services)
        let path: TreePath = "var/lib/microvm/flight-record"
        let node = try #require(try provisioned(recipe).tree[path])
        #expect(node.metadata.mode == 0o600)
        let record = try bytes(try #require(node.blob))
        #expect(record.count == 4096 + 10 * 69632)
        #expect(!record.contains(0))
        #expect(
            record.starts(with: "microvm-flight-record 1\nslots 10\nhead-bytes 4096\noutput-bytes 65536\n\n".utf8))
        #expect(record[(4096 + 4 * 69632)...].starts(with: "service a\n\n".utf8))
        #expect(record[(4096 + 5 * 69632)...].starts(with: "service bc\n\n".utf8))
        recipe.image.verity = Located(true)
        #expect(try provisioned(recipe).tree[path] == nil)
    }
}
