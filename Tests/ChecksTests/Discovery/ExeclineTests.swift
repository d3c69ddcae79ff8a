import RootfsModel
import Testing

@testable import Checks

@Suite struct ExeclineTests {
    @Test(arguments: [
        (
            "#!/bin/execlineb -P\nfdmove -c 2 1\ns6-setuidgid web:web\nnode /opt/x.js # comment",
            ["node", "/opt/x.js"], "web"
        ),
        ("foreground { echo { a } }\ncd /tmp\nexport A \"b c\"\nsleep 1", ["sleep", "1"], nil),
        ("importas -D 80 PORT PORT\nserver", ["server"], nil),
    ]) func `a script becomes its last program`(text: String, words: [String], user: String?) throws {
        let command = try #require(Execline(parsing: text)?.command)
        #expect(command.words == words)
        #expect(command.user == user)
    }

    @Test(arguments: ["", "# nothing\n", "cd /tmp", "server $PORT", "foreground { a"])
    func `what cannot be told is left alone`(text: String) {
        #expect(Execline(parsing: text) == nil)
    }

    @Test func `what an s6 service becomes is followed`() throws {
        let overlay = "/etc/s6-overlay/s6-rc.d"
        let tree = HandmadeTree([
            "/sbin/init": .script("#!/bin/sh\nexec s6-svscan /run/service\n"),
            "/bin/sh": .bytes(elfBytes(), mode: 0o755),
            "/usr/bin/s6-svscan": .bytes(elfBytes(), mode: 0o755), "/bin/execlineb": .bytes(elfBytes(), mode: 0o755),
            "/etc/services.d/web/run": .script("#!/bin/execlineb -P\nfdmove -c 2 1\n/usr/local/bin/node server.js\n"),
            "\(overlay)/user/contents.d/app": .text(""), "\(overlay)/user/type": .text("bundle\n"),
            "\(overlay)/app/type": .text("longrun\n"), "\(overlay)/app/run": .script("#!/bin/sh\nexec /opt/no/app\n"),
            "\(overlay)/app/dependencies.d/once": .text(""), "\(overlay)/once/type": .text("oneshot\n"),
            "\(overlay)/once/up": .text("/opt/no/once\n"),
            "\(overlay)/idle/type": .text("longrun\n"),
            "\(overlay)/idle/run": .script("#!/bin/sh\nexec /opt/no/idle\n"),
        ])
        #expect(try tree.subject().services.map(\.name) == ["init", "web", "app", "once"])
        let missing = try check(tree.subject()).filter { $0.id == "exec/missing" }.compactMap(\.service)
        #expect(Set(missing) == ["web", "app", "once"])
    }
}
