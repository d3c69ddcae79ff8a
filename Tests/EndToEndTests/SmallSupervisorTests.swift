import Foundation
import Glibc
import RootfsModel
import Storage
import SystemPackage
import Testing

/// The supervisor of images without systemd, run here as an ordinary process.
private struct Supervisor {
    static let program = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "overlays/supervisor/usr/lib/microvm/supervise").path

    let scratch: Scratch
    let running: Running

    /// - Parameter services: their names, for the flight record's slots.
    init(_ settings: String, services: [String]) throws {
        scratch = try Scratch("supervisor")
        let directory = scratch.path
        try writeFile(Array(settings.utf8), to: directory.appending("services"))
        func padded(_ text: String, _ count: Int) -> [UInt8] {
            Array(text.utf8) + Array(repeating: UInt8(ascii: "\n"), count: count - text.utf8.count)
        }
        var record = padded("microvm-flight-record 1\nslots \(services.count * 5)\n", 4096)
        for name in services { for _ in 0..<5 { record += padded("service \(name)\n", 69632) } }
        try writeFile(record, to: directory.appending("record"))
        running = try Running(
            [
                "perl", Self.program, "--settings", directory.appending("services").string, "--state",
                directory.appending("run").string, "--record", directory.appending("record").string,
            ], in: directory, environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"])
    }

    /// The console's lines without their times and the numbers of processes.
    func lines() throws -> [String] {
        try running.text("stdout").split(separator: "\n").map {
            String($0).replacing(#/^\[ *[0-9.]+\] (.*?)\[[0-9]+\]: /#) { "\($0.1): " }
                .replacing(/ready after [0-9.]+s/, with: "ready after Ts")
                .replacing(/uptime [0-9]+s/, with: "uptime Ts")
                .replacing(/BOOTED after .*/, with: "BOOTED")
        }
    }

    /// Waits until a line was printed.
    func wait(for line: String) throws {
        try waitUntil(line) {
            if running.hasEnded { throw Failure("it ended", notes: try lines() + [try running.text("stderr")]) }
            return try lines().contains { $0.hasPrefix(line) }
        }
    }

    /// Ends it as a machine's end does; what it said in all.
    func end() throws -> [String] {
        running.signal(SIGTERM)
        let ending = try running.wait()
        #expect(ending.status == 0)
        #expect(ending.stderr == "")
        return try lines()
    }

    /// The slots that were written, in their order: the heads' lines by their keys, and the outputs.
    func deaths() throws -> [(head: [String: String], output: String)] {
        let record = try readFile(at: scratch.path.appending("record"))
        return try stride(from: 4096, to: record.count, by: 69632).compactMap { place in
            let text = String(decoding: record[place..<place + 4096], as: UTF8.self)
            guard let mark = text.range(of: "crc32 ", options: .backwards) else { return nil }
            let count = text[..<mark.lowerBound].utf8.count
            #expect(crc32(record[place..<place + count]) == text[mark.upperBound...].prefix(8))
            let head = Dictionary(
                text.split(separator: "\n").map { line in
                    let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
                    return (parts[0], parts.count > 1 ? parts[1] : "")
                }, uniquingKeysWith: { first, _ in first })
            let size = try #require(Int(head["output"] ?? ""))
            let output = record[(place + 4096)..<(place + 4096 + size)]
            #expect(crc32(output) == head["output-crc32"] ?? "")
            return (head, String(decoding: output, as: UTF8.self))
        }
    }
}

/// In eight hexadecimal digits.
private func crc32(_ bytes: some Sequence<UInt8>) -> String {
    var crc: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    let digits = String(crc ^ 0xFFFF_FFFF, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
}

@Suite(.serialized) struct SmallSupervisorTests {
    @Test func `each kind of death is told with its cause and kept`() throws {
        let supervisor = try Supervisor(
            """
            service wrong
            command /usr/local/bin/nodde a%20b
            restart never

            service three
            command /bin/sh -c echo%20out;echo%20err>&2;printf%20last;exit%203
            restart never

            service segv
            command /bin/sh -c kill%20-SEGV%20$$
            restart on-failure
            backoff 1 1
            limit 2 60000

            service done
            command /bin/true
            restart on-failure

            """, services: ["wrong", "three", "segv", "done"])
        try supervisor.wait(for: "microvm: BOOTED")
        let lines = try supervisor.end()
        for line in [
            "(nodde): app-wrong.service: Failed at step EXEC spawning /usr/local/bin/nodde: No such file or directory",
            "microvm: app-wrong.service: Main process exited, code=exited, status=203/EXEC",
            "app-wrong: DIED app-wrong.service: exit status 203, result=exit-code, restart #0, uptime Ts -- it could "
                + "not be executed: path wrong, not executable, or its ELF interpreter or #! line names something that "
                + "is not there",
            "microvm: GAVE UP on app-wrong.service (no more restarts). Last lines:",
            "app-three: out", "app-three: err", "app-three: last",
            "app-three: DIED app-three.service: exit status 3, result=exit-code, restart #0, uptime Ts -- its own "
                + "words are above",
            "microvm:   | last",
            "microvm: app-segv.service: Main process exited, code=killed, status=11/SEGV",
            "app-segv: DIED app-segv.service: signal SIGSEGV, result=signal, restart #1, uptime Ts -- segmentation "
                + "fault",
            "app-done: ENDED app-done.service: exit status 0",
        ] {
            #expect(lines.contains(line), "\(line)\n\(lines.joined(separator: "\n"))")
        }
        #expect(lines.filter { $0.hasPrefix("app-segv: DIED") }.count == 2)
        #expect(!lines.contains { $0.hasPrefix("microvm: GAVE UP on app-done") })
        let deaths = try supervisor.deaths()
        #expect(deaths.compactMap(\.head["service"]) == ["wrong", "three", "segv", "segv"])
        #expect(Set(deaths.compactMap(\.head["death"])) == ["1", "2", "3", "4"])
        let wrong = deaths[0].head
        #expect(wrong["step"] == "EXEC" && wrong["errno"] == "2" && wrong["end"] == "exited 203")
        #expect(wrong["reason"] == "No such file or directory")
        #expect(wrong["argv"] == "/usr/local/bin/nodde a%20b" && wrong["argv-left-out"] == "0")
        #expect(deaths[1].output == "out\nerr\nlast")
        #expect(deaths[2].head["end"] == "killed SEGV" && deaths[2].head["result"] == "signal")
    }

    @Test func `the record keeps the last five deaths and the end of a long output`() throws {
        let supervisor = try Supervisor(
            """
            service often
            command /usr/bin/perl -e print%20"x"x70000,"end";exit%209
            backoff 1 1
            limit 7 600000

            """, services: ["often"])
        try supervisor.wait(for: "microvm: GAVE UP on app-often.service")
        _ = try supervisor.end()
        let deaths = try supervisor.deaths()
        #expect(deaths.compactMap(\.head["death"]) == ["6", "7", "3", "4", "5"])
        #expect(deaths.compactMap(\.head["restart"]) == ["5", "6", "2", "3", "4"])
        for death in deaths {
            #expect(death.output.utf8.count == 65536)
            #expect(death.output.hasSuffix("xend"))
        }
    }

    @Test func `services follow each other as they are ready, and the end is told to all`() throws {
        let scratch = try Scratch("ready")
        let mark = scratch.path.appending("mark")
        let supervisor = try Supervisor(
            """
            log \(scratch.path.appending("log").string)

            service second
            command /bin/sh -c ls%20\(mark.string);exec%20sleep%201000
            after first

            service first
            command /bin/sh -c echo%20warming;touch%20\(mark.string);echo%20listening%20on%201;exec%20sleep%201000
            ready console listening%20on

            """, services: ["first", "second"])
        try supervisor.wait(for: "microvm: BOOTED")
        try supervisor.wait(for: "app-second: \(mark.string)")
        let lines = try supervisor.end()
        #expect(lines.contains("app-first: ready after Ts: console listening on"))
        #expect(lines.contains("app-second: ready after Ts: start"))
        #expect(lines.contains("app-first: ENDED app-first.service: signal SIGTERM"))
        #expect(lines.last == "microvm: all services have ended")
        #expect(try supervisor.deaths().isEmpty)
        let log = String(decoding: try readFile(at: scratch.path.appending("log")), as: UTF8.self)
        #expect(log == (try supervisor.running.text("stdout")))
    }

    @Test func `who stops answering the watchdog, or is not ready in time, is ended`() throws {
        let speak = "use%20IO::Socket::UNIX;$s=IO::Socket::UNIX->new(Type=>SOCK_DGRAM,Peer=>$ENV{NOTIFY_SOCKET});"
        let supervisor = try Supervisor(
            """
            service dog
            command /usr/bin/perl -e \(speak)$s->send("READY=1");kill%20STOP=>$$
            restart never
            watchdog 500

            service mute
            command /bin/sleep 1000
            restart never
            watchdog 500
            within 1

            service late
            command /bin/sleep 1000
            restart never
            ready console never%20said
            within 100

            """, services: ["dog", "mute", "late"])
        for name in ["dog", "mute", "late"] { try supervisor.wait(for: "microvm: GAVE UP on app-\(name).service") }
        let lines = try supervisor.end()
        for line in [
            "microvm: app-dog.service: Watchdog timeout (limit 0.5s)!",
            "app-dog: DIED app-dog.service: signal SIGABRT, result=watchdog, restart #0, uptime Ts -- it stopped "
                + "answering its watchdog",
            "app-mute: NOT READY within 0.0s: notify: no READY=1 came",
            "app-late: NOT READY within 0.1s: console never said: no line with this text",
            "app-late: DIED app-late.service: signal SIGTERM, result=timeout, restart #0, uptime Ts -- it was not "
                + "ready, or did not stop, in the time it had",
        ] {
            #expect(lines.contains(line), "\(line)\n\(lines.joined(separator: "\n"))")
        }
    }
}
