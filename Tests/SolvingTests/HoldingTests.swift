import Debian
import RootfsModel
import Solving
import Testing

/// Packages that stay while others move.
@Suite struct HoldingTests {
    /// `name version` lines with relations behind them, as an index; each stanza has a digest of its own.
    private static func source(_ pocket: String, _ lines: String) throws -> Universe.Source {
        let stanzas = lines.split(separator: "\n").map { line -> String in
            let parts = line.split(separator: ";")
            let words = parts[0].split(separator: " ")
            let fields = parts.dropFirst().map { $0.drop { $0 == " " } + "\n" }.joined()
            return "Package: \(words[0])\nVersion: \(words[1])\nArchitecture: all\n\(fields)"
                + "SHA256: \(digest("\(words[0]) \(words[1])").hex)\n"
        }
        let index = try PackageIndex(parsing: Array(stanzas.joined(separator: "\n").utf8), file: pocket)
        return Universe.Source(pocket: pocket, index: index)
    }

    private static func digest(_ label: String) -> Digest { Digest(hashing: label) }

    private static func held(_ labels: [String]) -> [HeldPackage] {
        labels.map { label in
            let words = label.split(separator: " ").map(String.init)
            return HeldPackage(name: words[0], version: words[1], sha256: digest(label))
        }
    }

    /// What the locked packages become when these move, and why those that were not named did.
    private func update(
        _ moving: [String], locked: [String], requests: [String], old: String, new: String
    ) throws -> (packages: [String], because: [String: String]) {
        var universe = try Universe(
            architecture: "amd64", sources: [Self.source("old", old), Self.source("new", new)])
        let requests = try requests.map { try Request(parsing: $0) }
        let stays = Self.held(locked).filter { !moving.contains($0.name) }
        let because = try universe.hold(stays, moving: moving, requests: requests)
        let solution = try universe.solve(
            [LayerRequests(layer: "asked", requests: requests)], present: Self.held(locked).map(\.name))
        return (solution.packages.map { "\($0.stanza.name) \($0.stanza.version)" }, because)
    }

    private let old = """
        app 1; Depends: libapp (>= 1), tool
        libapp 1
        tool 1; Depends: libtool1 (= 1)
        libtool1 1
        """

    @Test func whatIsNotNamedStays() throws {
        let new = "app 2; Depends: libapp (>= 1), tool\nlibapp 2\ntool 2; Depends: libtool1 (= 2)\nlibtool1 2\n"
        let locked = ["app 1", "libapp 1", "tool 1", "libtool1 1"]
        let app = try update(["app"], locked: locked, requests: ["app"], old: old, new: new)
        #expect(app.packages == ["app 2", "libapp 1", "libtool1 1", "tool 1"])
        #expect(app.because == [:])
        // Siblings that ask for each other's version move together, from above and from below.
        let tool = try update(["tool"], locked: locked, requests: ["app"], old: old, new: new)
        #expect(tool.packages == ["app 1", "libapp 1", "libtool1 2", "tool 2"])
        #expect(tool.because == ["libtool1": "tool 2 depends on libtool1 (= 2)"])
        let library = try update(["libtool1"], locked: locked, requests: ["app"], old: old, new: new)
        #expect(library.packages == ["app 1", "libapp 1", "libtool1 2", "tool 2"])
        #expect(library.because == ["tool": "tool 1 depends on libtool1 (= 1)"])
        #expect(try update([], locked: locked, requests: ["app"], old: old, new: new).packages == locked.sorted())
    }

    @Test func aNewVersionBringsWhatItAsksFor() throws {
        // The new dependency asks for a newer libapp in its turn.
        let new = "app 2; Depends: libapp (>= 1), tool, more\nmore 5; Depends: libapp (>= 2)\nlibapp 2\ntool 2\n"
        let app = try update(
            ["app"], locked: ["app 1", "libapp 1", "tool 1", "libtool1 1"], requests: ["app"], old: old, new: new)
        #expect(app.packages == ["app 2", "libapp 2", "libtool1 1", "more 5", "tool 1"])
        #expect(app.because == ["libapp": "more 5 depends on libapp (>= 2)"])
    }

    @Test func aConflictMovesTheOther() throws {
        let new = "app 2; Depends: libapp, tool; Breaks: tool (<< 2)\ntool 2; Depends: libtool1 (>= 1)\n"
        let locked = ["app 1", "libapp 1", "tool 1", "libtool1 1"]
        let app = try update(["app"], locked: locked, requests: ["app"], old: old, new: new)
        #expect(app.packages == ["app 2", "libapp 1", "libtool1 1", "tool 2"])
        #expect(app.because == ["tool": "app 2 does not go with tool (<< 2)"])
    }

    @Test func whatIsThereIsNotExchangedForWhatCame() throws {
        let old = "app 1; Depends: server\nvim 1; Provides: server\n"
        // Named after all others and of a higher priority, apt would take it for a fresh installation.
        let new = "nano 1; Provides: server; Priority: required\nadd 1\n"
        #expect(try update([], locked: [], requests: ["app"], old: old, new: new).packages == ["app 1", "nano 1"])
        let kept = try update([], locked: ["app 1", "vim 1"], requests: ["app", "add"], old: old, new: new)
        #expect(kept.packages == ["add 1", "app 1", "vim 1"])
        // What nothing needs any more goes.
        let left = try update([], locked: ["app 1", "vim 1"], requests: ["add"], old: old, new: new)
        #expect(left.packages == ["add 1"])
    }

    @Test func anotherBuildOfTheSameVersionIsAnotherPackage() throws {
        let sources = try [Self.source("old", "a 1"), Self.source("new", "a 2")]
        var universe = try Universe(architecture: "amd64", sources: sources)
        #expect(try universe.has(Self.held(["a 1"])[0]))
        let other = HeldPackage(name: "a", version: "1", sha256: Self.digest("else"))
        #expect(try !universe.has(other))
        _ = try universe.hold([other], moving: [], requests: [])
        #expect(try universe.candidate("a")?.version.description == "2")
        // A version that is asked for counts more.
        _ = try universe.hold(Self.held(["a 1"]), moving: [], requests: [Request("a", version: "2")])
        #expect(try universe.candidate("a")?.version.description == "2")
        _ = try universe.hold(Self.held(["a 1"]), moving: [], requests: [Request("a")])
        #expect(try universe.candidate("a")?.version.description == "1")
    }
}
