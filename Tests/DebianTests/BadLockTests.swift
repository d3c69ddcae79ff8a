import Debian
import RootfsModel
import Testing

/// Locks that somebody edited, merged or mixed up.
@Suite struct BadLockTests {
    private func message(_ text: String, owner: Lock.Owner? = nil) -> String {
        do {
            _ = try Lock(parsing: Array(text.utf8), file: "a.lock", owner: owner)
            return "no failure"
        } catch { return error.description }
    }

    private let text = LockTests.full.text

    @Test func theMarksOfAMergeConflictAreSaidToBeThat() {
        let said = """
            a.lock:2:1: error: this lock has the marks of a merge conflict
             2 | <<<<<<< HEAD: ours
               | ^^^^^^^
            hint: take one side as a whole, then run rootfs-build lock --update for its recipe
            """
        #expect(
            message(
                text.replacing(
                    "Recipe: browser\n",
                    with: "<<<<<<< HEAD: ours\nRecipe: browser\n=======\nRecipe: other\n>>>>>>> theirs\n")) == said)
        for mark in ["=======", ">>>>>>> theirs", "||||||| base"] {
            #expect(message(text + mark + "\n").contains("marks of a merge conflict\n 73 | \(mark)"))
        }
    }

    @Test func anothersLockIsRefused() {
        let hint = "run rootfs-build lock --update r.manifest"
        #expect(message(text, owner: .init(recipe: "browser", architecture: "amd64", hint: hint)) == "no failure")
        #expect(
            message(text, owner: .init(recipe: "minimal", architecture: "arm64", hint: hint)) == """
                a.lock:2:9: error: this is the lock of browser, not of minimal
                 2 | Recipe: browser
                   |         ^^^^^^^
                hint: \(hint)
                a.lock:3:15: error: this lock is for amd64, the recipe for arm64
                 3 | Architecture: amd64
                   |               ^^^^^
                hint: \(hint)
                """)
    }

    @Test func aMomentOrASizeThatNothingCanHaveIsRefused() {
        for moment in ["0", "4294967296", "9223372036854775807"] {
            #expect(
                message(text.replacing("Moment: 1783764997", with: "Moment: \(moment)"))
                    == """
                    a.lock:4:9: error: \(moment) is not from 1 to 4294967295
                     4 | Moment: \(moment)
                       |         \(String(repeating: "^", count: moment.count))
                    """)
        }
        #expect(message(text.replacing("Moment: 1783764997", with: "Moment: 4294967295")) == "no failure")
        for (size, line) in [("Size: 10", 37), ("Size: 5", 71)] {
            let said = message(text.replacing("\n\(size)\n", with: "\nSize: 9223372036854775807\n"))
            #expect(
                said.contains("a.lock:\(line):7: error: 9223372036854775807 is not from 0 to 1099511627776\n"),
                "\(said)")
        }
        #expect(message(text.replacing("Size: 10", with: "Size: 1099511627776")) == "no failure")
    }

    @Test func aPackageIsPinnedOnce() {
        for pins in ["nodejs 18.*, nodejs 20.*", "nodejs 18.*, libc6, curl 7", "nodejs 18.*, curl 7 8"] {
            let said = message(text.replacing("Pins: nodejs 18.*", with: "Pins: \(pins)"))
            #expect(
                said == """
                    a.lock:7:7: error: this is no list of packages, each once, and patterns: `nodejs 18.*`
                     7 | Pins: \(pins)
                       |       \(String(repeating: "^", count: pins.count))
                    """)
        }
    }

    @Test func theOrderOfTheStanzasDoesNotCount() throws {
        let stanzas = text.dropLast().split(separator: "\n\n").map { String($0.drop { $0 == "\n" }) }
        // Only the request sets are in an order: that of the layers.
        let requests = stanzas.filter { $0.hasPrefix("Request") }
        let others = stanzas.dropFirst().filter { !$0.hasPrefix("Request") }
        let shuffled = ([stanzas[0]] + others.reversed() + requests).joined(separator: "\n\n") + "\n"
        #expect(shuffled != text)
        #expect(try Lock(parsing: Array(shuffled.utf8), file: "a.lock") == LockTests.full)
    }

    @Test func aPackageIsInOneLayerThatTheLockHas() {
        let stanzas = text.dropLast().split(separator: "\n\n").map { String($0.drop { $0 == "\n" }) }
        let last = stanzas.count - 2
        #expect(stanzas[last].hasPrefix("Package: nodejs\n"))
        /// The lock's text with the stanza of nodejs changed.
        func changed(_ old: String, _ new: String) -> String {
            var stanzas = stanzas
            stanzas[last] = stanzas[last].replacing(old, with: new)
            return stanzas.joined(separator: "\n\n") + "\n"
        }
        let twice = text + "\n" + stanzas[last].replacing("Layer: web", with: "Layer: base") + "\n"
        let said = "a.lock:74:10: error: this stanza stands in the lock twice, first in line 61\n"
        #expect(message(twice).contains(said))
        #expect(
            message(changed("amd64", "arm64")) == """
                a.lock:63:15: error: the lock is for amd64
                 63 | Architecture: arm64
                    |               ^^^^^
                """)
        let hint = "run rootfs-build lock --update r.manifest"
        #expect(
            message(
                text.replacing("Exclude: usrmerge", with: "Exclude: nodejs, usrmerge"),
                owner: .init(recipe: "browser", architecture: "amd64", hint: hint)) == """
                    a.lock:61:10: error: the lock excludes nodejs
                     61 | Package: nodejs
                        |          ^^^^^^
                    hint: \(hint)
                    """)
        let other = changed("Layer: web", "Layer: wed")
        #expect(
            message(other) == """
                a.lock:68:8: error: the lock has no layer wed
                 68 | Layer: wed
                    |        ^^^
                hint: did you mean web?
                """)
    }
}
