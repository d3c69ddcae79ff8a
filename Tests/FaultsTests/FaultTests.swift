import Faults
import Foundation
import RootfsModel
import Testing

@Suite struct FaultTests {
    static let unit = """
        [Service]
        ExecStart=/usr/bin/node /opt/server.js

        """

    static func image(service: String? = nil, services: [String] = ["web"], with more: [String] = []) throws
        -> FaultyImage
    {
        var nodes = [
            "/", "/etc", "/etc/systemd", "/etc/systemd/system", "/lib64", "/usr", "/usr/lib", "/usr/share",
            "/usr/share/nodejs", "/usr/share/nodejs/undici", "/usr/lib/gstreamer-1.0",
        ].map { FileNode(path: TreePath(normalizing: $0) ?? .root, kind: .directory, metadata: Metadata(mode: 0o755)) }
        let files =
            ["/lib64/ld-linux-x86-64.so.2", "/usr/lib/libicui18n.so.72", "/usr/lib/gstreamer-1.0/libgstvpx.so"] + more
        nodes += files.map { Self.file($0, "x") }
        nodes.append(file("/etc/systemd/system/app-web.service", unit))
        return try FaultyImage(
            tree: FileTree(nodes.sorted { $0.path < $1.path }), service: service, services: services,
            moment: Timestamp(seconds: 1_700_000_000),
            read: { blob in
                guard case .bytes(let bytes) = blob.source else { throw Failure("not in memory") }
                return bytes
            })
    }

    private static func file(_ path: String, _ text: String) -> FileNode {
        FileNode(
            path: TreePath(normalizing: path) ?? .root, kind: .file(Blob(Array(text.utf8)), linkGroup: 0),
            metadata: Metadata(mode: 0o644))
    }

    @Test("names are unique, and a wrong one is answered with the nearest") func names() throws {
        #expect(Set(Fault.all.map(\.name)).count == Fault.all.count)
        #expect(try Fault.named("wrong-path").verdict == "unit-failed")
        let failure = #expect(throws: Failure.self) { _ = try Fault.named("wrong-pth") }
        #expect(failure?.hint == "did you mean wrong-path?")
        #expect(failure?.status == .usage)
    }

    @Test("every fault changes the tree, the kernel's arguments or the processor", arguments: Fault.all.map(\.name))
    func changes(name: String) throws {
        let image = try Self.image()
        let planting = try Fault.named(name).planting(in: image)
        let tree = try image.tree.applying(planting.change)
        let arguments = ["console=ttyS0", "reboot=k", "root=/dev/vda"]
        let isOther = tree.nodes != image.tree.nodes || planting.changed(arguments) != arguments
        #expect(isOther)
    }

    @Test("what breaks a service is said in a file of its unit that wins over the others") func settings() throws {
        let image = try Self.image()
        let change = try Fault.named("wrong-path").planting(in: image).change
        let drop = try #require(change.puts.first)
        #expect(drop.path == "/etc/systemd/system/app-web.service.d/99-fault.conf")
        guard case .file(let blob, _) = drop.kind, case .bytes(let bytes) = blob.source else {
            Issue.record("no file")
            return
        }
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == "[Service]\nExecStart=\nExecStart=/usr/local/bin/absent\nEnvironment=SUPERVISOR_BACKOFF=200-400\n")
    }

    @Test("kernel arguments go by their name") func arguments() throws {
        let planting = try Fault.named("no-serial-console").planting(in: Self.image())
        #expect(planting.changed(["console=ttyS0", "quiet"]) == ["quiet", "console=null", "8250.nr_uarts=0"])
    }

    @Test("an image that cannot have a fault is told why") func refusals() throws {
        func message(_ name: String, _ image: @autoclosure () throws -> FaultyImage) -> String? {
            do {
                _ = try Fault.named(name).planting(in: image())
                return nil
            } catch {
                return (error as? Failure)?.message
            }
        }
        #expect(message("wrong-path", try Self.image(service: "other")) == "the image has no service other")
        #expect(message("wrong-path", try Self.image(services: [])) == "the image has no service to break")
        #expect(
            message("wrong-path", try Self.image(service: "sh", services: ["web", "sh"]))
                == "the fault wrong-path cannot be planted: app-sh.service is no unit of the image")
        let empty = try FaultyImage(
            tree: FileTree([]), service: nil, services: ["web"], moment: Timestamp(seconds: 0), read: { _ in [] })
        #expect(
            message("gstreamer-missing", empty)
                == "the fault gstreamer-missing cannot be planted: the image has no GStreamer plugins in /usr/lib")
        #expect(
            message("library-missing", empty)
                == "the fault library-missing cannot be planted: the image has no /lib64/ld-linux-x86-64.so.2")
    }

    /// The planted programs are real: this machine's own loader says of them what the faults promise.
    @Test(
        "the loader refuses planted programs with the promised words",
        .enabled(if: FileManager.default.fileExists(atPath: "/lib64/ld-linux-x86-64.so.2")),
        arguments: [("library-missing", 127), ("glibc-too-new", 1)])
    func loader(name: String, status: Int32) throws {
        let fault = try Fault.named(name)
        let planted = try fault.planting(in: Self.image()).change.puts
            .first { $0.path == "/usr/local/bin/planted" }
        guard case .file(let blob, _)? = planted?.kind, case .bytes(let bytes) = blob.source else {
            Issue.record("no program is planted")
            return
        }
        let file = FileManager.default.temporaryDirectory.appending(path: "planted-\(UUID().uuidString)")
        try Data(bytes).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
        let process = Process()
        process.executableURL = file
        let pipe = Pipe()
        process.standardError = pipe
        try process.run()
        let words = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == status)
        #expect(words.contains(try #require(fault.cause.first)), "\(words)")
    }

    @Test("docs/boot.md has every fault with its verdict and its finding") func documentation() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "docs/boot.md")
        let rows = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix("| `") }
        for fault in Fault.all {
            let finding = fault.finding.map { "`\($0)`" } ?? "nothing"
            let row = "| `\(fault.name)` | \(fault.summary) | `\(fault.verdict)` | \(finding) |"
            #expect(rows.contains { $0 == row }, "\(row)")
        }
    }
}
