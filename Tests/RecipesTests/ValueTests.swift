import Recipes
import RootfsModel
import TestSupport
import Testing

@Suite struct ValuesOfARecipe {
    @Test(arguments: [
        ("512MiB", UInt64(536_870_912)), ("1.6GiB", 1_717_986_918), ("4GB", 4_000_000_000), ("17B", 17), ("1 kB", 1000),
        ("0.5KiB", 512), ("2TiB", 2 << 40),
    ])
    func sizesHaveUnits(_ text: String, _ bytes: UInt64) {
        #expect(ByteCount(text)?.bytes == bytes)
    }

    @Test(arguments: [
        "512", "MiB", "", "1.MiB", ".5MiB", "-1MiB", "1e3MiB", "1mib", "99999999999TiB", "1,5GiB", "0x1MiB", "٣MiB",
    ])
    func otherTextsAreNoSizes(_ text: String) {
        #expect(ByteCount(text) == nil)
    }

    @Test(arguments: [
        ("30s", Duration.seconds(30)), ("1.5s", .milliseconds(1500)), ("200ms", .milliseconds(200)),
        ("2m", .seconds(120)),
        ("5min", .seconds(300)), ("1h", .seconds(3600)),
    ])
    func durationsHaveUnits(_ text: String, _ duration: Duration) {
        #expect(Duration(recipeText: text) == duration)
    }

    @Test(arguments: ["30", "s", "1.5ms", "9000000h", "30 S", "1d"])
    func otherTextsAreNoDurations(_ text: String) {
        #expect(Duration(recipeText: text) == nil)
    }

    @Test func quantitiesComeBackFromTheirShortestText() {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<2000 {
            let bytes =
                UInt64.random(in: 0...UInt64(Int64.max), using: &generator)
                >> UInt64.random(in: 0...62, using: &generator)
            for count in [bytes, bytes / 1024 * 1024, bytes / 1_000_000 * 1_000_000] where count < 100_000_000_000_000 {
                #expect(ByteCount(ByteCount(bytes: count).description)?.bytes == count)
            }
            let duration = Duration.milliseconds(Int64.random(in: 0...31_000_000_000, using: &generator))
            #expect(Duration(recipeText: duration.recipeText) == duration)
        }
    }

    /// Plain scalars that YAML 1.1 reads as truth values, numbers, times or nothing.
    @Test(arguments: ["yes", "no", "on", "off", "y", "n", "012", "1.10", "1e3", "0x1F", "1_000", "2001-01-01"])
    func textsStayAsTheyAreWritten(_ text: String) throws {
        let recipe = try load(
            least + "description: \(text)\nvariables: {v: \(text)}\nfiles: {/etc/v: \(text)}\nimage: {label: \(text)}\n"
        )
        #expect(recipe.description == text)
        #expect(recipe.variables["v"] == text)
        #expect(recipe.files[0].content == text)
        #expect(recipe.image.label.value == text)
    }

    @Test func aHostCanBeNamedLikeATruthValueOrANumber() throws {
        #expect(try load(least + "hostname: no\n").hostname.value == "no")
        #expect(try load(least + "hostname: 1.10\n").hostname.value == "1.10")
        #expect(try load(least + "hostname: 08\n").hostname.value == "08")
    }

    @Test(arguments: [
        ("0755", UInt16(0o755)), ("\"755\"", 0o755), ("0o4755", 0o4755), ("\"0644\"", 0o644), ("01777", 0o1777),
        ("\"000\"", 0),
    ])
    func modesAreOctal(_ text: String, _ mode: UInt16) throws {
        #expect(try load(least + "overlays: [{source: a, mode: {\"*\": \(text)}}]\n").overlays[0].modes[0].mode == mode)
    }

