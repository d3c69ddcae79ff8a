import Debian
import Foundation
import TestSupport
import Testing

@Suite struct VersionTests {
    @Test(
        "versions in ascending order",
        arguments: [
            [
                "1.0~~", "1.0~rc1", "1.0~rc1-1", "1.0", "1.0+b1", "1.0.1", "1.2", "1.10", "1.10a", "1.10b", "1.10+x",
                "1:0", "2:0~", "2:0",
            ],
            ["0", "0a", "0+", "1", "a", "a1", "a1b", "b"],
        ])
    func order(_ ascending: [String]) {
        for (i, left) in ascending.enumerated() {
            for (j, right) in ascending.enumerated() {
                #expect((DebianVersion(left) < DebianVersion(right)) == (i < j), "\(left) \(right)")
                #expect((DebianVersion(left) == DebianVersion(right)) == (i == j), "\(left) \(right)")
            }
        }
    }

    @Test(
        "versions that dpkg calls equal are equal and have equal hashes",
        arguments: [
            ("1.0", "0:1.00"), ("1.0", "1.0-0"), ("1.", "1.0"), ("00:1", "1"), ("1.0-00", "1.0"), ("1a", "1a0"),
            ("0", "00"),
        ])
    func equality(left: String, right: String) {
        #expect(DebianVersion(left) == DebianVersion(right))
        #expect(Set([DebianVersion(left), DebianVersion(right)]).count == 1)
    }

    @Test("the upstream part") func upstream() {
        #expect(DebianVersion("2:1.2-3-4").upstream == "1.2-3")
        #expect(DebianVersion("1.2").upstream == "1.2")
    }

    private static let dpkg = "/usr/bin/dpkg"

    @Test(
        "2,000 seeded pairs of versions stand to each other as dpkg says",
        .enabled(if: FileManager.default.isExecutableFile(atPath: dpkg), "this host has no dpkg"))
    func sameAsDpkg() throws {
        let seed: UInt64 = 20_261_123
        var generator = SeededGenerator(seed: seed)
        func part(_ alphabet: String, _ longest: Int) -> String {
            String(
                (0..<Int.random(in: 0...longest, using: &generator)).compactMap { _ in
                    alphabet.randomElement(using: &generator)
                })
        }
        func version() -> String {
            let epoch =
                Int.random(in: 0..<5, using: &generator) == 0 ? "\(Int.random(in: 0...2, using: &generator)):" : ""
            let revision = Int.random(in: 0..<2, using: &generator) == 0 ? "-" + part("01a~+.", 3) + "0" : ""
            return epoch + "\(Int.random(in: 0...3, using: &generator))" + part("0019aZ~~+.", 6) + revision
        }
        var pairs = [(String, String)]()
        for _ in 0..<2_000 {
            let left = version()
            // Neighbours are the hard ones: half of the pairs differ in one character's removal.
            var right = version()
            if Bool.random(using: &generator), left.count > 2 {
                right = left
                right.remove(
                    at: right.index(right.startIndex, offsetBy: Int.random(in: 1..<left.count, using: &generator)))
                if right.hasSuffix("-") || right.hasSuffix(":") { right += "0" }
                // An empty upstream version is none for dpkg.
                right.replace(":-", with: ":1-")
            }
            pairs.append((left, right))
        }
        // One shell for all: a process for each pair would take a minute.
        var script = ""
        for (left, right) in pairs {
            script += "dpkg --compare-versions '\(left)' lt '\(right)' && echo l || { "
            script += "dpkg --compare-versions '\(left)' eq '\(right)' && echo e || echo g; }\n"
        }
        let file = FileManager.default.temporaryDirectory.appending(path: "versions-\(UUID().uuidString)")
        try Data(script.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = [file.path]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let verdicts = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self).split(
            separator: "\n")
        process.waitUntilExit()
        try #require(verdicts.count == pairs.count)
        var equal = 0
        for ((left, right), verdict) in zip(pairs, verdicts) {
            let a = DebianVersion(left)
            let b = DebianVersion(right)
            let ours = a < b ? "l" : a == b ? "e" : "g"
            #expect(ours == verdict, "\(left) and \(right), seed \(seed)")
            if a == b {
                equal += 1
                #expect(a.hashValue == b.hashValue, "\(left) and \(right), seed \(seed)")
            }
        }
        #expect(equal > 20)
    }
}
