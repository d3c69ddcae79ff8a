import Debian
import Testing

@Suite struct ChangelogTests {
    private let text = """
        nodejs (18.20.4-1~deb12u1) bookworm-security; urgency=high

          * Fix CVE-2024-22020:
            imports of data: addresses.
          * CVE-2024-36138, CVE-2024-22020 again.

         -- A Person <a@example.org>  Mon, 01 Jul 2024 00:00:00 +0000

        nodejs (18.20.0-1) bookworm; urgency=medium

          * New version.
            - closes CVE-2023-0005

         -- A Person <a@example.org>  Mon, 01 Jan 2024 00:00:00 +0000

        nodejs (18.19.0-1) bookworm; urgency=medium

          * Old: CVE-1999-0001.

         -- A Person <a@example.org>  Sun, 01 Jan 2023 00:00:00 +0000
        """

    @Test func theEntriesBetweenTwoVersionsCount() {
        let all = Changelog(parsing: Array(text.utf8), after: "18.19.0-1", upTo: "18.20.4-1~deb12u1")
        #expect(
            all.items == [
                "* Fix CVE-2024-22020: imports of data: addresses.", "* CVE-2024-36138, CVE-2024-22020 again.",
                "* New version.", "- closes CVE-2023-0005",
            ])
        #expect(all.vulnerabilities == ["CVE-2023-0005", "CVE-2024-22020", "CVE-2024-36138"])
        // A binary rebuild has no entry, and a version before the newest is not told of what came after it.
        #expect(Changelog(parsing: Array(text.utf8), after: "18.19.0-1", upTo: "18.20.0-1+b1").items.count == 2)
        #expect(Changelog(parsing: Array(text.utf8), after: "18.20.4-1~deb12u1", upTo: "19").items == [])
    }

    @Test func whatIsNoChangelogSaysNothing() {
        for text in ["", "no changelog", "a b c\n  * text\n", "nodejs (\n", "nodejs ()\n", "\n \n"] {
            let parsed = Changelog(parsing: Array(text.utf8), after: "1", upTo: "2")
            #expect(parsed.items == [] && parsed.vulnerabilities == [], "\(text)")
        }
    }
}
