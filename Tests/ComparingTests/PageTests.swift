import Foundation
import Testing

@testable import Comparing

/// What a page is made of, without a browser.
@Suite struct PageTests {
    @Test func noNameAndNoTextBecomesMarkup() throws {
        let pages = try HostilePair.pages()
        for page in [pages.diff, pages.inspect] {
            #expect(page.ranges(of: "<script").count == 2)
            #expect(page.ranges(of: "</script").count == 2)
            #expect(!page.contains("<img"))
            #expect(!page.contains("<!--"))
            // Nothing turns the text of who reads the file, and every byte is a character.
            #expect(!page.unicodeScalars.contains { $0.properties.generalCategory == .format })
            #expect(!page.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
            #expect(page.contains("no text \\\\377\\\\303("))
        }
        #expect(pages.diff.contains("<title>old &lt;img src=x onerror=attacked=1&gt; → new &lt;/script&gt;"))
        #expect(pages.diff.contains("⟨U+202E⟩"))
    }

    @Test func theDataIsTheComparisonAndNothingElse() throws {
        let comparison = try HostilePair.comparison()
        let page = try HostilePair.pages().diff
        let start = try #require(page.range(of: #"<script type="application/json" id="data">"#))
        let end = try #require(page.range(of: "</script>"))
        let data = try JSONSerialization.jsonObject(with: Data(page[start.upperBound..<end.lowerBound].utf8))
        let told = try JSONSerialization.jsonObject(with: Data(HostilePair.json(comparison).utf8))
        #expect(data as? NSDictionary == told as? NSDictionary)
    }

    @Test func theSameHasTheSameBytes() throws {
        let (one, two) = (try HostilePair.pages(), try HostilePair.pages())
        #expect(one.diff == two.diff)
        #expect(one.inspect == two.inspect)
    }

    /// Nothing is loaded, nothing depends on the moment or on chance, and no text is ever parsed.
    @Test func thePageIsItself() throws {
        let script =
            HTMLPage.baseScript + HTMLPage.tableScript + HTMLPage.treemapScript + HTMLPage.graphScript
            + HTMLPage.diffScript + HTMLPage.inspectScript
        for word in [
            "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "fetch(", "import(",
            "XMLHttpRequest", "Date.now", "new Date()", "Math.random", "Storage", "https:",
        ] {
            #expect(!script.contains(word), "\(word)")
        }
        #expect(script.replacing("http://www.w3.org/2000/svg", with: "").ranges(of: "http:").isEmpty)
        for word in ["url(", "@import", "http"] { #expect(!HTMLPage.style.contains(word), "\(word)") }
        #expect(try HostilePair.pages().diff.contains("default-src 'none'; script-src 'sha256-"))
    }

    @Test func aPolicyNamesAScriptByItsDigest() {
        #expect(HTMLPage.hash("") == "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
        #expect(HTMLPage.hash("alert(1)") == "sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI=")
    }

    @Test func aSummarysSizesAddUp() throws {
        let summary = try HostilePair.summary()
        #expect(summary.size > 0)
        #expect(summary.folders.reduce(0) { $0 + $1.size } == summary.size)
        #expect(summary.packageSizes?.reduce(0) { $0 + $1.size } == summary.size)
        #expect(summary.types.reduce(0) { $0 + $1.count } == summary.side.paths.map { $0 + 1 })
        #expect(summary.largest.first?.path == "/usr/lib/libweb.so.1.0")
        #expect(summary.privileged.map(\.what) == ["setuid root"])
        #expect(summary.services?.map(\.packages) == [["libweb1", "web"]])
        #expect(summary.text().hasPrefix("new </script><script>attacked=1</script>: directory, 1970-01-01, "))
    }
}
