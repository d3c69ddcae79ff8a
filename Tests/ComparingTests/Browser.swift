import Foundation
import Testing

/// A browser without a window, driven by its debugging protocol over two pipes. One test at a time has one.
final class Browser {
    static let isPossible = ["/usr/bin", "/usr/local/bin"].contains {
        FileManager.default.isExecutableFile(atPath: "\($0)/chromium")
    }

    private let process = Process()
    private let (commands, replies) = (Pipe(), Pipe())
    private let folder = FileManager.default.temporaryDirectory.appending(path: "browser-\(UUID().uuidString)")
    private var buffer = Data()
    private var number = 0
    private var session: String?
    /// What it told besides replies.
    private(set) var events: [[String: Any]] = []

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        process.executableURL = URL(filePath: "/bin/sh")
        // It reads commands from descriptor 3 and replies on 4. What never replies ends after a while.
        process.arguments = [
            "-c",
            """
            exec timeout -k 5 300 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
            --disable-background-networking --remote-debugging-pipe --user-data-dir="$0" \
            3<&0 4>&1 </dev/null >/dev/null 2>&1
            """, folder.path,
        ]
        process.environment = ["PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": folder.path]
        process.standardInput = commands
        process.standardOutput = replies
        process.standardError = FileHandle.nullDevice
        try process.run()
        // Its end of the pipe is the only one: when it ends, so do the replies.
        try replies.fileHandleForWriting.close()
        let target = try call("Target.createTarget", ["url": "about:blank"])["targetId"]
        session =
            try call("Target.attachToTarget", ["targetId": target as Any, "flatten": true])["sessionId"] as? String
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility"] { try call("\(domain).enable") }
    }

    func close() {
        try? commands.fileHandleForWriting.close()
        process.terminate()
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }

    struct Problem: Error { var text: String }

    /// Sends a command and gives its result.
    @discardableResult
    func call(_ method: String, _ parameters: [String: Any] = [:]) throws -> [String: Any] {
        number += 1
        var message: [String: Any] = ["id": number, "method": method, "params": parameters]
        message["sessionId"] = session
        let bytes = try JSONSerialization.data(withJSONObject: message)
        try commands.fileHandleForWriting.write(contentsOf: bytes + [0])
        while true {
            let reply = try read()
            guard reply["id"] as? Int == number else {
                events.append(reply)
                continue
            }
            if let result = reply["result"] as? [String: Any] { return result }
            throw Problem(text: "\(method): \(reply)")
        }
    }

    private func read() throws -> [String: Any] {
        while true {
            if let end = buffer.firstIndex(of: 0) {
                let message = buffer[buffer.startIndex..<end]
                buffer = Data(buffer[(end + 1)...])
                return try JSONSerialization.jsonObject(with: message) as? [String: Any] ?? [:]
            }
            let more = replies.fileHandleForReading.availableData
            if more.isEmpty { throw Problem(text: "the browser ended") }
            buffer.append(more)
        }
    }

    /// Shows a page, and forgets what was told before.
    ///
    /// - Parameter medium: `print`; empty for the screen.
    func show(_ page: String, scheme: String = "light", medium: String = "") throws {
        let file = folder.appending(path: "page.html")
        try Data(page.utf8).write(to: file)
        events = []
        try call(
            "Emulation.setDeviceMetricsOverride",
            ["width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": false])
        try call(
            "Emulation.setEmulatedMedia",
            ["media": medium, "features": [["name": "prefers-color-scheme", "value": scheme]]])
        try call("Page.navigate", ["url": file.absoluteString])
        while !events.contains(where: { $0["method"] as? String == "Page.loadEventFired" }) {
            events.append(try read())
        }
    }

    /// The value of an expression in the page.
    func value(_ expression: String) throws -> Any? {
        let result = try call(
            "Runtime.evaluate", ["expression": expression, "returnByValue": true, "awaitPromise": true])
        if let problem = result["exceptionDetails"] { throw Problem(text: "\(expression): \(problem)") }
        return (result["result"] as? [String: Any])?["value"]
    }

    func number(_ expression: String) throws -> Double {
        (try value(expression) as? NSNumber)?.doubleValue ?? .nan
    }

    func text(_ expression: String) throws -> String { try value(expression) as? String ?? "" }

    func texts(_ expression: String) throws -> [String] { try value(expression) as? [String] ?? [] }

    /// Presses a key and lets it go.
    func press(_ key: String, code: Int) throws {
        for type in ["keyDown", "keyUp"] {
            var event: [String: Any] = ["type": type, "key": key, "code": key, "windowsVirtualKeyCode": code]
            if key == "Enter" { event["text"] = "\r" }
            try call("Input.dispatchKeyEvent", event)
        }
    }

    /// What it complained of since the page was shown: errors, refused loads, anything on the console.
    var complaints: [String] {
        events.compactMap { event in
            let method = event["method"] as? String ?? ""
            return ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"].contains(method)
                ? "\(event["params"] ?? method)" : nil
        }
    }

    /// What the page loaded.
    var requests: [String] {
        events.compactMap { event in
            guard event["method"] as? String == "Network.requestWillBeSent" else { return nil }
            let request = (event["params"] as? [String: Any])?["request"] as? [String: Any]
            return request?["url"] as? String
        }
    }
}
