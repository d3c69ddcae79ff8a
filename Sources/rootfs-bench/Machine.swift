import Glibc
import RootfsModel
import Storage
import SystemPackage

/// What was measured on, and with what.
struct Machine: Codable {
    var processor: String
    var processors: Int
    var memory: String
    var kernel: String
    /// Of the last minute, when measuring began and ended.
    var loadBefore: String
    var loadAfter: String
    /// `mmdebstrap 1.3.5-7`, of the Debian packages that were measured or measured with.
    var packages: [String]

    init() throws {
        func lines(_ path: String) throws -> [Substring] {
            String(decoding: try readFile(at: FilePath(path)), as: UTF8.self).split(separator: "\n")
        }
        func value(_ key: String, in lines: [Substring]) -> String {
            lines.first { $0.hasPrefix(key) }?.split(separator: ":").last.map { String($0.drop { " \t".contains($0) }) }
                ?? "unknown"
        }
        processor = value("model name", in: try lines("/proc/cpuinfo"))
        processors = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        memory = value("MemTotal", in: try lines("/proc/meminfo"))
        kernel = try lines("/proc/sys/kernel/osrelease").first.map(String.init) ?? "unknown"
        packages = try Self.packages()
        loadBefore = try Self.load()
        loadAfter = loadBefore
    }

    static func load() throws -> String {
        let text = String(decoding: try readFile(at: "/proc/loadavg"), as: UTF8.self)
        return text.split(separator: " ").first.map(String.init) ?? ""
    }

    private static func packages() throws -> [String] {
        let names = ["apt", "coreutils", "dpkg", "e2fsprogs", "mmdebstrap", "xz-utils"]
        let output = try run(["dpkg-query", "-W", "-f", "${Package} ${Version}\\n"] + names).output
        return String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    var text: String {
        "\(processor), \(processors) processors, \(memory) of memory, Linux \(kernel), load \(loadBefore) before and "
            + "\(loadAfter) after; \(packages.joined(separator: ", "))"
    }
}
