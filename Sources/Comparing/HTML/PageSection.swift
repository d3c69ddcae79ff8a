/// A part of a page that is there without any script: headings, tables and charts above a report. Every text is anybody's
/// and stands as text.
public struct PageSection: Sendable {
    private(set) var markup = ""

    public init() {}

    /// - Parameter level: 1 to 3.
    public mutating func heading(_ text: String, level: Int) {
        markup += "<h\(level)>\(HTMLPage.escaped(text))</h\(level)>\n"
    }

    /// - Parameter tone: `good`, `bad`, `warn` or `quiet`, as the page's style has them; nil: as text is.
    public mutating func paragraph(_ text: String, tone: String? = nil) {
        markup += "<p\(attribute(tone))>\(HTMLPage.escaped(text))</p>\n"
    }

    public mutating func list(_ items: [String]) {
        if items.isEmpty { return }
        markup += "<ul>" + items.map { "<li>\(HTMLPage.escaped($0))</li>" }.joined(separator: "\n") + "</ul>\n"
    }

    /// Lines as they are, in a type of one width.
    public mutating func lines(_ lines: [String]) {
        if lines.isEmpty { return }
        markup += "<pre>\(HTMLPage.escaped(lines.joined(separator: "\n")))</pre>\n"
    }

    /// - Parameter rows: each cell with its tone.
    public mutating func table(_ head: [String], _ rows: [[(text: String, tone: String?)]]) {
        if rows.isEmpty { return }
        let titles = head.map { "<th scope=\"col\">\(HTMLPage.escaped($0))</th>" }.joined()
        markup += "<div class=\"scroll\"><table><thead><tr>\(titles)</tr></thead><tbody>\n"
        for row in rows {
            let cells = row.map { "<td\(attribute($0.tone))>\(HTMLPage.escaped($0.text))</td>" }.joined()
            markup += "<tr>\(cells)</tr>\n"
        }
        markup += "</tbody></table></div>\n"
    }

    /// Charts side by side, where there is room.
    public mutating func charts(_ charts: [TrendChart]) {
        markup += "<div class=\"trends\">\n\(charts.map(\.svg).joined())</div>\n"
    }

    /// A page that has nothing else.
    public func page(title: String) -> String {
        HTMLPage(title: title, json: "{}", plain: "", script: "", before: self).text
    }

    private func attribute(_ tone: String?) -> String { tone.map { " class=\"\(HTMLPage.escaped($0))\"" } ?? "" }
}
