import RootfsModel
import Testing

@testable import Comparing

/// The lines of versions, made from what is known of each.
@Suite struct VersionLogTests {
    private static let changelog = Array(
        """
        tool (2.0-1) stable; urgency=high

          * Fix CVE-2026-0003, CVE-2026-0001, CVE-2026-12345 and CVE-2026-0002.

        tool (1.0-1) stable; urgency=low

          * First.
        """.utf8)

    private func version(
        _ name: String, recipe: String? = "web", moment: Int64?, built: Int64? = nil, tool: String?,
        used: UInt64 = 1000,
        kernel: String? = "6.1", verdict: String? = nil
    ) -> (version: VersionLog.Version, image: ComparedImage) {
        var version = VersionLog.Version(name: name)
        version.recipe = recipe
        version.moment = moment
        version.built = built
        version.used = used
        version.kernel = kernel
        version.packages = tool == nil ? nil : 2
        version.contentHash = "sha256:0123456789abcdef"
        version.proven = verdict.map { $0 == "proven" }
        version.verdict = verdict
        var image = ComparedImage(side: .init(name: name, kind: .image))
        image.packages = tool.map {
            [
                .init(name: "tool", version: $0, architecture: "amd64"),
                .init(name: "same", version: "1", architecture: "all"),
            ]
        }
        return (version, image)
    }

    private func log(_ images: [(version: VersionLog.Version, image: ComparedImage)]) -> VersionLog {
        VersionLog(images, problems: [.init(name: "b", problem: "it is odd"), .init(name: "a", problem: "it is gone")])
        {
            image, _ in
            var image = image
            image.changelog = { $0 == "tool" ? Self.changelog : nil }
            return image
        }
    }

    @Test func eachVersionIsComparedWithTheOneBeforeItOfItsRecipe() {
        let day: Int64 = 86_400
        let log = log([
            version("one", moment: 0, built: 60, tool: "1.0-1", verdict: "proven"),
            version("four", moment: 3 * day, tool: "1.0-1", used: 900, kernel: "6.2"),
            version("other", recipe: "mail", moment: 2 * day, tool: nil),
            version("two", moment: day, built: day + 3661, tool: "2.0-1", used: 2500, verdict: "kernel-panic"),
            version("three", moment: day, built: day + 3662, tool: "2.0-1", used: 2500),
        ])
        let lines = log.text().split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
        #expect(
            lines == [
                "1970-01-04 - 0123456789ab four web +0 -0 ~1 900 B (-1.6 kB) not booted opens again CVE-2026-0001, CVE-2026-0002, CVE-2026-0003 and 1 more kernel 6.1 → 6.2",
                "1970-01-03 - 0123456789ab other mail - 1.0 kB not booted",
                "1970-01-02 built 1970-01-02 01:01 0123456789ab three web +0 -0 ~0 2.5 kB (±0 B) not booted",
                "1970-01-02 built 1970-01-02 01:01 0123456789ab two web +0 -0 ~1 2.5 kB (+1.5 kB) kernel-panic closes CVE-2026-0001, CVE-2026-0002, CVE-2026-0003 and 1 more",
                "1970-01-01 built 1970-01-01 00:01 0123456789ab one web 2 packages 1.0 kB proven",
                "not listed: a: it is gone", "not listed: b: it is odd",
            ], "\(log.text())")
        #expect(log.versions.map { $0.since?.before } == ["three", nil, "two", "one", nil])
    }

    @Test func whatIsNotKnownIsNotMadeUp() {
        let log = log([
            version("new", recipe: nil, moment: nil, tool: nil),
            version("old", recipe: nil, moment: nil, tool: "1.0-1"),
        ])
        #expect(log.versions.map(\.name) == ["old", "new"])
        #expect(log.versions[0].since?.packages == nil)
        #expect(log.versions[0].since?.hasChangelogs == false)
    }
}