    @Test func whatIsNotWrittenHasItsDefault() throws {
        let recipe = try load(least)
        #expect(recipe.archive.distribution == .debian)
        #expect(recipe.archive.pockets.map(\.value) == [.updates, .security])
        #expect(recipe.archive.components.map(\.value) == ["main"])
        #expect(recipe.archive.architecture == nil && recipe.archive.mirror == nil && recipe.archive.keyring == nil)
        #expect(recipe.kernel == nil && recipe.node == nil)
        #expect(recipe.hostname.value == "small" && recipe.timezone.value == "UTC" && recipe.locale.value == "C.UTF-8")
        #expect(recipe.image.label.value == "small")
        #expect(recipe.image.size.value == .free(ByteCount(bytes: 128 << 20)))
        #expect(!recipe.image.journal)
        #expect(recipe.boot.within == .seconds(120))
        #expect(try load(least + "kernel: none\n").kernel == nil)
        #expect(try load(least + "kernel: null\nservices:\noverlays: ~\n").canonicalForm == recipe.canonicalForm)
        #expect(
            try load(least.replacing("name: small", with: "name: a_name.of-more_than.16")).image.label.value
                == "a_name.of-more_t")
        #expect(try load(least.replacing("name: small", with: "name: a_name_")).hostname.value == "a-name")
    }

    @Test func whatALaterStageMayPointAtKnowsItsPlace() throws {
        let recipe = try load(example)
        let lines = example.split(separator: "\n", omittingEmptySubsequences: false)
        func text(_ location: RootfsModel.SourceLocation?) -> String? {
            location.map { String(lines[$0.line - 1].dropFirst($0.column - 1).prefix($0.length)) }
        }
        #expect(text(recipe.layers[1].packages[3].location) == "gstreamer1.0-nice")
        #expect(text(recipe.overlays[0].source.location) == "overlays/supervisor")
        #expect(text(recipe.overlays[1].owner.location) == "agent:agent")
        #expect(text(recipe.overlays[1].modes[0].pattern.location) == "\"*.sh\"")
        #expect(text(recipe.services[1].name.location) == "webrtc")
        #expect(text(recipe.services[1].user.location) == "agent")
        #expect(text(recipe.services[1].after[0].location) == "display")
        #expect(text(recipe.services[1].command[1].location) == "/opt/vm-browser-agent/webrtc-server.js")
        #expect(text(recipe.files[0].path.location) == "/etc/motd")
        #expect(text(recipe.remove[1].location) == "\"/usr/share/man/*\"")
        #expect(text(recipe.kernel?.modules?[2].location) == "virtio_net")
        #expect(text(recipe.users[0].shell.location) == "/usr/sbin/nologin")
        #expect(recipe.timezone.location?.line == 43)
        #expect(try load(least).timezone.location == nil)
    }

    @Test func aliasesBringTheirAnchorsValue() throws {
        let recipe = try load(
            least + """
                services:
                  a: &s {command: &c [/bin/a, "*c"], user: &u agent}
                  b: *s
                  c: {command: *c, user: *u}

                """)
        #expect(
            recipe.services.map { $0.command.map(\.value) } == [
                ["/bin/a", "*c"], ["/bin/a", "*c"], ["/bin/a", "*c"],
            ])
        #expect(recipe.services.map(\.user.value) == ["agent", "agent", "agent"])
    }

    @Test func readinessHasSixKinds() throws {
        let probes: [(String, Recipe.ReadinessProbe)] = [
            ("http: \"http://[::1]:80/x?y\"", .http("http://[::1]:80/x?y")),
            ("tcp: 8080", .tcp(host: "127.0.0.1", port: 8080)),
            ("tcp: \"[::1]:80\"", .tcp(host: "::1", port: 80)), ("tcp: localhost:1", .tcp(host: "localhost", port: 1)),
            ("file: /run/x", .file("/run/x")), ("unix: /run/s.sock", .unix("/run/s.sock")),
            ("console: \"listening on: 80\"", .console("listening on: 80")),
        ]
        for (text, probe) in probes {
            let recipe = try load(
                least + "services: {web: {command: [/bin/a], restart: never, ready: {\(text), within: 1.5s}}}\n")
            #expect(recipe.services[0].ready?.probe.value == probe)
            #expect(recipe.services[0].ready?.within == .milliseconds(1500))
            #expect(recipe.services[0].restart.policy == .never)
        }
    }
    @Test func aServiceHasLimitsAPlaceAndAWatchdog() throws {
        let recipe = try load(
            least + """
                services:
                  web:
                    command: [/bin/a]
                    group: video
                    directory: /opt/web/
                    watchdog: 15s
                    resources: {memory: 512MiB, files: 4096, tasks: 200}
                    ready: {command: [/usr/bin/test, -e, /run/x]}
                supervisor: {trim: [fstrim, apt-timers, fstrim], log: /srv/all.log}

                """)
        let web = recipe.services[0]
        #expect(web.group?.value == "video")
        #expect(web.directory?.value == "/opt/web")
        #expect(web.watchdog == .seconds(15))
        #expect(web.resources.memory == ByteCount(bytes: 512 << 20))
        #expect(web.resources.files == 4096)
        #expect(web.resources.tasks == 200)
        guard case .command(let words)? = web.ready?.probe.value else { throw CancellationError() }
        #expect(words.map(\.value) == ["/usr/bin/test", "-e", "/run/x"])
        #expect(recipe.supervisor.trim == [.aptTimers, .fstrim])
        #expect(recipe.supervisor.log.value == "/srv/all.log")
        #expect(try load(least + "supervisor: {trim: false}\n").supervisor.trim == [])
        #expect(try load(least).supervisor.trim == Recipe.TrimStep.allCases)
    }
}
