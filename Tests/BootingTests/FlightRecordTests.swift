import Foundation
import RootfsModel
import TestSupport
import Testing

@testable import Booting

@Suite struct FlightRecordTests {
    private static func death(
        _ number: Int, of service: String = "web", _ end: String = "exited 127", _ output: String = ""
    ) -> (head: String, output: [UInt8]) {
        FlightRecordFile.death(number, of: service, end, output)
    }

    private static let free: (head: String, output: [UInt8]) = ("service web\n", [])

    @Test func theChecksumIsTheOneOfZip() {
        #expect(crc32Text("123456789".utf8) == "cbf43926")
        #expect(crc32Text([]) == "00000000")
        #expect(FlightRecordFile.checksum("123456789".utf8) == "cbf43926")
    }

    @Test func deathsAreReadTheNewestFirst() throws {
        let slots = [
            Self.death(4), Self.death(2, "killed SEGV", "one\ntwo\u{1b}[31m red\u{7}\n\n"), Self.free, Self.free,
            Self.free,
            Self.death(3, of: "other", "none"),
        ]
        let record = try FlightRecord(FlightRecordFile.bytes(slots))
        #expect(record.services.map(\.name) == ["web", "other"])
        #expect(record.services[0].deaths.map(\.number) == [4, 2])
        #expect(record.services.map(\.damagedSlots) == [0, 0])
        let death = record.services[0].deaths[0]
        #expect(death.ending == .exited(127))
        #expect(death.endingText == "exit status 127")
        #expect(death.meaning == "a program, a shared library or a symbol version was not found")
        #expect(death.arguments == ["/usr/bin/node", "/opt/app/a b.js", "", "--café=100%"])
        #expect(death.argumentsLeftOut == 2)
        #expect(death.reason == "not found: libx.so")
        #expect(death.uptime == .milliseconds(12_345) && death.started == .milliseconds(11_900))
        #expect(death.time == 1_800_000_000 && death.pid == 211 && death.restart == 3 && death.step == nil)
        #expect(death.output == [])
        let second = record.services[0].deaths[1]
        #expect(second.endingText == "signal SIGSEGV")
        #expect(second.lastLines(5) == ["one", "two red"])
        #expect(second.lastLines(1) == ["two red"])
        #expect(record.services[1].deaths[0].endingText == "no process was started")
    }

    @Test func aSlotThatWasHalfWrittenIsDamagedAndTheOthersAreThere() throws {
        var slots = [Self.death(1, "exited 1", "early words"), Self.death(2, "exited 2", "late words"), Self.free]
        // The output of a third death came over the first's, and its head did not.
        slots[0].output = Array("third death".utf8)
        let lost = try FlightRecord(FlightRecordFile.bytes(slots)).services[0]
        #expect(lost.deaths.map(\.number) == [2, 1])
        #expect(lost.deaths[1].output == nil && lost.deaths[0].output == Array("late words".utf8))
        // A head that does not fit its checksum, and one that was written up to its middle.
        slots[0].head = slots[0].head.replacing("pid 211", with: "pid 212")
        slots[2].head = "service web\ndeath 3\nboot 6f1"
        let damaged = try FlightRecord(FlightRecordFile.bytes(slots)).services[0]
        #expect(damaged.deaths.map(\.number) == [2])
        #expect(damaged.damagedSlots == 2 && damaged.name == "web")
    }

    @Test func whatIsNoFlightRecordIsSaid() throws {
        func message(_ bytes: [UInt8]) throws -> String {
            try #require(throws: Failure.self) { _ = try FlightRecord(bytes) }.message
        }
        let file = FlightRecordFile.bytes([Self.free])
        let no = "/var/lib/microvm/flight-record is no flight record: "
        #expect(try message([]) == no + "it does not begin as one")
        #expect(try message([UInt8](repeating: 0x0A, count: 8192)) == no + "it does not begin as one")
        #expect(try message(file.dropLast()) == no + "its size is not the one that its head says")
        #expect(try message(file + [1]) == no + "its size is not the one that its head says")
        let text = String(decoding: file, as: UTF8.self)
        #expect(
            try message(Array(text.replacing("record 1", with: "record 2").utf8))
                == "/var/lib/microvm/flight-record is a flight record of version 2, which is not known")
        for slots in ["-1", "99999999999999999999", "9223372036854775807", "x", ""] {
            #expect(
                try message(Array(text.replacing("slots 1", with: "slots \(slots)").utf8))
                    == no + "its size is not the one that its head says")
        }
    }

    @Test func oddNumbersAndWordsAreTaken() throws {
        let lines = """
            service web
            death 18446744073709551615
            time -9223372036854775808
            uptime 4294967295.999
            started 99999999999999.1
            pid -1
            end dumped RTMIN+3
            argv %%%41 %4 \u{1}
            """
        for broken in [
            "", "service\n", "death 1\nend exited 1\n", "service a\ndeath -1\nend exited 1\n",
            "service a\ndeath 1\nend exited 256\n", "service a\ndeath 1\nend killed\n", "service a\ndeath 1\nend\n",
        ] {
            let record = try FlightRecord(FlightRecordFile.bytes([(FlightRecordFile.head(broken, output: []), [])]))
            #expect(record.services[0].deaths.isEmpty && record.services[0].damagedSlots == 1, "\(broken)")
        }
        let death = try #require(
            FlightRecord(FlightRecordFile.bytes([(FlightRecordFile.head(lines + "\n", output: []), [])])).services[0]
                .deaths.first)
        #expect(death.number == .max && death.time == .min && death.started == nil)
        #expect(death.ending == .killed("RTMIN+3", dumpedCore: true) && death.meaning == nil)
        #expect(death.arguments == ["A", "4", ""])
    }

    @Test func flippedBitsEndInARecordOrAFailure() throws {
        let original = FlightRecordFile.bytes(
            [Self.death(1, "exited 1", "words"), Self.death(2, "killed ILL", String(repeating: "long\n", count: 900))])
        var (failures, lost) = (0, 0)
        for seed in UInt64(1)...400 {
            var random = SeededGenerator(seed: seed)
            var bytes = original
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let area = [0, 4096, 4096 + 69_632][Int.random(in: 0..<3, using: &random)]
                bytes[area + Int.random(in: 0..<700, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
            }
            do {
                let record = try FlightRecord(bytes)
                for death in record.services.flatMap(\.deaths) {
                    _ = (death.lastLines(20), death.meaning, death.endingText)
                }
                lost += record.services.reduce(0) { $0 + $1.damagedSlots }
            } catch {
                failures += 1
            }
        }
        #expect(failures > 10 && lost > 10)
    }
}
