import Foundation
import RootfsModel
import Testing

@testable import Comparing

/// The pages in a real browser.
@Suite(.serialized, .enabled(if: Browser.isPossible, "needs chromium (make report-packages)")) struct BrowserTests {
    private func browsing(_ body: (Browser) throws -> Void) throws {
        let browser = try Browser()
        defer { browser.close() }
        try body(browser)
    }

    @Test func aPageLoadsWithoutAComplaintInBothSchemes() throws {
        let pages = try HostilePair.pages()
        try browsing { browser in
            for page in [pages.diff, pages.inspect] {
                var colours = [String]()
                for scheme in ["light", "dark"] {
                    try browser.show(page, scheme: scheme)
                    #expect(browser.complaints == [])
                    #expect(browser.requests.count == 1)
                    colours.append(
                        try browser.text(
                            "getComputedStyle(document.body).color + getComputedStyle(document.body).backgroundColor"))
                    #expect(try browser.number("document.querySelectorAll('section').length") >= 5)
                    // Nothing is wider than the window.
                    #expect(try browser.number("document.documentElement.scrollWidth") <= 1280)
                }
                #expect(colours[0] != colours[1])
                let press = "[...document.querySelectorAll('nav button')].at(-1).click()"
                _ = try browser.value("\(press); \(press)")
                #expect(try browser.text("document.documentElement.dataset.scheme") == "dark")
            }
        }
    }

    /// What is missing on a side or did not change leaves no hole in the page.
    @Test func everyComparisonHasAPage() throws {
        var comparisons = try ReportTests.pairs.map { try comparison(ReportTests.base, $0.new) }
        comparisons.append(try comparison(ReportTests.base, ReportTests.base))
        var lock = try ReportTests.base.image("a.lock")
        lock.tree = nil
        lock.services = nil
        comparisons.append(try compare(lock, ReportTests.base.image("new")))
        var damaged = try ReportTests.base.image("damaged")
        damaged.damaged = [("etc", "a block cannot be read")]
        comparisons.append(try compare(damaged, try ReportTests.pairs[0].new.image("new")))
        for section in Comparison.Section.allCases {
            comparisons.append(
                try comparison(
                    ReportTests.base, ReportTests.pairs[0].new, options: ComparisonOptions(sections: [section])))
        }
        try browsing { browser in
            for comparison in comparisons {
                try browser.show(comparison.html(json: try HostilePair.json(comparison)))
                #expect(browser.complaints == [])
                #expect(try browser.number("document.querySelectorAll('h1').length") == 1)
                let dead =
                    "[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href')).filter(id => !document.querySelector(id))"
                #expect(try browser.texts(dead) == [])
            }
            let nothing = ImageSummary(ComparedImage(side: .init(name: "empty", kind: .tar), tree: FileTree()))
            try browser.show(nothing.html(json: try HostilePair.json(nothing)))
            #expect(browser.complaints == [])
        }
    }

    @Test func namesAndTextsDoNothing() throws {
        let pages = try HostilePair.pages()
        try browsing { browser in
            for page in [pages.diff, pages.inspect] {
                try browser.show(page)
                #expect(try browser.text("typeof attacked") == "undefined")
                #expect(
                    try browser.number("document.querySelectorAll('img, iframe, object, link, main script').length")
                        == 0)
                let text = try browser.text("document.body.innerText")
                #expect(text.contains("/opt/</script><script>attacked=1</script>"))
                // The page of one image shows the largest files, and these are small.
                if page == pages.diff {
                    #expect(text.contains("/opt/⟨U+202E⟩gpj.exe"))
                    #expect(text.contains(#"/opt/no text \377\303("#))
                }
            }
        }
    }

    @Test func aTableFiltersAndSorts() throws {
        let page = try HostilePair.pages().diff
        try browsing { browser in
            try browser.show(page)
            func rows() throws -> [String] {
                try browser.texts(
                    "[...document.querySelectorAll('#files tbody tr')].map(row => row.cells[0].textContent)")
            }
            func type(_ text: String) throws {
                _ = try browser.value(
                    """
                    (() => { const field = document.querySelector('#files input'); field.value = '\(text)';
                    field.dispatchEvent(new Event('input', {bubbles: true})); })()
                    """)
            }
            let all = try rows()
            #expect(all.count > 10)
            #expect(all == all.sorted { $0.utf16.lexicographicallyPrecedes($1.utf16) })
            try type("DEEP0 part0")
            let found = try rows()
            #expect(found == all.filter { $0.contains("part0") && $0.contains("deep0") })
            #expect(!found.isEmpty)
            let status = try browser.text("document.querySelector('#files [role=status]').textContent")
            #expect(status.hasPrefix("\(found.count) of "))
            try type("there is no such thing")
            #expect(try rows() == [])
            try type("")
            #expect(try rows() == all)

            func press(_ column: Int) throws -> (order: String, values: [String]) {
                _ = try browser.value("document.querySelectorAll('#files thead button')[\(column)].click()")
                return (
                    try browser.text(
                        "document.querySelectorAll('#files thead th')[\(column)].getAttribute('aria-sort')"),
                    try browser.texts(
                        "[...document.querySelectorAll('#files tbody tr')].map(row => row.cells[\(column)].textContent)"
                    )
                )
            }
            let descending = try press(0)
            #expect(descending.order == "descending")
            #expect(descending.values == all.reversed())
            // A number starts with the largest.
            let sizes = try press(4)
            #expect(sizes.order == "descending")
            #expect(sizes.values.first == "+2.0 kB")
            #expect(sizes.values.last?.hasPrefix("−") == true)
        }
    }

    /// The area of each tile is its part of the bytes, to the pixel.
    @Test func theAreasOfATreemapAreItsBytes() throws {
        let (page, comparison) = (try HostilePair.pages().diff, try HostilePair.comparison())
        let check = """
            (map => { const box = map.getBoundingClientRect(), total = Number(map.dataset.total), tiles = [...map.querySelectorAll('.tile')];
            const bytes = tiles.reduce((sum, tile) => sum + Number(tile.dataset.bytes), 0);
            const wrong = tiles.filter(tile => { const spot = tile.getBoundingClientRect();
              return Math.abs(spot.width * spot.height - box.width * box.height * Number(tile.dataset.bytes) / total) > (spot.width + spot.height) / 16 + 1; });
            const area = tiles.reduce((sum, tile) => { const spot = tile.getBoundingClientRect(); return sum + spot.width * spot.height; }, 0);
            return [bytes, total, wrong.length, Math.abs(area / box.width / box.height - 1) < 0.005 ? 1 : 0, tiles.length]; })
            """
        try browsing { browser in
            try browser.show(page)
            let sizes = try #require(comparison.sizes)
            for index in 0...1 {
                let map = "document.querySelectorAll('.map')[\(index)]"
                let now = try browser.value("\(check)(\(map))") as? [Double] ?? []
                #expect(now.prefix(4) == [Double(sizes.new), Double(sizes.new), 0, 1])
                _ = try browser.value("\(map).parentElement.querySelectorAll('[aria-pressed]')[1].click()")
                let parts = try #require(index == 0 ? sizes.packages : sizes.folders)
                let moved = Double(parts.reduce(0) { $0 + $1.delta.magnitude })
                let changed = try browser.value("\(check)(\(map))") as? [Double] ?? []
                #expect(changed.prefix(4) == [moved, moved, 0, 1])
                _ = try browser.value("\(map).parentElement.querySelectorAll('[aria-pressed]')[0].click()")
            }
            // Looking into a folder shows what is in it, all of it.
            let map = "document.querySelectorAll('.map')[1]"
            _ = try browser.value("\(map).querySelector('.tile').focus()")
            try browser.press("Enter", code: 13)
            let inner = try browser.value("\(check)(\(map))") as? [Double] ?? []
            let usr = sizes.folders.filter { $0.name.hasPrefix("/usr") }.reduce(0) { $0 + $1.new }
            #expect(inner.prefix(4) == [Double(usr), Double(usr), 0, 1])
            try browser.press("Escape", code: 27)
            let outer = try browser.value("\(check)(\(map))") as? [Double] ?? []
            #expect(outer.first == Double(sizes.new))
            // The layout alone, of weights that are far from each other.
            let areas = """
                (() => { let random = 7; const next = () => (random = random * 48271 % 2147483647) / 2147483647;
                for (let round = 0; round < 200; round += 1) {
                  const items = Array.from({length: 1 + round}, () => ({weight: next() ** 6 * 1e9})).sort((a, b) => b.weight - a.weight);
                  const all = items.reduce((sum, item) => sum + item.weight, 0), placed = squarify(items, {x: 3, y: 5, width: 700, height: 300});
                  if (placed.length !== items.length) return 'lost ' + round;
                  for (const {item, x, y, width, height} of placed) {
                    if (Math.abs(width * height - item.weight / all * 210000) > 1e-3) return 'area ' + round;
                    if (x < 3 - 1e-6 || y < 5 - 1e-6 || x + width > 703 + 1e-6 || y + height > 305 + 1e-6) return 'outside ' + round;
                  }
                } return 'exact'; })()
                """
            #expect(try browser.text(areas) == "exact")
        }
    }

    @Test func theKeyboardReachesEverythingAndAllHasAName() throws {
        let pages = try HostilePair.pages()
        try browsing { browser in
            for page in [pages.diff, pages.inspect] {
                try browser.show(page)
                let wanted = try browser.number(
                    """
                    (() => { const all = [...document.querySelectorAll('a[href], button, input, select, summary, pre, [tabindex]')]
                      .filter(node => node.checkVisibility() && node.getClientRects().length && node.getAttribute('tabindex') !== '-1');
                    all.forEach((node, index) => node.dataset.wanted = index); return all.length; })()
                    """)
                var reached = Set<String>()
                for _ in 0..<Int(wanted) + 2 {
                    try browser.press("Tab", code: 9)
                    reached.insert(try browser.text("document.activeElement.dataset.wanted || ''"))
                }
                #expect(Double(reached.subtracting([""]).count) == wanted)
                // The arrows reach each tile and each node of the graph, from the one that Tab reaches.
                let stranded = """
                    (() => { const left = [];
                    for (const [box, name] of [...document.querySelectorAll('.map, .graph')].map(box => [box, box.matches('.map') ? '.tile' : '.node'])) {
                      const all = [...box.querySelectorAll(name)], first = all.find(node => node.getAttribute('tabindex') === '0');
                      const found = new Set([first]), front = [first];
                      while (front.length) { const from = front.pop();
                        for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'PageDown', 'PageUp', 'Home', 'End']) { from.focus();
                          from.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
                          if (!found.has(document.activeElement)) { found.add(document.activeElement); front.push(document.activeElement); } } }
                      left.push(...all.filter(node => !found.has(node)).map(node => node.getAttribute('aria-label')));
                    } return left; })()
                    """
                #expect(try browser.texts(stranded) == [])
                let nodes = try browser.call("Accessibility.getFullAXTree")["nodes"] as? [[String: Any]] ?? []
                func word(_ node: [String: Any], _ key: String) -> String {
                    (node[key] as? [String: Any])?["value"] as? String ?? ""
                }
                let named = [
                    "button", "link", "searchbox", "combobox", "table", "region", "navigation", "DisclosureTriangle",
                ]
                let these = nodes.filter { node in
                    named.contains(word(node, "role")) && node["ignored"] as? Bool != true
                }
                #expect(these.count > 20)
                #expect(these.filter { word($0, "name").isEmpty }.map { "\($0)" } == [])
            }
        }
    }

    @Test func paperIsLightAndOpen() throws {
        let pages = try HostilePair.pages()
        let largest = try HostilePair.summary().largest.count
        try browsing { browser in
            for page in [pages.diff, pages.inspect] {
                try browser.show(page, scheme: "light")
                let light = try browser.text("getComputedStyle(document.body).color")
                try browser.show(page, scheme: "dark", medium: "print")
                #expect(try browser.text("getComputedStyle(document.body).color") == light)
                #expect(try browser.text("getComputedStyle(document.querySelector('nav')).display") == "none")
                // A table that is cut says so.
                let cut =
                    "[...document.querySelectorAll('.paper')].filter(note => note.checkVisibility()).map(note => note.textContent)"
                if page == pages.inspect { #expect(try browser.texts(cut) == ["… and \(largest - 25) rows more"]) }
                #expect(
                    try browser.number(
                        "[...document.querySelectorAll('.tile')].filter(tile => !tile.checkVisibility()).length") == 0)
                _ = try browser.value(
                    "var closed = 'details:not([open], td details)', before = document.querySelectorAll(closed).length, printed = -1"
                )
                _ = try browser.value(
                    "addEventListener('beforeprint', () => { printed = document.querySelectorAll(closed).length; })")
                let paper = try browser.call("Page.printToPDF", ["printBackground": true])["data"] as? String ?? ""
                #expect(paper.hasPrefix("JVBERi"))
                #expect(try browser.number("printed") == 0)
                #expect(try browser.number("document.querySelectorAll(closed).length - before") == 0)
                #expect(browser.complaints == [])
            }
        }
    }
}
