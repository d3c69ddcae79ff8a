import Recipes
import RootfsModel
import TestSupport
import Testing

/// Input that is made to crash, to hang or to eat memory ends with a message.
/// The limit is for what hangs: on a busy machine a test may wait long before it begins.
@Suite(.timeLimit(.minutes(20))) struct HostileRecipes {
    /// The first mistake, without the line that it shows.
    static func firstMessage(_ bytes: [UInt8]) -> String {
        do throws(Failures) {
            _ = try load(bytes: bytes)
            return "none"
        } catch {
            let first = error.all[0]
            return (first.location.map { "\($0.line):\($0.column): " } ?? "") + first.message
        }
    }

    static func firstMessage(_ text: String) -> String { firstMessage(Array(text.utf8)) }

    @Test func bytesThatAreNoTextAreNamed() {
        #expect(Self.firstMessage(Array("recipe: 1\nname: ".utf8) + [0xFF, 0xFE]) == "2:7: byte 0xFF is not UTF-8")
        #expect(Self.firstMessage(Array("recipe: 1\nname: ü".utf8) + [0xC3]) == "2:8: byte 0xC3 is not UTF-8")
        #expect(Self.firstMessage([0xED, 0xA0, 0x80]) == "1:1: byte 0xED is not UTF-8")
        #expect(Self.firstMessage("recipe: 1\nname: a\0b") == "2:8: character U+0000 is not allowed in a recipe")
        #expect(Self.firstMessage("recipe: \u{1B}[31m") == "1:9: character U+001B is not allowed in a recipe")
        #expect(mistakes("recipe: 1\nname: \"a\\0b\"\n").contains("2:7: error: a NUL character cannot stand here"))
        #expect(Self.firstMessage("") == "1:1: the recipe is empty")
        #expect(Self.firstMessage([0]) == "1:1: character U+0000 is not allowed in a recipe")
        #expect(
            Self.firstMessage([UInt8](repeating: 0x20, count: 10 << 20))
                == "1:1: the recipe has 10485760 bytes; at most 1048576 are read")
    }

    @Test func aByteOrderMarkAndLineEndsOfOtherSystemsAreFine() throws {
        let plain = try load(example).canonicalForm
        #expect(try load("\u{FEFF}" + example).canonicalForm == plain)
        #expect(try load(example.replacing("\n", with: "\r\n")).canonicalForm == plain)
        #expect(
            mistakes(least.replacing("\n", with: "\r\n") + "machin: 1\r\n").hasPrefix(
                "recipes/a.manifest:5:1: error: unknown key"))
    }

    @Test(arguments: ["[", "{", "{a: ", "[{a: [", "- ", "? ", "a:\n ", "!!x &a "])
    func deepNestingEnds(_ opening: String) {
        for count in [33, 900, 1100, 60_000] {
            let text = String(repeating: opening, count: count)
            #expect(Self.firstMessage(text) != "none")
            #expect(Self.firstMessage(least + "description: " + text) != "none")
        }
    }

    @Test func nestingIsLimitedByName() {
        let nested = String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
        #expect(Self.firstMessage(least + "description: " + nested) == "5:45: nested more than 32 levels deep")
        let aliases = (1..<20).map { "a\($0): &a\($0) [[*a\($0 - 1)]]" }.joined(separator: "\n")
        #expect(Self.firstMessage("a0: &a0 [x]\n" + aliases).hasSuffix("nested more than 32 levels deep"))
    }

    @Test func aliasesCannotMultiplyValues() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<12 {
            let items = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(items)]\n"
        }
        #expect(Self.firstMessage(text) == "1:1: the recipe has more than 200000 values with its aliases resolved")
        // As a key, where it would have to be hashed.
        #expect(mistakes(text + "? *a11\n: 1\n").contains("13:3: error: an alias cannot be a key"))
        #expect(mistakes(text + "? [*a11, *a11]\n: 1\n").contains("13:3: error: a key must be text, found a list"))
    }

    @Test func anAliasInsideItselfIsUnknown() {
        #expect(Self.firstMessage("a: &a [*a]\n") == "1:8: alias of an unknown anchor `a`")
    }

    @Test func manyMistakesInOneLineAreShownInBounds() {
        let keys = (0..<50_000).map { "k\($0): 1" }.joined(separator: ", ")
        let text = mistakes("{\(keys)}\n")
        #expect(text.hasSuffix("error: 49904 more mistakes are not shown"))
        #expect(text.utf8.count < 200_000)
    }

    @Test func manyDuplicateKeysEnd() {
        let keys = (0..<5000).map { "k\($0 % 100): 1" }.joined(separator: "\n")
        #expect(mistakes(keys).contains("error: duplicate key `k"))
        #expect(Self.firstMessage("{a: 1, b: {? : 1, ? : 2}, \"\\x61\": 2, 'b': 3}").contains("duplicate key"))
    }

    @Test func variablesCannotMultiplyText() {
        var text = least + "variables:\n  v0: \(String(repeating: "x", count: 100))\n"
        for level in 1..<40 { text += "  v\(level): \"${v\(level - 1)}${v\(level - 1)}\"\n" }
        #expect(Self.firstMessage(text).hasSuffix("longer than 1024 KiB with its variables put in"))
        var chain = least + "variables:\n"
        for level in 0..<5000 { chain += "  v\(level): \"${v\(level + 1)}\"\n" }
        #expect(
            Self.firstMessage(chain + "  v5000: x\n").hasSuffix("variables that need variables, more than 50 in a row"))
        let big = String(repeating: "x", count: 500_000)
        let uses = (0..<1000).map { "  /etc/f\($0): ${v}" }.joined(separator: "\n")
        #expect(
            Self.firstMessage(least + "variables: {v: \(big)}\nfiles:\n" + uses)
                .hasSuffix("the recipe is longer than 16 MiB with its variables put in"))
    }

    @Test func manyServicesInACircleAreFoundInTime() {
        var text = least + "services:\n"
        let count = 8000
        for index in 0..<count { text += "  s\(index): {command: [/bin/a], after: [s\((index + 1) % count)]}\n" }
        #expect(Self.firstMessage(text).contains("services that wait for each other: s0 → s1"))
    }

    @Test func aLongTextIsFine() throws {
        let recipe = try load(least + "files: {/etc/long: \"\(String(repeating: "é", count: 400_000))\"}\n")
        #expect(recipe.files[0].content.count == 400_000)
    }

    /// Whatever the bytes are, there is a recipe or a message.
    @Test(arguments: [UInt64](1...8)) func spoiledRecipesAreRefusedOrRead(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let original = Array(example.utf8)
        let pieces = [
            "*a", "&a ", "<<: ", "${", "!!", "\"", "'", "|", "\n", "\t", "- ", ": ", "[", "}", "\u{2028}", "null",
            "${name}", "? ", "---\n",
        ]
        for _ in 0..<40 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: index)
                case 2: bytes.insert(contentsOf: Array(pieces.randomElement(using: &generator)!.utf8), at: index)
                default:
                    let end = min(bytes.count, index + Int.random(in: 1...200, using: &generator))
                    bytes.removeSubrange(index..<end)
                }
            }
            do throws(Failures) {
                let recipe = try load(bytes: bytes)
                #expect(recipe.name.value != "", "seed \(seed)")
            } catch {
                #expect(!error.all.isEmpty, "seed \(seed)")
                #expect(error.all.allSatisfy { !$0.message.isEmpty && ($0.location?.line ?? 1) >= 1 }, "seed \(seed)")
            }
        }
    }
}
