import Debian
import RootfsModel
import TestSupport
import Testing

@Suite struct Deb822Tests {
    @Test("values are verbatim: trailing blanks and continuation lines stay, comments and blank lines go")
    func parsing() throws {
        let text =
            "# head\nPackage: a\nDescription: one  \n two \n .\n\tthree\n# between\nEmpty:\nx-Y:z\n\n \t\n\nPackage: b"
        let stanzas = try Stanza.parse(Array(text.utf8), file: "x")
        #expect(stanzas.count == 2)
        #expect(stanzas[0].fields.map(\.name) == ["Package", "Description", "Empty", "x-Y"])
        #expect(stanzas[0].fields.map(\.line) == [2, 3, 8, 9])
        #expect(String(decoding: stanzas[0].fields[1].value, as: UTF8.self) == "one  \n two \n .\n\tthree")
        #expect(stanzas[0]["X-y"] == "z")
        #expect(stanzas[0]["Empty"] == "")
        #expect(stanzas[0]["Absent"] == nil)
        #expect(stanzas[0].lines("description") == ["one  ", "two ", ".", "three"])
        #expect(stanzas[1].line == 13)
        #expect(try Stanza.parse([], file: "x").isEmpty)
    }

    @Test("what is written reads back as it was")
    func roundTrip() throws {
        let stanzas = [
            Stanza([
                Stanza.Field("A", Array("b ".utf8)), Stanza.Field("C", []), Stanza.Field("D", Array("\n x\n y".utf8)),
                Stanza.Field("Bytes", [0xff, 0x00, 0xfe]),
            ]),
            Stanza([Stanza.Field("E", Array("f:g".utf8))]),
        ]
        let bytes = Stanza.write(stanzas)
        #expect(try Stanza.parse(bytes, file: "x") == stanzas)
        #expect(bytes.starts(with: Array("A: b \nC:\nD:\n x\n y\n".utf8)))
    }

    @Test("a field is replaced in its place or appended")
    func setting() {
        var stanza = Stanza([Stanza.Field("A", Array("1".utf8)), Stanza.Field("B", Array("2".utf8))])
        stanza.set("a", to: "3")
        stanza.set("C", to: "4")
        #expect(String(decoding: stanza.bytes, as: UTF8.self) == "a: 3\nB: 2\nC: 4\n")
    }

    @Test(
        "a mistake is shown with its place",
        arguments: [
            (" x: y", "f:1:1: error: a continuation line without a field before it\n 1 |  x: y\n   | ^"),
            ("A: b\nnothing", "f:2:1: error: expected a field (Name: value)\n 2 | nothing\n   | ^^^^^^^"),
            ("A: b\na: c", "f:2:1: error: field a stands twice in one stanza\n 2 | a: c\n   | ^"),
            ("A B: c", "f:1:1: error: a field's name has a character that is not allowed\n 1 | A B: c\n   | ^^^"),
            (":x", "f:1:1: error: expected a field (Name: value)\n 1 | :x\n   | ^^"),
        ])
    func mistakes(text: String, message: String) {
        do {
            _ = try Stanza.parse(Array(text.utf8), file: "f")
            Issue.record("no failure")
        } catch { #expect(error.description == message) }
    }

    @Test("CR LF is refused")
    func lineEnds() {
        #expect(throws: Failure.self) { try Stanza.parse(Array("A: b\r\nC: d\r\n".utf8), file: "f") }
    }

    @Test("no bytes crash the parsers")
    func hostile() {
        var generator = SeededGenerator(seed: 4)
        let alphabet = Array("ab:A\n\n \t#,|()[]<>=~-+.0\r".utf8) + [0, 0x80, 0xff]
        for _ in 0..<1_000 {
            let bytes = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator)!
            }
            _ = try? Stanza.parse(bytes, file: "f")
            _ = try? PackageIndex(parsing: bytes, file: "f")
            _ = try? DependencyGroup.parse(String(decoding: bytes, as: UTF8.self), context: "f")
            _ = try? Lock(parsing: Array("Lock-Version: 1\n".utf8) + bytes, file: "f")
            _ = try? ReleaseFile(parsing: bytes, file: "f")
            _ = try? PackageStanza(
                parsing: Array("Package: a\nVersion: 1\nArchitecture: all\nDepends: ".utf8) + bytes, file: "f")
            _ = parseArchiveDate(String(decoding: bytes, as: UTF8.self))
        }
    }
}
