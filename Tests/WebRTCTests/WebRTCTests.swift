import Foundation
import Testing

/// The programs that are no Swift, by tests in their own languages: the WebRTC server's and the demo's.
@Suite struct WebRTCTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    private static let top = folder.deletingLastPathComponent().deletingLastPathComponent()

    private static func path(_ path: String) -> String { top.appending(path: path).path }

    /// Exit status and output of a program on the PATH; nil where there is none of this name.
    private static func run(_ words: String...) throws -> (status: Int32, output: String)? {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = words
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        if process.terminationStatus == 127 {
            print("skipped: \(words[0]) is not installed")
            return nil
        }
        return (process.terminationStatus, output)
    }

    @Test func theServerKeepsItsPromises() throws {
        guard let (status, output) = try Self.run("node", "--test", Self.path("Tests/WebRTCTests/server.test.js"))
        else { return }
        #expect(status == 0, "\(output)")
        #expect(output.contains("# pass "), "\(output)")
    }

    @Test(arguments: ["overlays/webrtc/viewer.js", "overlays/webrtc/webrtc-server.js"])
    func scriptsAreJavaScript(script: String) throws {
        guard let (status, output) = try Self.run("node", "--check", Self.path(script)) else { return }
        #expect(status == 0, "\(output)")
    }

    @Test func pythonDefinesNothingTwice() throws {
        let files =
            ["overlays/webrtc/gst-webrtc.py", "recipes/scripts/gstreamer-registry"]
            + ["chromium.py", "demo.py", "machine.py"].map { "Tests/Demo/\($0)" }
        for file in files {
            guard
                let (status, output) = try Self.run(
                    "python3", Self.path("Tests/WebRTCTests/sources.py"), Self.path(file))
            else { return }
            #expect(status == 0, "\(output)")
        }
    }

    @Test func theDemosOwnPartsHold() throws {
        guard let (status, output) = try Self.run("python3", Self.path("Tests/Demo/test_demo.py")) else { return }
        #expect(status == 0, "\(output)")
    }
}
