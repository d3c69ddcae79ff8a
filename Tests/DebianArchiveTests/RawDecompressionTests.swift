import ArchiveFixture
import LibArchive
import RootfsModel
import Testing

private let forms: [(FixturePackage.Compression, LibArchive.Compression)] = [
    (.none, .none), (.gzip, .gzip), (.xz, .xz), (.zstd, .zstd),
]

@Suite struct RawDecompressionTests {
    @Test func whatWasCompressedComesOutAgain() throws {
        for size in [0, 1, 65_536, 300_001] {
            let bytes = noise(size, seed: UInt64(size)) + [UInt8](repeating: 7, count: size)
            for (writer, reader) in forms {
                #expect(try decompress(compressed(bytes, writer), as: reader, name: "F") == bytes)
            }
        }
    }

    @Test func severalStreamsInARowAreOne() throws {
        let one = noise(1_000, seed: 1)
        let two = noise(2_000, seed: 2)
        for (writer, reader) in forms {
            #expect(
                try decompress(compressed(one, writer) + compressed(two, writer), as: reader, name: "F") == one + two)
        }
    }

    @Test func anotherFormatIsRefused() throws {
        let gzip = try compressed(noise(1_000, seed: 3), .gzip)
        #expect(
            thrownText { _ = try decompress(gzip, as: .xz, name: "F") }
                == "error: cannot decompress F: it is not compressed in this format")
        #expect(thrownText { _ = try decompress([], as: .gzip, name: "F") }.hasPrefix("error: cannot decompress F: "))
    }

    @Test func aCutStreamIsRefused() throws {
        for (writer, reader) in forms.dropFirst() {
            let whole = try compressed(noise(100_000, seed: 4), writer)
            #expect(
                thrownText { _ = try decompress(Array(whole.prefix(whole.count / 2)), as: reader, name: "F") }
                    .hasPrefix("error: cannot decompress F: "))
        }
    }

    @Test func moreThanTheLimitIsRefused() throws {
        let bomb = try compressed([UInt8](repeating: 0, count: 50_000_000), .xz)
        #expect(
            thrownText { _ = try decompress(bomb, as: .xz, name: "F", limit: 1_000_000) }
                == "error: cannot decompress F: it is larger than 1000000 bytes")
    }

    @Test func noBytesWhateverTrapIt() {
        for seed in 0..<200 as Range<UInt64> {
            for (_, reader) in forms.dropFirst() {
                let magic: [UInt8] =
                    reader == .gzip
                    ? [0x1f, 0x8b, 8] : reader == .xz ? [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0] : [0x28, 0xb5, 0x2f, 0xfd]
                _ = try? decompress(magic + noise(200, seed: seed + 1), as: reader, name: "F", limit: 1 << 24)
            }
        }
    }
}
