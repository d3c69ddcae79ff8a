import Debian
import RootfsModel
import TestSupport
import Testing

@Suite struct ConfigureOrderTests {
    /// `name: dependencies; provides`.
    private func packages(_ lines: String...) throws -> [PackageStanza] {
        try lines.map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            let fields = parts.count > 1 ? parts[1].split(separator: ";", omittingEmptySubsequences: false) : []
            var text = "Package: \(parts[0])\nVersion: 1\nArchitecture: all\n"
            if let depends = fields.first, !depends.allSatisfy({ $0 == " " }) { text += "Depends:\(depends)\n" }
            if fields.count > 1 { text += "Provides:\(fields[1])\n" }
            return try PackageStanza(parsing: Array(text.utf8), file: "x")
        }
    }

    @Test("dependencies come first, ties by name") func order() throws {
        #expect(try configureBatches(packages("a: c", "b", "c: d", "d")) == [["b", "d", "c", "a"]])
        #expect(configureBatches([]) == [])
    }

    @Test("each batch ends with one cycle, the last may end without") func cycles() throws {
        #expect(
            try configureBatches(packages("z: a", "a: b", "b: a", "c: d, z", "d: c", "e: d")) == [
                ["a", "b"], ["z", "c", "d"], ["e"],
            ])
    }

    @Test("a group is met by its first alternative that is there, by name before by Provides") func alternatives()
        throws
    {
        #expect(try configureBatches(packages("a: gone | y | x", "x", "y")) == [["x", "y", "a"]])
        #expect(try configureBatches(packages("a: v", "u:;v", "b")) == [["b", "u", "a"]])
        #expect(try configureBatches(packages("a: v (>= 2)", "v", "w:;v (= 3)")) == [["v", "w", "a"]])
        #expect(try configureBatches(packages("a: a, absent")) == [["a"]])
    }

    @Test("the order does not depend on the order given, and respects every dependency outside cycles") func stable()
        throws
    {
        var generator = SeededGenerator(seed: 9)
        for round in 0..<30 {
            let lines = (0..<60).map { number in
                let needs = (0..<Int.random(in: 0...2, using: &generator)).map { _ in
                    " p\(Int.random(in: 0...number, using: &generator))"
                }
                return "p\(number):" + needs.joined(separator: ",")
            }
            let all = try lines.flatMap { try packages($0) }
            let batches = configureBatches(all)
            #expect(batches == configureBatches(all.shuffled(using: &generator)), "seed 9, round \(round)")
            let place = Dictionary(uniqueKeysWithValues: batches.joined().enumerated().map { ($1, $0) })
            #expect(place.count == all.count)
            for package in all {
                for need in package.depends where need.alternatives[0].name != package.name {
                    #expect(place[need.alternatives[0].name]! < place[package.name]!, "seed 9, round \(round)")
                }
            }
        }
    }

    @Test("a chain of 20,000 packages needs no deep stack") func long() throws {
        let all = try (0..<20_000).map {
            try PackageStanza(
                parsing: Array("Package: p\($0)\nVersion: 1\nArchitecture: all\nDepends: p\($0 + 1)\n".utf8), file: "x")
        }
        #expect(configureBatches(all) == [(0..<20_000).reversed().map { "p\($0)" }])
    }
}
