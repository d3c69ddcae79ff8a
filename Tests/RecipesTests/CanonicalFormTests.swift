import Recipes
import RootfsModel
import TestSupport
import Testing

/// A recipe of random parts, as lines that can stand in any order.
struct RandomRecipe {
    var parts: [String]

    init(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        func maybe() -> Bool { Bool.random(using: &generator) }
        func pick<Item>(_ items: [Item]) -> Item { items.randomElement(using: &generator)! }
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
        func texts(_ items: [String]) -> String {
            "[" + items.shuffled(using: &generator).prefix(number(1...items.count)).joined(separator: ", ") + "]"
        }
        let words = [
            "x", "\"a: b\"", "'it''s'", "\"\\u00e9\\n\\t\\x1b\"", "no", "012", "\"$${HOME}\"", "\"$$ $\"", "日本",
            "\"\\\\ \\\" /\"", "\"${v}\"",
        ]
        func word() -> String { pick(words) }
        parts = [
            "recipe: 1", "name: n\(seed)",
            "variables: {v: \(pick(words.filter { !$0.contains("${v}") })), w: \"${v}!\"}",
        ]
        parts.append(
            "archive: {suite: \(pick(["bookworm", "trixie"])), components: \(texts(["main", "contrib"])), exclude: \(texts(["usrmerge", "g++", "libc6"]))"
                + (maybe() ? ", architecture: arm64, mirror: \"http://a/b\", keyring: keys/k.gpg" : "") + "}")
        parts.append(
            "layers:\n"
                + (0..<number(1...4)).map {
                    "  - {name: l\($0), packages: \(texts(["dbus", "xvfb:amd64", "nodejs=18.1~a-1", "g++"]))}"
                }
                .joined(separator: "\n"))
        if maybe() { parts.append("description: \(word())") }
        if maybe() {
            parts.append(
                pick([
                    "node: {package: nodejs}",
                    "node: {archive: {file: \(word()), sha256: \(Digest(hashing: "x").hex)}}",
                ]))
        }
        if maybe() {
            parts.append(
                pick([
                    "kernel: none", "kernel: {file: \(word()), initrd: never, modules: []}",
                    "kernel: {package: linux, arguments: \(texts(["quiet", "a=b"]))}",
                ]))
        }
        if maybe() {
            parts.append(
                "overlays:\n  - overlays/a\n  - {source: \(word()), target: /opt//x/, owner: \(pick(["a", "a:b", "0:7"])), mode: {\"*.sh\": 0755, \"*\": \"600\"}, template: [\(word())]}"
            )
        }
        if maybe() {
            parts.append(
                "users:\n"
                    + (0..<number(1...3)).map { "  - {name: u\($0), uid: \(1000 + $0), groups: [video]}" }.joined(
                        separator: "\n"))
        }
        if maybe() { parts.append("hostname: h.x-1") }
        if maybe() { parts.append("timezone: Europe/Berlin") }
        if maybe() {
            parts.append(
                "files: {/etc/b: \(word()), \"/etc//\(number(0...9))\": {content: \(word()), mode: 0\(pick(["644", "4755"])), owner: a}, /etc/a: \(word())}"
            )
        }
        if maybe() { parts.append("remove: [\"/usr/share/doc/*\", /a]") }
        if maybe() {
            parts.append(
                "services:\n  z: {command: [/bin/z, \(word())]}\n  a:\n    command: [/bin/a]\n    after: [z]\n    environment: {B: \(word()), A: \(word())}\n    restart: {policy: on-failure, backoff: \(number(1...900))ms..\(number(1...9))s, limit: \(number(1...9)) in \(number(1...99))s}\n    ready: {\(pick(["tcp: 80", "file: /x", "unix: /y", "http: \"http://a:1/\""])), within: \(number(1...500))s}"
            )
        }
        if maybe() {
            parts.append(
                "image: {\(pick(["size", "free"])): \(number(1...5000))\(pick(["MiB", "MB"])), journal: \(maybe())}")
        }
        if maybe() { parts.append("machine: {vcpus: \(number(1...32)), memory: \(number(64...9000))MiB}") }
        if maybe() { parts.append("boot: {within: \(number(1...3))min, expect: [\"login:\", \(word())]}") }
        if maybe() {
            parts.append(
                "nightly: {boot: \(maybe()), size-growth: \(number(0...1000))%, allow: \(pick(["all", "none", "security"])), keep: \(pick(["\"3 nights, 1 week\"", "\(number(1...9)) nights", "{weeks: 2}"])), report: \(word())}"
            )
        }
    }
}

@Suite struct CanonicalForm {
    @Test(arguments: [UInt64](1...60)) func isARecipeThatReadsBackAsItself(seed: UInt64) throws {
        let random = RandomRecipe(seed: seed)
        let recipe = try load(random.parts.joined(separator: "\n") + "\n")
        let canonical = recipe.canonicalForm
        #expect(try load(canonical).canonicalForm == canonical, "seed \(seed)")
        var generator = SeededGenerator(seed: seed &* 31)
        let shuffled = try load(random.parts.shuffled(using: &generator).joined(separator: "\n") + "\n")
        #expect(shuffled.canonicalForm == canonical, "seed \(seed)")
        #expect(shuffled.digest == recipe.digest, "seed \(seed)")
    }

    @Test func saysTheSameForOtherSpellings() throws {
        let one = try load(
            least
                + "machine: {memory: 1GiB, vcpus: 1}\nimage: {size: 4GiB}\nhostname: small\nusers: [{name: a}]\nfiles: {/etc//x: \"a\"}\n"
        )
        let other = try load(
            least
                + "files:\n  /etc/x: {content: a, mode: \"0644\"}\nusers: [{shell: /usr/sbin/nologin, name: 'a'}]\nimage: {size: 4096MiB, journal: false}\n"
        )
        #expect(one.canonicalForm == other.canonicalForm)
    }

    @Test func tellsDifferentRecipesApart() throws {
        let texts = [
            "", "description: x\n", "variables: {a: b}\n", "kernel: {file: k}\n", "kernel: {package: kk}\n",
            "files: {/a: x}\n", "files: {/a: y}\n",
            "machine: {vcpus: 2}\n", "overlays: [a, b]\n", "overlays: [b, a]\n", "hostname: other\n",
            "overlays: [{source: a, mode: {\"a\": 0755, \"*\": 0644}}]\n",
            "overlays: [{source: a, mode: {\"*\": 0644, \"a\": 0755}}]\n", "nightly: {boot: false}\n",
        ]
        #expect(Set(try texts.map { try load(least + $0).canonicalForm }).count == texts.count)
        // A variable that nothing uses is in no output, nor is what a nightly build may do.
        #expect(Set(try texts.map { try load(least + $0).digest }).count == texts.count - 2)
    }

    @Test func ofTheExampleIsPinned() throws {
        // A difference here makes every image stale.
        try expectGolden(try load(example).canonicalForm + "\n", "example.canonical.json")
    }
}
