internal import Comparing
internal import FoundationEssentials
internal import Pipeline
internal import RootfsModel

/// What a night has to show besides its record, and the reports that are made of it.
struct NightReport {
    var check: CheckReport?
    var comparison: Comparison?
    var boot: BootRecord?
    /// Of the build.
    var stages: [StageTiming] = []

    static let fileNames = [
        NightRecord.fileName, "report.md", "report.html", "junit.xml", "check.sarif", "diff.json",
    ]

    /// All reports by their names; some are for people, some for machines.
    ///
    /// - Parameter kept: the records of the accepted builds before, the oldest first.
    func files(
        of record: NightRecord, since kept: [NightRecord], _ toolVersion: String
    ) throws -> [(name: String, bytes: [UInt8])] {
        var files: [(name: String, bytes: [UInt8])] = [
            (NightRecord.fileName, try recordBytes(record)),
            ("report.md", Array(markdown(of: record).utf8)),
            ("report.html", Array(try html(of: record, since: kept).utf8)),
            ("junit.xml", Array(junit(of: record).utf8)),
        ]
        if let check { files.append(("check.sarif", Array((try check.sarif(toolVersion: toolVersion) + "\n").utf8))) }
        if let comparison { files.append(("diff.json", try recordBytes(comparison))) }
        return files
    }

    private func html(of record: NightRecord, since kept: [NightRecord]) throws -> String {
        let section = nightSection(of: record, boot: boot, since: kept)
        guard let comparison else { return section.page(title: "\(record.name): \(record.decision.rawValue)") }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(comparison) else {
            throw Failure("cannot write the comparison as JSON")
        }
        return comparison.html(json: String(decoding: data, as: UTF8.self), before: section)
    }
}
