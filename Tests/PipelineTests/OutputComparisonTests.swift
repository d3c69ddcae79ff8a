import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

@testable import Pipeline

@Suite struct OutputComparisonTests {
    /// What is told of two builds that wrote this; of the image, nothing.
    private func told(_ first: [String: [UInt8]], _ second: [String: [UInt8]]) throws -> [[String]] {
        let root = FilePath("/tmp/rootfs-build-tests-\(getpid())-\(UInt32.random(in: 0 ... .max))")
        defer { try? removeTree(at: root) }
        for (name, outputs) in [("1", first), ("2", second)] {
            try makeDirectory(at: root.appending(name))
            for (file, bytes) in outputs { try writeFile(bytes, to: root.appending(name).appending(file)) }
        }
        return try OutputComparison(root.appending("1"), root.appending("2")).differences(besides: "a.ext4").map {
            [$0.place, $0.field, $0.first, $0.second]
        }
    }

    private func bytes(_ count: Int, _ changes: [Int: UInt8] = [:]) -> [UInt8] {
        (0..<count).map { changes[$0] ?? UInt8(truncatingIfNeeded: $0) }
    }

    @Test func aBinaryOutputIsToldByItsFirstDifferingBytes() throws {
        let digits = (0x41..<0x61).map { String($0, radix: 16) }.joined()
        let text = "ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
        let found = try told(
            ["a.ext4": [1], "vmlinux": bytes(300), "initrd": bytes(9)],
            ["a.ext4": [1], "vmlinux": bytes(300, [65: 0x61, 200: 0]), "initrd": bytes(10)])
        let initrd = ["initrd", "content from byte 9 on", "the end", "09 \".\""]
        let left = "\(digits) \"\(text)\""
        let right = "61\(digits.dropFirst(2)) \"a\(text.dropFirst())\""
        #expect(found == [initrd, ["vmlinux", "content from byte 65 on", left, right]])
    }

    @Test func whereTheImagesDifferWhatDoesNotFollowFromThemIsTold() throws {
        let first: [String: [UInt8]] = [
            "image.json": [1], "a.listing": [2], "vmlinux": bytes(4), "kernel.config": Array("A=y\nB=y\n".utf8),
        ]
        let second: [String: [UInt8]] = [
            "image.json": [3], "a.listing": [4], "vmlinux": bytes(4, [3: 9]), "kernel.config": Array("A=y\n".utf8),
        ]
        let kernel = [
            ["kernel.config:2", "line", "B=y", ""], ["vmlinux", "content from byte 3 on", "03 \".\"", "09 \".\""],
        ]
        let images: [[UInt8]] = [[5], [6]]
        let other = try told(
            first.merging(["a.ext4": images[0]]) { $1 }, second.merging(["a.ext4": images[1]]) { $1 })
        #expect(other == kernel)
        let places = try told(first, second).map { $0[0] }
        #expect(places == ["a.listing:1", "image.json:1", "kernel.config:2", "vmlinux"])
    }

    @Test func anOutputThatOneBuildDidNotWriteIsTold() throws {
        #expect(try told(["initrd": [0, 1]], [:]) == [["initrd", "output", "there", "none"]])
        #expect(try told(["initrd": [0, 1]], ["initrd": [0, 1]]) == [])
    }
}
