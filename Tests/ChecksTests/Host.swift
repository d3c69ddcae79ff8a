import Foundation
import RootfsModel

/// Whether the host has this program.
func hostHas(_ program: String) -> Bool {
    ["/usr/bin/", "/bin/", "/usr/sbin/"].contains { FileManager.default.isExecutableFile(atPath: $0 + program) }
}

/// Runs a program of the host; its stdout, whatever its exit status.
func runOnHost(_ command: [String], in directory: URL? = nil) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    process.currentDirectoryURL = directory
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return String(decoding: output, as: UTF8.self)
}

/// Bytes of a blob that is in memory or a file of the host, as a subject reads them.
@Sendable func readHere(_ blob: Blob, _ range: Range<UInt64>) throws -> [UInt8] {
    switch blob.source {
    case .bytes(let bytes):
        return Array(bytes[Int(range.lowerBound)..<Int(min(range.upperBound, blob.size))])
    case .file(let directory, let path):
        let handle = try FileHandle(
            forReadingFrom: URL(filePath: directory + "/" + String(decoding: path.bytes, as: UTF8.self)))
        defer { try? handle.close() }
        try handle.seek(toOffset: range.lowerBound)
        return try [UInt8](handle.read(upToCount: range.count) ?? Data())
    case .extents, .absent: throw Failure("no content here")
    }
}

/// A fifth of the ELF files of the host's programs and libraries, or all that are below the directory in CHECKS_TREE.
func hostElfFiles() throws -> [String] {
    var files = [String]()
    func add(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 4,
            let handle = FileHandle(forReadingAtPath: path)
        else { return }
        if let start = try? handle.read(upToCount: 4), Array(start) == [0x7F, 0x45, 0x4C, 0x46] { files.append(path) }
        try? handle.close()
    }
    if let tree = ProcessInfo.processInfo.environment["CHECKS_TREE"] {
        for name in try FileManager.default.subpathsOfDirectory(atPath: tree).sorted() { add(tree + "/" + name) }
        return files
    }
    for directory in ["/usr/bin", "/usr/sbin", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        for name in names.sorted() { add(directory + "/" + name) }
    }
    return stride(from: 0, to: files.count, by: 5).map { files[$0] }
}

func blob(ofHostFile path: String) throws -> Blob {
    let url = URL(filePath: path)
    let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? UInt64 ?? 0
    guard let name = TreePath(normalizing: url.lastPathComponent) else { throw Failure("no name: \(path)") }
    return Blob(
        size: size, digest: nil,
        source: .file(directory: url.deletingLastPathComponent().path, path: name))
}
