import Glibc

/// Whether the builder sees the machine's own user ids or runs as root of a user namespace.
enum UserNamespace: Equatable {
    case initial
    /// With so many user ids.
    case nested(ids: UInt64)

    static var current: UserNamespace {
        // Without the file the kernel has no user namespaces.
        guard let text = readSmallFile("/proc/self/uid_map") else { return .initial }
        return parse(text)
    }

    /// Reads the text of `/proc/self/uid_map`, see user_namespaces(7): lines of inside, outside, count.
    static func parse(_ text: String) -> UserNamespace {
        let ranges = text.split(separator: "\n").map { $0.split(separator: " ").compactMap { UInt64($0) } }
        if ranges == [[0, 0, 4_294_967_295]] { return .initial }
        return .nested(ids: ranges.reduce(0) { $0 &+ ($1.count == 3 ? $1[2] : 0) })
    }
}

extension Sandbox {
    /// Which ids of the machine this process's user and group ids are, a range a line as the kernel has them. Files
    /// that it made belong to others in the eyes of a process with another text.
    public static var idMap: String {
        ["uid", "gid"].map { kind in
            (readSmallFile("/proc/self/\(kind)_map") ?? "").split(separator: "\n").map { line in
                "\(kind) \(line.split(separator: " ").joined(separator: " "))\n"
            }.joined()
        }.joined()
    }
}

/// The text of a file of the system, at most 64 KiB of it; nil if it cannot be read.
func readSmallFile(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 64 << 10)
    var used = 0
    while used < bytes.count {
        let count = bytes[used...].withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
        if count < 0 && errno == EINTR { continue }
        if count < 0 { return nil }
        if count == 0 { break }
        used += count
    }
    return String(decoding: bytes[..<used], as: UTF8.self)
}
