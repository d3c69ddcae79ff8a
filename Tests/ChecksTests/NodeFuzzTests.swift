import RootfsModel
import TestSupport
import Testing

@testable import Checks

/// Foreign bytes for every reader of Node's files: an answer, never a crash.
@Suite struct NodeFuzzTests {
    static let pieces: [String] = [
        "require('", "')", "import ", "from '", "{", "}", "(", ")", "`", "${", "/", "/*", "*/", "//", "\n", "'", "\"",
        "\\", "\\u", "[", "]", ",", ":", "\"exports\"", "\"./*\"", "null", "1e999", "-", "\u{FEFF}", "é", "..", "#a",
        "@",
        "node:", "\"node_module_version\": ", "\"variables\"", "\"v8_enable_i18n_support\"", "node-v1.2.3", "\0", "||",
        "^", "~", ">=", "x", "*", "99999999999999999999", " - ", "=>", "try", "else", "export ",
    ]

    private static func text(_ random: inout SeededGenerator) -> [UInt8] {
        (0..<Int.random(in: 0..<60, using: &random)).flatMap { _ in
            Array((pieces.randomElement(using: &random) ?? "").utf8)
        }
    }

    @Test(arguments: 0..<40) func `any bytes are read to their end`(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<100 {
            var bytes = Self.text(&random)
            _ = ModuleReferences(in: bytes)
            _ = JSONValue(parsing: bytes)
            let string = String(decoding: bytes, as: UTF8.self)
            _ = VersionRange(string)?.contains(SemanticVersion(18, 0, 0))
            _ = NodeCommand(words: string.split(separator: " ").map(String.init), options: string)
            _ = try NodeBuild("usr/bin/node", blob: Blob(bytes), read: readMemory)
            bytes = NodeFaultTests.icuData("icudt72l")
            for _ in 0..<4 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            bytes.removeLast(.random(in: 0..<bytes.count, using: &random))
            _ = try ICUData(Blob(bytes), read: readMemory)
            _ = KernelForm(bytes)
        }
    }

    @Test(arguments: 0..<20) func `packages of any content are walked to an end`(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let names = ["app.js", "package.json", "a/index.js", "node_modules/x/package.json", "node_modules/x/index.js"]
        for _ in 0..<20 {
            var parts = NodeFaultTests.Parts()
            for name in names { parts.tree.file("srv/app/" + name, Self.text(&random)) }
            parts.tree.link(
                "srv/app/node_modules/y", to: ["x", "y", "..", "../../.."].randomElement(using: &random) ?? "")
            parts.tree.file("srv/app/server.js", "require('x'); require('y/\(seed)'); require('./a'); require('./app')")
            parts.environment["NODE_PATH"] = "/srv:/../x::"
            _ = try parts.findings()
        }
    }

    @Test func `a text nested without end is refused`() {
        #expect(JSONValue(parsing: [UInt8](repeating: UInt8(ascii: "["), count: 100_000)) == nil)
        #expect(ModuleReferences(in: [UInt8](repeating: UInt8(ascii: "{"), count: 100_000)).all == [])
    }
}
