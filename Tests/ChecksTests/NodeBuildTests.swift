import Foundation
import RootfsModel
import Testing

@testable import Checks

/// What is read from a Node's own file, compared with what it says when it runs.
@Suite struct NodeBuildTests {
    /// The host's Node, where it is one file: Debian's has it all in a library.
    static let program: String? = {
        guard hostHas("node"), let path = try? runOnHost(["node", "-p", "process.execPath"]) else { return nil }
        let file = String(path.split(separator: "\n").first ?? "")
        let size = (try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int) ?? 0
        return size > 10 << 20 ? file : nil
    }()

    @Test(.enabled(if: program != nil)) func `a Node is read as it runs`() throws {
        let file = try #require(Self.program)
        let path = try #require(TreePath(normalizing: file))
        let size = try #require(try FileManager.default.attributesOfItem(atPath: file)[.size] as? UInt64)
        let blob = Blob(size: size, digest: nil, source: .file(directory: "/", path: path))
        let build = try #require(try NodeBuild(path, blob: blob, read: readHere))
        let script = """
            const m = require('module').builtinModules.filter(n => !n.startsWith('node:'))
            console.log([process.version, process.versions.modules, process.config.variables.icu_ver_major,
              process.config.variables.icu_small, m.join(' ')].join('\\n'))
            """
        let said = try runOnHost(["node", "-e", script]).split(separator: "\n").map(String.init)
        try #require(said.count >= 5)
        #expect(build.version.map { "v\($0)" } == said[0])
        #expect(build.modules.map(String.init) == said[1])
        #expect(build.icuVersion == said[2])
        #expect((build.icu == .small) == (said[3] == "true"))
        #expect(Set(said[4].split(separator: " ").map(String.init)).subtracting(build.builtins) == [])
    }

    @Test func `a text across two reads is found`() throws {
        var bytes = [UInt8](repeating: 0x61, count: 8 << 20)
        let text = Array("\"node_module_version\"".utf8)
        let place = bytes.count - 7
        bytes.replaceSubrange(place..<bytes.count, with: text)
        var places = [UInt64]()
        try ByteSearch("\"node_module_version\"").eachPlace(in: Blob(bytes), read: readMemory) {
            places.append($0)
            return false
        }
        #expect(places == [UInt64(place)])
    }
}
