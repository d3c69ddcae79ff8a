/// A flight record as docs/flight-record.md has it, written without the program's own code.
public enum FlightRecordFile {
    /// The file with these slots.
    public static func bytes(_ slots: [(head: String, output: [UInt8])]) -> [UInt8] {
        func area(_ bytes: [UInt8], _ size: Int) -> [UInt8] {
            bytes + [UInt8](repeating: 0x0A, count: size - bytes.count)
        }
        let head = "microvm-flight-record 1\nslots \(slots.count)\nhead-bytes 4096\noutput-bytes 65536\n"
        return slots.reduce(area(Array(head.utf8), 4096)) {
            $0 + area(Array($1.head.utf8), 4096) + area($1.output, 65_536)
        }
    }

    /// A slot's head: lines, and the checksums behind them.
    public static func head(_ lines: String, output: [UInt8]) -> String {
        let text = lines + "output \(output.count)\noutput-crc32 \(checksum(output))\n"
        return text + "crc32 \(checksum(text.utf8))\n"
    }

    /// The slot of a death; some of its values follow from its number.
    public static func death(
        _ number: Int, of service: String = "web", _ end: String = "exited 127", _ output: String = "",
        arguments: String = "/usr/bin/node /opt/app/a%20b.js % --caf%C3%A9=100%25", step: String = "- 0"
    ) -> (head: String, output: [UInt8]) {
        let steps = step.split(separator: " ")
        let lines = """
            service \(service)
            death \(number)
            boot 6f1d8c8e-0000-4000-8000-00000000000\(number % 10)
            time 1800000000
            uptime 12.345
            started 11.900
            pid 211
            restart \(number - 1)
            end \(end)
            result exit-code
            step \(steps[0])
            errno \(steps[1])
            reason not%20found: libx.so
            argv \(arguments)
            argv-left-out 2
            novelty that nobody knows

            """
        let bytes = Array(output.utf8)
        return (head(lines, output: bytes), bytes)
    }

    /// CRC-32 bit by bit.
    public static func checksum(_ bytes: some Sequence<UInt8>) -> String {
        var crc = UInt32.max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0xedb8_8320 }
        }
        let digits = String(~crc, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}
