import RootfsModel
import TestSupport
import Testing

@testable import Checks

@Suite struct ShellScriptTests {
    /// The literal words of every command that is certain to run.
    func certain(_ text: String, environment: [String: String] = [:], arguments: [String]? = nil) -> [[String]] {
        let script = ShellScript(parsing: Array(text.utf8))
        let values = ShellValues(script, environment: environment, arguments: arguments)
        return script.commands.filter { $0.isCertain && !$0.words.isEmpty }.map { values.words(of: $0).words }
    }

    @Test func `commands in a row are certain, those behind a condition are not`() {
        #expect(
            certain("a 1\nb; c && d || e\nif f; then g; else h; fi\nfor x in 1 2; do i; done; case x in y) j;; esac; k")
                == [["a", "1"], ["b"], ["c"], ["f"], ["k"]])
    }

    @Test func `a group behind a condition depends on it as a whole`() {
        #expect(certain("a && {\n  b\n  c\n}\n(\n  d\n  e\n)\nf || (g; h)\ni").map(\.[0]) == ["a", "d", "e", "f", "i"])
    }

    @Test func `a loop without an end runs, and what is behind exec does not`() {
        #expect(
            certain("while true; do a; sleep 1; done &\nwhile b; do c; done\nexec d\ne").map(\.[0]) == [
                "true", "a", "sleep", "b", "exec",
            ])
    }

    @Test func `a function's commands run where it is called`() {
        #expect(
            certain("f() {\n  a\n}\nfunction g { b; }\nh ()\n{ c\n}\nf\nif x; then h; fi").map(\.[0]) == [
                "a", "f", "x",
            ])
    }

    @Test func `quotes, comments and here-documents are the shell's`() {
        #expect(
            certain("'a b'\"c\"\\ d # e\ncat <<EOF\nf\nEOF\ng 2>&1 >/dev/null\nh=$(i; j) k\nl `m` n") == [
                ["a bc d"], ["cat"], ["g"], ["k"], ["l"],
            ])
    }

    @Test func `a variable that is assigned once has its value`() {
        #expect(
            certain(
                "A=/x\nB=$A/y\nexport C=\"${D:-/z}\"\n$A 1\n\"$B\" ${C}\nif q; then E=1; fi; $E\n$F",
                environment: ["F": "g h"])
                == [["export", "C=/z"], ["/x", "1"], ["/x/y", "/z"], ["q"], [], ["g", "h"]])
    }

    @Test func `what bash tests and reckons is no command`() {
        #expect(
            certain("[[ $a =~ ^(b|c)$ && -x /d ]]\n((e++))\nfor ((f = 0; f < 2; f++)); do g; done\nh").map {
                $0.first ?? ""
            }
                == ["[[", "", "h"])
    }

    @Test func `arguments reach the command`() {
        #expect(
            certain("exec \"$@\"", arguments: ["/entry", "/usr/bin/node", "a b"]) == [["exec", "/usr/bin/node", "a b"]])
        #expect(certain("shift; exec \"$@\"", arguments: ["/entry", "/usr/bin/node"]) == [["shift"], ["exec"]])
    }

    @Test func `redirections and background are kept`() throws {
        let script = ShellScript(parsing: Array("a >/dev/null 2>&1 &\nb >>/var/log/b".utf8))
        #expect(script.commands.map(\.isBackground) == [true, false])
        #expect(script.commands[0].redirections.map(\.sign) == [">", ">&"])
        #expect(script.commands[0].redirections.map(\.descriptor) == [nil, 2])
        #expect(script.commands[1].redirections.map(\.target.literal) == ["/var/log/b"])
    }

    @Test func `no text stops it`() {
        var random = SeededGenerator(seed: 20)
        let signs = Array("ab \n;&|(){}<>'\"`$\\#=![]*-/1if do done case esac in then fi while".utf8)
        for _ in 0..<4000 {
            let text = (0..<Int.random(in: 0..<60, using: &random)).map { _ in signs.randomElement(using: &random) ?? 0
            }
            let script = ShellScript(parsing: text)
            let values = ShellValues(script, environment: [:], arguments: nil)
            for command in script.commands { #expect(values.words(of: command).words.count < 100) }
        }
    }
}
