import Foundation
import RootfsModel
import Testing

@testable import Comparing

/// Two images with a change of every kind, and names and texts that want to be a page's own.
enum HostilePair {
    static let script = "</script><script>attacked=1</script>"
    static let image = "<img src=x onerror=attacked=1>"

    private static func side(isNew: Bool) -> HandmadeSide {
        let version = isNew ? "2.0-1" : "1.0-1"
        var side = ReportTests.base.with([
            "opt/\(script)": .file(isNew ? "longer than it was\n" : "short\n", mode: isNew ? 0o4755 : 0o755),
            "opt/\(image)": .file(isNew ? "two\n" : "longer before\n"),
            "opt/\u{202E}gpj.exe": .file(isNew ? "two\n" : "one\n"),
            "opt/'\"`${attacked=1}": .file(isNew ? "two\n" : "one\n"),
            "etc/evil.conf": .file("\(script)\n<!--\n\u{202E}\(isNew ? "two" : "one")\n]]>\n"),
            "usr/lib/libweb.so.1.0": .file(String(repeating: isNew ? "new " : "old ", count: isNew ? 900 : 400)),
            "usr/bin/tool": isNew ? nil : .file(String(repeating: "tool\n", count: 70), mode: 0o755),
        ])
        for index in 0..<40 {
            let size = (index + 1) * 31 + (isNew && index % 5 == 0 ? 77 : 0)
            side.entries["usr/share/web/part\(index % 4)/deep\(index % 3)/file\(index)"] = .file(
                String(repeating: "x", count: size))
        }
        if isNew {
            side.entries["home/ann/.profile"] = .file("umask 022\n")
            side.entries["etc/passwd"] = .file(
                "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/usr/sbin/nologin\nann:x:1000:1000::/home/ann:/bin/bash\n"
            )
            side.packages.removeAll { $0.name == "tool" }
            side.kernel?.release = "6.1.0-2"
            side.kernel?.options = ["CONFIG_EXT4_FS": "m", "CONFIG_VIRTIO_BLK": "y"]
            side.moment = 3000
        }
        side.packages[0] = .init(name: "libweb1", version: version, architecture: "amd64", source: "web")
        side.packages[1] = .init(name: "web", version: version, architecture: "amd64")
        side.packages.append(.init(name: image, version: isNew ? "\u{202E}2" : "1", architecture: "all"))
        side.lists[image] = ["/opt/\(image)"]
        side.changelogs["libweb1"] = """
            web (2.0-1) bookworm; urgency=high

              * \(script) (CVE-2026-12345).

             -- A Maintainer <a@example.org>  Thu, 01 Jan 2026 00:00:00 +0000

            web (1.0-1) bookworm; urgency=low

              * First.

             -- A Maintainer <a@example.org>  Wed, 01 Jan 2025 00:00:00 +0000

            """
        return side
    }

    private static func image(isNew: Bool) throws -> ComparedImage {
        var image = try side(isNew: isNew).image(isNew ? "new \(script)" : "old \(image)")
        let odd = try #require(TreePath(normalizing: Array("opt/no text ".utf8) + [0xFF, 0xC3, 0x28]))
        let node = FileNode(
            path: odd, kind: .file(Blob(Array((isNew ? "two" : "one").utf8)), linkGroup: 0),
            metadata: Metadata(mode: 0o644, mtime: Timestamp(seconds: 1000)))
        image.tree = try image.tree.map { try FileTree($0.nodes + [node]) }
        return image
    }

    static func comparison() throws -> Comparison {
        var options = ComparisonOptions(patchesAll: true)
        options.folderDepth = 5
        return try compare(image(isNew: false), image(isNew: true), options: options)
    }

    static func summary() throws -> ImageSummary {
        var image = try image(isNew: true)
        image.side.imageSize = 1 << 20
        image.side.imageFree = 4096
        return ImageSummary(image)
    }

    /// Both pages.
    static func pages() throws -> (diff: String, inspect: String) {
        let (comparison, summary) = (try comparison(), try summary())
        return (comparison.html(json: try json(comparison)), summary.html(json: try json(summary)))
    }

    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
