import Attesting
import TestSupport
import Testing

@Suite struct CopyrightFileTests {
    static let machineReadable = """
        Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
        Upstream-Name: tool

        Files: *
        Copyright: 2020 Somebody
        License: GPL-2+ or Artistic

        Files: lib/*.c
         lib/*.h
        Copyright: 2021 Somebody Else
        License: Expat
         Permission is hereby granted
         .
         to everybody.

        Files: debian/*
        Copyright: 2022 The Packager
        License: House-Rules

        License: GPL-2+
         On Debian systems the text is in /usr/share/common-licenses/GPL-2.

        License: House-Rules
         Be nice.
        """

    private func licence(_ text: String, _ book: inout LicenceBook) -> PackageLicence {
        PackageLicence(
            package: "tool", version: "1", architecture: "all", file: "/usr/share/doc/tool/copyright",
            copyright: CopyrightFile(parsing: Array(text.utf8)), book: &book)
    }

    @Test func `a machine-readable file declares an expression of all its stanzas`() throws {
        var book = LicenceBook()
        let found = licence(Self.machineReadable, &book)
        #expect(found.form == .machineReadable)
        let reference = try #require(book.entries.keys.first)
        #expect(reference.hasPrefix("LicenseRef-House-Rules-"))
        #expect(
            found.expression == "(Artistic-1.0-Perl OR GPL-2.0-or-later) AND \(reference) AND MIT")
        #expect(found.because == nil)
        #expect(book.entries == [reference: .init(name: "House-Rules", text: "Be nice.")])
        #expect(found.terms.map(\.name) == ["Artistic", "Expat", "GPL-2+", "House-Rules"])
        #expect(found.terms[1].files == ["lib/*.c", "lib/*.h"])
        #expect(found.references == ["GPL-2"])
        #expect(
            CopyrightFile(parsing: Array(Self.machineReadable.utf8)).texts["Expat"]
                == "Permission is hereby granted\n\nto everybody.")
    }

    @Test func `free text asserts nothing, and names what it refers to`() {
        var book = LicenceBook()
        let found = licence(
            "Under the GPL, see `/usr/share/common-licenses/GPL-2'.\nAlso /usr/share/common-licenses/LGPL-2.1.\n", &book
        )
        #expect(found.form == .freeText)
        #expect(found.expression == "NOASSERTION")
        #expect(found.references == ["GPL-2", "LGPL-2.1"])
        #expect(found.because == "the copyright file is free text that names GPL-2, LGPL-2.1")
        #expect(licence("Copyright me.\n", &book).because == "the copyright file is free text")
        #expect(
            licence("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n", &book).because
                == "the copyright file declares no licence")
    }

    @Test func `the header's licence holds where no files are named, and equal words are one licence`() {
        let header = """
            Format: http://dep.debian.net/deps/dep5
            License: Own
             These words.
            """
        var book = LicenceBook()
        let first = licence(header, &book)
        #expect(first.terms.map(\.files) == [[]])
        #expect(first.expression == licence(header, &book).expression)
        #expect(book.entries.count == 1)
        _ = licence(header.replacing("These", with: "Those"), &book)
        #expect(book.entries.count == 2)
    }

    @Test func `any bytes are read, and twice alike`() {
        var generator = SeededGenerator(seed: 8)
        let pieces = [
            "Format: copyright-format", "License: ", "Files: *", "(", ")", ",", " or ", " and ", "\n", "\n\n", " .",
            "GPL-2+",
            "\u{0}", "é", ":", "common-licenses/", "with",
        ]
        for _ in 0..<500 {
            let text = (0..<30).map { _ in pieces[Int.random(in: 0..<pieces.count, using: &generator)] }.joined()
            let bytes = Array(text.utf8)
            #expect(CopyrightFile(parsing: bytes) == CopyrightFile(parsing: bytes))
            #expect(CopyrightFile(parsing: bytes.map { $0 ^ 0x80 }).isMachineReadable == false)
            if let expression = LicenceExpression(parsing: text) { #expect(!expression.names.isEmpty) }
        }
    }
}

@Suite struct LicenceExpressionTests {
    @Test(arguments: [
        ("GPL-2+", "GPL-2.0-or-later"), ("GPL-3", "GPL-3.0-only"), ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("GPL-2.0-only", "GPL-2.0-only"), ("GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"),
        ("CC-BY-SA-3.0", "CC-BY-SA-3.0"), ("Expat", "MIT"), ("BSD (3 clause)", "BSD-3-Clause"),
        ("Perl", "Artistic-1.0-Perl OR GPL-1.0-or-later"),
        ("GPL-2+ and Perl", "(Artistic-1.0-Perl OR GPL-1.0-or-later) AND GPL-2.0-or-later"),
        ("GPL-2 or MIT and ISC", "GPL-2.0-only OR (ISC AND MIT)"),
        ("GPL-2 or MIT, and ISC", "(GPL-2.0-only OR MIT) AND ISC"),
        ("GPL-2, MIT, or ISC", "GPL-2.0-only OR ISC OR MIT"), ("GPL-2, MIT or ISC", "GPL-2.0-only OR ISC OR MIT"),
        ("MIT and Expat", "MIT"), ("(GPL-2 or MIT) and ISC", "(GPL-2.0-only OR MIT) AND ISC"),
        ("((((((((((GPL-2", "?"), (")MIT", "MIT"), ("MIT and/or ISC", "ISC OR MIT"),
        ("GPL-3+ with Autoconf exception", "GPL-3.0-or-later WITH Autoconf-exception-3.0"),
        ("GPL-2+-with-font-exception", "GPL-2.0-or-later WITH Font-exception-2.0"),
        // Another licence without its exception, and one that nobody knows.
        ("GPL-2+ with OpenSSL exception", "?"), ("GPL", "?"), ("public-domain", "?"), ("GPL-7", "?"),
    ]) func `names become SPDX's`(_ text: String, _ expected: String) throws {
        var book = LicenceBook()
        let file = "Format: copyright-format/1.0\n\nFiles: *\nLicense: \(text)\n"
        let found = PackageLicence(
            package: "p", version: "1", architecture: "all", file: "/c",
            copyright: CopyrightFile(parsing: Array(file.utf8)),
            book: &book)
        if expected == "?" {
            #expect(found.expression.hasPrefix("LicenseRef-"))
        } else {
            #expect(found.expression == expected)
        }
    }

    @Test(arguments: ["(", ")", "(a", "a)", ", a", " or a, and b", "a with "])
    func `a line that never ends is read to its end`(
        _ piece: String
    ) {
        for count in [300, 1_000, 100_000] {
            let text = "MIT " + String(repeating: piece, count: count)
            #expect(LicenceExpression(parsing: text)?.names.first?.hasPrefix("MIT") == true)
        }
    }

    @Test func `nothing is no expression`() {
        for text in ["", " , ", "and", "()", "or , and"] { #expect(LicenceExpression(parsing: text) == nil) }
    }
}
