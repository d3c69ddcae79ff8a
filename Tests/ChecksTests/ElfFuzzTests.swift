import Checks
import Foundation
import RootfsModel
import TestSupport
import Testing

/// No bytes stop the reader, nor make it read outside the file, nor keep it long.
@Suite struct ElfFuzzTests {
    /// A small library with all that is read, 64-bit: needed, names, versions of both kinds, notes.
    static let samples: [[UInt8]] = [
        ElfFixture(
            isWide: true, interpreter: "/lib64/ld-linux-x86-64.so.2", soname: "libsample.so.1",
            needed: ["libc.so.6", "libm.so.6"], runpath: "$ORIGIN/../lib",
            needs: [("libc.so.6", ["GLIBC_2.34", "GLIBC_2.2.5"]), ("libm.so.6", ["GLIBC_2.29"])],
            defines: ["libsample.so.1", "SAMPLE_1", "SAMPLE_2"], isa: 3
        ).bytes,
        ElfFixture(
            isWide: false, isBigEndian: true, machine: 8, soname: "libold.so.0", needed: ["libc.so.6"],
            rpath: "/opt/lib", needs: [("libc.so.6", ["GLIBC_2.0"])], defines: ["OLD_1"]
        ).bytes,
    ]

    private func read(_ bytes: [UInt8]) throws {
        var taken: UInt64 = 0
        let reader: (Blob, Range<UInt64>) throws -> [UInt8] = { blob, range in
            #expect(range.upperBound <= blob.size)
            taken += UInt64(range.count)
            return try readHere(blob, range)
        }
        let blob = Blob(size: UInt64(bytes.count), digest: nil, source: .bytes(bytes))
        guard let file = try ElfFile(reading: blob, with: reader) else { return }
        _ = try file.symbols(of: blob, with: reader)
        #expect(taken < UInt64(1 << 20))
    }

    @Test func `a file cut off at any byte is read as far as it goes`() throws {
        for sample in Self.samples {
            for count in 0..<sample.count {
                let cut = Array(sample.prefix(count))
                try read(cut)
                let blob = Blob(size: UInt64(count), digest: nil, source: .bytes(cut))
                if let file = try ElfFile(reading: blob, with: readHere) { #expect(file.defect != nil) }
            }
        }
    }

    @Test(arguments: 0..<8 as Range<UInt64>) func `changed bytes are a value or nothing`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let hostile: [UInt8] = [0, 1, 2, 4, 0x7F, 0x80, 0xFE, 0xFF]
        for sample in Self.samples {
            for _ in 0..<800 {
                var bytes = sample
                for _ in 0..<Int.random(in: 1...12, using: &generator) {
                    // The headers and the dynamic section matter most; they stand at the start and the end.
                    let place = Int.random(in: 4..<bytes.count, using: &generator)
                    let run = Int.random(in: 1...8, using: &generator)
                    let value = hostile.randomElement(using: &generator) ?? 0xFF
                    for index in place..<min(bytes.count, place + run) { bytes[index] = value }
                }
                try read(bytes)
            }
        }
    }
}
