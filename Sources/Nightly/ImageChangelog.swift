internal import Comparing
internal import RootfsModel

/// What changed from image to image, for people: the newest first, kept longer than the images are.
enum ImageChangelog {
    static let fileName = "CHANGELOG.md"
    /// One version's part, among its reports.
    static let entryName = "changelog.md"

    static func entry(of record: NightRecord, _ comparison: Comparison?) -> String {
        var lines = ["## \(record.moment.replacing("T", with: " ").replacing("Z", with: " UTC"))", ""]
        if let figures = record.figures {
            let grew = comparison?.sizes.map { sizes in
                sizes.new >= sizes.old
                    ? ", \(byteText(sizes.new - sizes.old)) more than before"
                    : ", \(byteText(sizes.old - sizes.new)) less than before"
            }
            lines += ["`\(figures.imageHash)`, \(counted(figures.packages, "package"))\(grew ?? "")", ""]
        }
        let closed = Set(record.moved.filter { $0.kind != "downgraded" }.flatMap(\.vulnerabilities)).sorted()
        if !closed.isEmpty { lines += ["Closes \(closed.joined(separator: ", ")).", ""] }
        for move in record.moved {
            lines.append("- \(move.text)")
            lines += move.changelog.prefix(4).map { item in "  - \(item.drop { "*-+ ".contains($0) }.prefix(200))" }
        }
        if record.moved.isEmpty {
            lines += (record.lastGood == nil ? ["the first image"] : record.stale).prefix(12).map { "- \($0)" }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The changelog with a version's entry before the others; as it is where it has that already.
    static func adding(_ entry: String, of version: String, to text: String, name: String) -> String {
        let mark = "<!-- \(version) -->"
        if text.contains(mark) { return text }
        let title = "# \(name)\n"
        let rest = text.hasPrefix(title) ? String(text.dropFirst(title.count)) : text
        return "\(title)\n\(mark)\n\(entry)\(rest.isEmpty ? "" : rest)"
    }
}
