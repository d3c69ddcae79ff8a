import Foundation
import RootfsModel
import TestSupport
import Testing

/// A small ELF kernel: one segment with a banner and text that compresses partly, one segment of notes.
func elfKernel(machine: UInt16 = 62, size: Int = 300_000, seed: UInt64 = 1, interpreter: Bool = false) -> [UInt8] {
    var bytes = [UInt8]()
    bytes.put([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1], at: 0)
    bytes.put(UInt16(2), at: 16)
    bytes.put(machine, at: 18)
    bytes.put(UInt64(64), at: 32)
    bytes.put(UInt16(64), at: 52)
    bytes.put(UInt16(56), at: 54)
    bytes.put(UInt16(2), at: 56)
    bytes.put(UInt16(64), at: 58)
    var notes = [UInt8]()
    func note(_ owner: String, _ type: UInt32, _ value: [UInt8]) {
        let name = Array(owner.utf8) + [0]
        let start = notes.count
        notes.put(UInt32(name.count), at: start)
        notes.put(UInt32(value.count), at: start + 4)
        notes.put(type, at: start + 8)
        notes.put(name, at: start + 12)
        while notes.count % 4 != 0 { notes.append(0) }
        notes += value
        while notes.count % 4 != 0 { notes.append(0) }
    }
    note("Xen", 18, [0, 0, 0, 1, 0, 0, 0, 0])
    note("GNU", 3, (0..<20).map { UInt8($0 * 12 + 3) })
    let content = 64 + 2 * 56 + notes.count
    let segments: [(type: UInt32, offset: Int, size: Int)] = [
        (interpreter ? 3 : 1, content, size), (4, 64 + 2 * 56, notes.count),
    ]
    for (index, segment) in segments.enumerated() {
        let start = 64 + index * 56
        bytes.put(segment.type, at: start)
        bytes.put(UInt64(segment.offset), at: start + 8)
        bytes.put(UInt64(segment.size), at: start + 32)
        bytes.put(UInt64(4), at: start + 48)
    }
    bytes.put(notes, at: 64 + 2 * 56)
    var generator = SeededGenerator(seed: seed)
    var text = Array(
        "Linux version %s (%s)\0Linux version 6.1.0-test-amd64 (build@host) (gcc 12) # SMP\n\0Linux version 6.1.0-test-amd64 (build@host) (gcc 12) #1 SMP\n\0"
            .utf8)
    while text.count < size {
        switch Int.random(in: 0..<3, using: &generator) {
        case 0:
            text += [UInt8](
                repeating: UInt8.random(in: 0...255, using: &generator), count: .random(in: 1...2000, using: &generator)
            )
        case 1:
            text += (0..<Int.random(in: 1...500, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
        default:
            let start = Int.random(in: max(0, text.count - 60_000)..<text.count, using: &generator)
            text += text[start..<min(text.count, start + Int.random(in: 1...900, using: &generator))]
        }
    }
    bytes.put(Array(text.prefix(size)), at: content)
    return bytes
}

/// Whether the host has this program.
func hostHas(_ program: String) -> Bool {
    ["/usr/bin/", "/bin/", "/usr/sbin/"].contains { FileManager.default.isExecutableFile(atPath: $0 + program) }
}

/// Runs a program of the host in a shell, with files in a directory of its own; its stdout.
func runOnHost(_ command: String, files: [String: [UInt8]] = [:]) throws -> [UInt8] {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("kernels-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    for (name, bytes) in files { try Data(bytes).write(to: directory.appendingPathComponent(name)) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", command]
    process.currentDirectoryURL = directory
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw Failure("\(command): exit status \(process.terminationStatus)")
    }
    return Array(output)
}

/// The way the kernel's build makes a payload: the compressor it calls, and the size behind all but gzip's
/// (scripts/Makefile.lib).
struct PayloadRecipe: Sendable, CustomTestStringConvertible {
    var compression: String
    var program: String
    var command: String

    var testDescription: String { compression }

    static let all = [
        PayloadRecipe(compression: "gzip", program: "gzip", command: "gzip -n -f -9"),
        PayloadRecipe(compression: "bzip2", program: "bzip2", command: "bzip2 -9"),
        PayloadRecipe(compression: "lzma", program: "lzma", command: "lzma -9"),
        PayloadRecipe(compression: "xz", program: "xz", command: "xz --check=crc32 --x86 --lzma2=dict=32MiB"),
        PayloadRecipe(compression: "lz4", program: "lz4", command: "lz4 -l -9 - -"),
        PayloadRecipe(compression: "zstd", program: "zstd", command: "zstd -q -22 --ultra"),
        PayloadRecipe(compression: "lzo", program: "lzop", command: "lzop -9"),
    ]

    /// What the kernel's scripts/extract-vmlinux would print: at each place where the format's mark stands, the
    /// decompressor's output, if that is an ELF file.
    func extractedByMark(from image: [UInt8]) throws -> [UInt8] {
        let marks = [
            "gzip": #"\x1f\x8b\x08"#, "bzip2": "BZh", "lzma": #"\x5d\x00\x00\x00"#, "xz": #"\xfd7zXZ\x00"#,
            "lz4": #"\x02!L\x18"#, "zstd": #"\x28\xb5\x2f\xfd"#, "lzo": #"\x89LZO"#,
        ]
        let script = """
            LC_ALL=C grep -aboP '\(marks[compression] ?? "")' image | cut -d: -f1 | while read -r position; do
                tail -c +$((position + 1)) image | \(program) -dc >out 2>/dev/null
                if readelf -h out >/dev/null 2>&1; then cat out; break; fi
            done
            """
        return try runOnHost(script, files: ["image": image])
    }

    func payload(of kernel: [UInt8]) throws -> [UInt8] {
        var payload = try runOnHost("\(command) <kernel", files: ["kernel": kernel])
        if compression != "gzip" { payload.put(UInt32(kernel.count), at: payload.count) }
        return payload
    }
}
